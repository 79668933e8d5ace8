"""What programs send reaches another server: once, as it was, signed; and once their Sent."""

import base64
import email.utils
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from mailbox_server.checks.dkim.canonical import relaxed_field
from tests.e2e.appliance import PASSWORDS
from tests.e2e.attacks.raw import raw
from tests.e2e.mail import fetch_all, imap, wait_for
from tests.e2e.pair import Pair, exchange
from tests.e2e.peers.programs import need
from tests.e2e.test_submitters import run
from tests.unit.checks.dkim.reference import Parsed, holds

ANN: Final = "ann@example.test"
FAR: Final = "ann@far.test"
PASSWORD: Final = PASSWORDS["ann"]


@dataclass(frozen=True)
class Exchange:
    """The pair, and the public keys of example.test by the names of their records."""

    pair: Pair
    records: dict[str, str]

    def check(self, mark: str, body: bytes) -> bytes:
        """What arrived: once, its body as sent, every signature holding."""
        found = wait_for(self.pair.far, mark.encode())
        assert sum(mark.encode() in each for each in fetch_all(self.pair.far)) == 1
        assert found.endswith(b"\r\n\r\n" + body)
        signatures = Parsed.read(found).signatures()
        assert len(signatures) == 2
        assert all(holds(found, each, self.records, relaxed_field) for each in signatures)
        return found

    def sent(self, mark: str) -> list[bytes]:
        """Copies in Sent."""
        return [each for each in fetch_all(self.pair.here, mailbox="Sent") if mark.encode() in each]


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exchange]:
    home = tmp_path_factory.mktemp("pair")
    with exchange(home, 'sent_copies = ["everyone"]\n') as pair:
        keys = json.loads(pair.here.verb("domain", "keys", "example.test", "--json").stdout)
        yield Exchange(pair, {key["record"]: key["value"] for key in keys})


def message(mark: str) -> bytes:
    return (
        f"From: Ann <{ANN}>\r\nTo: {FAR}\r\nSubject: {mark}\r\n"
        f"Date: Tue, 24 Nov 2026 10:00:00 +0100\r\nMessage-ID: <{mark}@laptop.example>\r\n"
        f"\r\n.\r\n..\r\nsent by {mark}\r\n"
    ).encode()


def body(mark: str) -> bytes:
    return message(mark).partition(b"\r\n\r\n")[2]


def test_swaks(two: Exchange) -> None:
    run(
        need("swaks"), "--server", f"localhost:{two.pair.here.ports['submission']}", "--tls",
        "--auth", "PLAIN", "--auth-user", ANN, "--auth-password", PASSWORD,
        "--from", ANN, "--to", FAR, "--data", "-",
        stdin=message("swaks").replace(b"\r\n", b"\n"),
    )  # fmt: skip
    # It adds an empty line of its own.
    two.check("swaks", body("swaks") + b"\r\n")
    assert len(two.sent("swaks")) == 1


def test_msmtp(two: Exchange, tmp_path: Path) -> None:
    """With its options for reports."""
    (tmp_path / "password").write_text(PASSWORD)
    here = two.pair.here
    run(
        need("msmtp"), "--host=localhost", f"--port={here.ports['submissions']}", "--tls=on",
        "--tls-starttls=off", f"--tls-trust-file={here.authority}", "--auth=on", f"--user={ANN}",
        f"--passwordeval=cat {tmp_path / 'password'}", f"--from={ANN}",
        "--dsn-notify=failure,success", "--dsn-return=headers", FAR,
        stdin=message("msmtp").replace(b"\r\n", b"\n"),
    )  # fmt: skip
    two.check("msmtp", body("msmtp"))
    told = wait_for(two.pair.here, b"<msmtp@laptop.example>")
    assert b"Action: delivered" in told and b"text/rfc822-headers" in told


def test_curl(two: Exchange, tmp_path: Path) -> None:
    (tmp_path / "message").write_bytes(message("curl"))
    here = two.pair.here
    run(
        need("curl"), "--silent", "--show-error", "--ssl-reqd", "--cacert", str(here.authority),
        "--user", f"{ANN}:{PASSWORD}", "--url", f"smtps://localhost:{here.ports['submissions']}/",
        "--mail-from", ANN, "--mail-rcpt", FAR, "--upload-file", str(tmp_path / "message"),
    )  # fmt: skip
    two.check("curl", body("curl"))


