"""Mail sent by programs that nobody here wrote arrives byte for byte."""

import subprocess
from pathlib import Path

import pytest

from tests.e2e.appliance import Appliance, address
from tests.e2e.mail import TRICKY, content_of, fetch_all, send, wait_for
from tests.e2e.peers.programs import need


def _run(*command: str, stdin: bytes = b"") -> str:
    done = subprocess.run(command, input=stdin, capture_output=True, timeout=60)
    assert done.returncode == 0, (done.stdout + done.stderr).decode(errors="replace")
    return (done.stdout + done.stderr).decode(errors="replace")


def test_smtplib(appliance: Appliance) -> None:
    message = TRICKY.replace(b"tricky@", b"smtplib@")
    send(appliance, message, [address("ann"), address("bob")])
    for name in ("ann", "bob"):
        assert content_of(wait_for(appliance, b"<smtplib@", name)) == message


@pytest.mark.parametrize("tls", ["none", "starttls", "implicit"])
def test_curl(appliance: Appliance, tls: str, tmp_path: Path) -> None:
    message = TRICKY.replace(b"tricky@", f"curl-{tls}@".encode())
    (tmp_path / "message").write_bytes(message)
    scheme, service = ("smtps", "smtp_tls") if tls == "implicit" else ("smtp", "smtp")
    _run(
        need("curl"), "--silent", "--show-error",
        *(["--ssl-reqd"] if tls == "starttls" else []),
        "--cacert", str(appliance.authority),
        "--url", f"{scheme}://localhost:{appliance.ports[service]}/client.example.net",
        "--mail-from", "sender@example.net", "--mail-rcpt", address("ann"),
        "--upload-file", str(tmp_path / "message"),
    )  # fmt: skip
    received = wait_for(appliance, f"<curl-{tls}@".encode())
    assert content_of(received) == message
    expected = b"with ESMTP " if tls == "none" else b"with ESMTPS"
    assert expected in received.replace(b"\r\n\t", b" ")


@pytest.mark.parametrize("tls", ["none", "starttls", "implicit"])
def test_swaks(appliance: Appliance, tls: str) -> None:
    options = {"none": [], "starttls": ["--tls"], "implicit": ["--tls-on-connect"]}[tls]
    service = "smtp_tls" if tls == "implicit" else "smtp"
    said = _run(
        need("swaks"), "--server", f"localhost:{appliance.ports[service]}", *options,
        "--from", "sender@example.net", "--to", address("ann"), "--pipeline",
        "--header", f"Subject: swaks {tls}", "--body", f"swaks body {tls}\\n.\\n..dots",
    )  # fmt: skip
    assert "250 2.0.0" in said
    assert b".\r\n..dots" in wait_for(appliance, f"swaks body {tls}".encode())


def test_swaks_is_told_of_an_unknown_recipient(appliance: Appliance) -> None:
    done = subprocess.run(
        [
            need("swaks"), "--server", f"localhost:{appliance.ports['smtp']}",
            "--from", "sender@example.net", "--to", address("nobody"),
        ],
        capture_output=True,
        timeout=60,
    )  # fmt: skip
    assert done.returncode != 0
    assert b"550 5.1.1" in done.stdout


def test_swaks_lmtp(appliance: Appliance) -> None:
    said = _run(
        need("swaks"), "--protocol", "LMTP", "--server", f"localhost:{appliance.ports['lmtp']}",
        "--from", "sender@example.net", "--to", f"{address('ann')},{address('bob')}",
        "--body", "by lmtp",
    )  # fmt: skip
    assert said.count("250 2.") >= 2
    assert b"with LMTP" in wait_for(appliance, b"by lmtp").replace(b"\r\n\t", b" ")
    assert wait_for(appliance, b"by lmtp", "bob")


def test_msmtp(appliance: Appliance) -> None:
    message = TRICKY.replace(b"tricky@", b"msmtp@")
    _run(
        need("msmtp"), "--host=localhost", f"--port={appliance.ports['smtp']}", "--tls=on",
        f"--tls-trust-file={appliance.authority}", "--auth=off", "--from=sender@example.net",
        address("ann"),
        stdin=message.replace(b"\r\n", b"\n"),
    )  # fmt: skip
    assert content_of(wait_for(appliance, b"<msmtp@")) == message


def test_the_same_mail_to_both_is_stored_for_each(appliance: Appliance) -> None:
    before = len(fetch_all(appliance, "bob"))
    message = TRICKY.replace(b"tricky@", b"both@")
    send(appliance, message, [address("bob"), address("bob"), "bob+tag@example.test"])
    assert len(fetch_all(appliance, "bob")) == before + 1
