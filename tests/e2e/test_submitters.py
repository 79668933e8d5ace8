"""Programs that nobody here wrote log in and send, on both ports; what they send arrives."""

import base64
import re
import smtplib
import ssl
import subprocess
from pathlib import Path
from typing import Final

import pytest

from tests.e2e.appliance import PASSWORDS, Appliance, address
from tests.e2e.mail import trust, wait_for
from tests.e2e.peers.programs import need

ANN: Final = address("ann")
BOB: Final = address("bob")
PASSWORD: Final = PASSWORDS["ann"]
PORTS = pytest.mark.parametrize("service", ["submission", "submissions"])


def message(mark: str) -> bytes:
    """One of ann's to bob, of the shape that is left as it is."""
    return (
        f"From: Ann <{ANN}>\r\nTo: {BOB}\r\nSubject: {mark}\r\n"
        f"Date: Tue, 24 Nov 2026 10:00:00 +0100\r\nMessage-ID: <{mark}@laptop.example>\r\n"
        f"\r\n.\r\n..\r\nsent by {mark}\r\n"
    ).encode()


def arrived(appliance: Appliance, mark: str) -> bytes:
    """What bob got, of which a trace of ours is the only addition."""
    found = wait_for(appliance, f"sent by {mark}".encode(), "bob")
    trace = found.replace(b"\r\n\t", b" ").replace(b"\r\n ", b" ")
    assert re.search(rb"\r\nReceived: by mail\.example\.test \(mailbox-server\) with E", trace)
    assert b"127.0.0.1" not in found
    return found


def run(*command: str, stdin: bytes = b"") -> str:
    done = subprocess.run(command, input=stdin, capture_output=True, timeout=60)
    said = (done.stdout + done.stderr).decode(errors="replace")
    assert done.returncode == 0, said
    return said


@PORTS
@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_swaks(appliance: Appliance, service: str, mechanism: str) -> None:
    mark = f"swaks-{service}-{mechanism}"
    said = run(
        need("swaks"), "--server", f"localhost:{appliance.ports[service]}",
        "--tls" if service == "submission" else "--tls-on-connect",
        "--auth", mechanism, "--auth-user", ANN, "--auth-password", PASSWORD,
        "--from", ANN, "--to", BOB, "--data", "-",
        stdin=message(mark).replace(b"\r\n", b"\n"),
    )  # fmt: skip
    assert "235 2.7.0" in said
    # It adds an empty line of its own.
    assert message(mark) in arrived(appliance, mark)


def test_swaks_is_told_before_tls(appliance: Appliance) -> None:
    done = subprocess.run(
        [
            need("swaks"), "--server", f"localhost:{appliance.ports['submission']}",
            "--auth", "PLAIN", "--auth-user", ANN, "--auth-password", PASSWORD,
            "--from", ANN, "--to", BOB,
        ],
        capture_output=True,
        timeout=60,
    )  # fmt: skip
    assert done.returncode != 0
    assert base64.b64encode(b"\0" + ANN.encode())[:8] not in done.stdout
    assert b"AUTH" not in b"".join(re.findall(rb"<-.*", done.stdout))


@PORTS
def test_msmtp(appliance: Appliance, service: str, tmp_path: Path) -> None:
    mark = f"msmtp-{service}"
    (tmp_path / "password").write_text(PASSWORD)
    run(
        need("msmtp"), "--host=localhost", f"--port={appliance.ports[service]}", "--tls=on",
        f"--tls-starttls={'on' if service == 'submission' else 'off'}",
        f"--tls-trust-file={appliance.authority}", "--auth=on", f"--user={ANN}",
        f"--passwordeval=cat {tmp_path / 'password'}", f"--from={ANN}", BOB,
        stdin=message(mark).replace(b"\r\n", b"\n"),
    )  # fmt: skip
    assert arrived(appliance, mark).endswith(message(mark))


def test_msmtp_as_sendmail(appliance: Appliance, tmp_path: Path) -> None:
    """As cron and scripts call it: everything in the header, Bcc too, and no Date."""
    mark = "msmtp-sendmail"
    (tmp_path / "rc").write_text(
        f"account default\nhost localhost\nport {appliance.ports['submission']}\ntls on\n"
        f"tls_trust_file {appliance.authority}\nauth login\nuser {ANN}\n"
        f"password {PASSWORD}\nfrom {ANN}\nset_date_header off\ndomain nas_of_ann\n"
    )
    (tmp_path / "rc").chmod(0o600)
    run(
        need("msmtp"), "-C", str(tmp_path / "rc"), "-t", "-oi",
        stdin=f"From: ann\nTo: nobody-else:;\nBcc: bob@example.test\n"
        f"Subject: {mark}\n\n.\nsent by {mark}\n".encode(),
    )  # fmt: skip
    found = arrived(appliance, mark)
    assert b"\r\nFrom: ann@example.test\r\n" in found and b"\r\nDate: " in found
    assert b"\r\nMessage-ID: <" in found and b"Bcc" not in found
    assert found.endswith(b"\r\n\r\n.\r\nsent by msmtp-sendmail\r\n")