@pytest.mark.parametrize("program", ["mutt", "neomutt"])
def test_mutt(two: Exchange, program: str, tmp_path: Path) -> None:
    """It asks for reports, writes a Bcc that we take out, and files its copy in Sent itself."""
    here = two.pair.here
    user, mark = ANN.replace("@", "%40"), f"{program}-mark"
    (tmp_path / "muttrc").write_text(
        f'set smtp_url="smtps://{user}@localhost:{here.ports["submissions"]}/"\n'
        f'set smtp_pass="{PASSWORD}"\nset imap_user="{ANN}"\nset imap_pass="{PASSWORD}"\n'
        f'set folder="imaps://localhost:{here.ports["imaps"]}/"\nset record="+Sent"\n'
        f'set copy=yes\nset ssl_force_tls=yes\nset from="{ANN}"\n'
        f'set certificate_file="{here.authority}"\nset ssl_ca_certificates_file='
        f'"{here.authority}"\nset write_bcc=yes\nset use_from=yes\nset hostname=laptop\n'
        f'set envelope_from_address="{ANN}"\nset use_envelope_from=yes\n'
        f'set dsn_notify="failure,delay"\nset dsn_return="hdrs"\n'
    )
    run(
        need(program), "-n", "-F", str(tmp_path / "muttrc"), "-s", mark, "-b", "bob@far.test",
        FAR, stdin=f"sent by {mark}\n".encode(),
    )  # fmt: skip
    found = two.check(mark, f"sent by {mark}\r\n".encode())
    assert b"\r\nBcc:" not in found
    assert b"\r\nBcc:" not in wait_for(two.pair.far, mark.encode(), "bob")
    assert len(two.sent(mark)) == 1


@pytest.mark.parametrize("wishes", ["", " NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;ann@far.test"])
def test_what_thunderbird_says(two: Exchange, wishes: str) -> None:
    """Its commands as it says them: its greeting, its login, then the copy over IMAP."""
    mark = "tb-with-dsn" if wishes else "tb-without"
    octets = (
        f"Message-ID: <{mark}@example.test>\r\nDate: {email.utils.formatdate()}\r\n"
        f"MIME-Version: 1.0\r\nUser-Agent: Mozilla Thunderbird\r\nContent-Language: de\r\n"
        f"To: {FAR}\r\nFrom: Ann <{ANN}>\r\nSubject: =?UTF-8?Q?Gr=C3=BC=C3=9Fe?=\r\n"
        f"Content-Type: text/plain; charset=UTF-8; format=flowed\r\n"
        f"Content-Transfer-Encoding: 8bit\r\n\r\nGrüße, {mark}\r\n\r\n-- \r\n.Ann\r\n"
    ).encode()
    login = base64.b64encode(f"\0{ANN}\0{PASSWORD}".encode())
    reports = f" RET=FULL ENVID=<{mark}@example.test>" if wishes else ""
    with raw(two.pair.here, "submissions") as one:
        assert one.say(b"EHLO [192.168.1.5]").startswith(b"250 ")
        assert one.say(b"AUTH PLAIN " + login).startswith(b"235 ")
        mail = f"MAIL FROM:<{ANN}> BODY=8BITMIME SIZE={len(octets)}{reports}"
        assert one.say(mail.encode()).startswith(b"250 ")
        assert one.say(f"RCPT TO:<{FAR}>{wishes}".encode()).startswith(b"250 ")
        assert one.say(b"DATA").startswith(b"354 ")
        one.send(octets.replace(b"\r\n.", b"\r\n.."))
        assert one.say(b".").startswith(b"250 ")
        assert one.say(b"QUIT").startswith(b"221 ")
    assert len(two.sent(mark)) == 1
    client = imap(two.pair.here)
    status, (answer,) = client.append("Sent", "(\\Seen)", "", octets)
    assert status == "OK" and re.search(rb"APPENDUID \d+ \d+", answer)
    client.logout()
    (kept,) = two.sent(mark)
    assert kept == octets
    two.check(mark, octets.partition(b"\r\n\r\n")[2])
    if wishes:
        told = wait_for(two.pair.here, f"Original-Envelope-Id: <{mark}@example.test>".encode())
        assert b"Action: delivered" in told


def test_dkimpy_agrees(two: Exchange) -> None:
    """On all that the tests before had arrive."""
    dkim = pytest.importorskip("dkim", reason="dkimpy of the group oracle is not installed")
    texts = {f"{name}.".encode(): value.encode() for name, value in two.records.items()}
    for found in fetch_all(two.pair.far):
        signatures = Parsed.read(found).signatures()
        at = next(at for at, each in enumerate(signatures) if b"rsa-sha256" in each)
        assert dkim.DKIM(found).verify(at, dnsfunc=lambda name, **_: texts[name])