@PORTS
def test_curl(appliance: Appliance, service: str, tmp_path: Path) -> None:
    mark = f"curl-{service}"
    (tmp_path / "message").write_bytes(message(mark))
    scheme = "smtp" if service == "submission" else "smtps"
    run(
        need("curl"), "--silent", "--show-error", "--ssl-reqd",
        "--cacert", str(appliance.authority), "--user", f"{ANN}:{PASSWORD}",
        "--url", f"{scheme}://localhost:{appliance.ports[service]}/laptop",
        "--mail-from", ANN, "--mail-rcpt", BOB, "--upload-file", str(tmp_path / "message"),
    )  # fmt: skip
    assert arrived(appliance, mark).endswith(message(mark))


@PORTS
def test_mutt(appliance: Appliance, service: str, tmp_path: Path) -> None:
    """It writes no Date that we would have to add, but a Bcc that we take out."""
    mark = f"mutt-{service}"
    scheme = "smtp" if service == "submission" else "smtps"
    user = ANN.replace("@", "%40")
    (tmp_path / "muttrc").write_text(
        f'set smtp_url="{scheme}://{user}@localhost:{appliance.ports[service]}/"\n'
        f'set smtp_pass="{PASSWORD}"\nset ssl_force_tls=yes\nset from="{ANN}"\n'
        f'set certificate_file="{appliance.authority}"\nset ssl_ca_certificates_file='
        f'"{appliance.authority}"\nset copy=no\nset write_bcc=yes\nset use_from=yes\n'
        f'set envelope_from_address="{ANN}"\nset use_envelope_from=yes\nset hostname=laptop\n'
    )
    run(
        need("mutt"), "-n", "-F", str(tmp_path / "muttrc"), "-s", mark, "-b", ANN, BOB,
        stdin=f"sent by {mark}\n".encode(),
    )  # fmt: skip
    found = arrived(appliance, mark)
    assert b"\r\nBcc:" not in found and ANN.encode() in found


@PORTS
def test_smtplib(appliance: Appliance, service: str) -> None:
    """With an app password, which is for sending alone, and a header that has to be mended."""
    secret = appliance.verb("token", "add", ANN, "--scope", "send").stdout.decode().strip()
    mark = f"smtplib-{service}"
    port, context = appliance.ports[service], trust(appliance)
    if service == "submission":
        client = smtplib.SMTP("localhost", port, timeout=30)
        client.starttls(context=context)
    else:
        client = smtplib.SMTP_SSL("localhost", port, timeout=30, context=context)
    with client:
        client.login(ANN, secret)
        client.sendmail(ANN, [BOB], f"Bcc: x@far.example\r\n\r\nsent by {mark}\r\n")
    found = arrived(appliance, mark)
    assert b"\r\nFrom: ann@example.test\r\n" in found and b"\r\nDate: " in found
    assert b"\r\nMessage-ID: <" in found and b"far.example" not in found


def test_a_scanner(appliance: Appliance) -> None:
    """TLS 1.2 to an address, LOGIN alone, 8 bits without MIME."""
    mark, context = "scanner", trust(appliance)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname = False
    with smtplib.SMTP("127.0.0.1", appliance.ports["submission"], "Scanner 2nd floor") as client:
        client.starttls(context=context)
        client.ehlo()
        client.user, client.password = ANN, PASSWORD
        assert client.auth("LOGIN", client.auth_login, initial_response_ok=False)[0] == 235
        content = f"From: ann\r\nTo: bob\r\nSubject: \xfc\r\n\r\nsent by {mark}\r\n"
        client.sendmail(ANN, [BOB], content.encode("latin-1"))
    assert b"\r\nSubject: \xfc\r\n\r\nsent by scanner\r\n" in arrived(appliance, mark)


def test_openssl(appliance: Appliance) -> None:
    """A person at a terminal; `-crlf` writes true line ends."""
    login = base64.b64encode(f"\0{ANN}\0{PASSWORD}".encode()).decode()
    done = subprocess.run(
        [
            need("openssl"), "s_client", "-quiet", "-crlf", "-starttls", "smtp",
            "-CAfile", str(appliance.authority), "-verify_return_error",
            "-connect", f"localhost:{appliance.ports['submission']}",
        ],
        input=(
            f"EHLO laptop\nAUTH PLAIN {login}\nMAIL FROM:<{ANN}>\nRCPT TO:<{BOB}>\n"
            f"RCPT TO:<nobody@example.test>\nQUIT\n"
        ).encode(),
        capture_output=True,
        timeout=60,
    )  # fmt: skip
    said = done.stdout.decode()
    for reply in ("235 2.7.0", "250 2.1.0", "250 2.1.5", "550 5.1.1", "221 2.0.0"):
        assert reply in said, said + done.stderr.decode()
