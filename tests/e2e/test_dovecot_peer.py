"""A mailbox moves from a Dovecot into us with every octet, flag and date equal."""

import imaplib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.appliance import PASSWORDS, Appliance, address
from tests.e2e.mail import TRICKY, imap
from tests.e2e.peers.dovecot import PASSWORD, Dovecot
from tests.e2e.peers.programs import need, need_root

COUNT = 30
FLAGS = (r"\Seen", r"\Answered", r"\Flagged", r"\Draft", "custom", "$Forwarded")


@pytest.fixture
def dovecot(tmp_path: Path) -> Iterator[Dovecot]:
    need_root()
    need("dovecot")
    peer = Dovecot(tmp_path / "dovecot")
    peer.start()
    yield peer
    peer.stop()


def _fill(peer: Dovecot) -> None:
    client = imaplib.IMAP4("127.0.0.1", peer.imap, timeout=30)
    client.login("ann", PASSWORD)
    client.create("Projects")
    for number in range(COUNT):
        flags = " ".join(flag for bit, flag in enumerate(FLAGS) if number >> bit & 1)
        date = f'"{1 + number % 28:02d}-Mar-20{number % 20:02d} 10:{number:02d}:00 +0530"'
        mailbox = "Projects" if number % 3 == 0 else "INBOX"
        message = TRICKY.replace(b"tricky@", f"dovecot-{number}@".encode())
        assert client.append(mailbox, f"({flags})", date, message)[0] == "OK"
    client.logout()


def _contents(client: imaplib.IMAP4, mailbox: str) -> list[tuple[bytes, frozenset[bytes], bytes]]:
    assert client.select(mailbox, readonly=True)[0] == "OK"
    _, data = client.uid("FETCH", "1:*", "(FLAGS INTERNALDATE BODY.PEEK[])")
    found = []
    for part in data:
        if isinstance(part, tuple):
            found.append((part[0], part[1]))
        elif part.strip() != b")":
            found[-1] = (found[-1][0] + part, found[-1][1])
    result = []
    for line, octets in found:
        flags = frozenset(line.split(b"FLAGS (", 1)[1].split(b")", 1)[0].split())
        seconds = imaplib.Internaldate2tuple(b'INTERNALDATE "' + line.split(b'INTERNALDATE "')[1])
        result.append((octets, flags - {rb"\Recent"}, repr(seconds).encode()))
    client.logout()
    return sorted(result)


def test_mbsync_copies_a_dovecot_into_us(
    appliance: Appliance, dovecot: Dovecot, tmp_path: Path
) -> None:
    mbsync = need("mbsync")
    _fill(dovecot)
    settings = tmp_path / "mbsyncrc"
    settings.write_text(
        f"IMAPAccount old\nHost 127.0.0.1\nPort {dovecot.imap}\nUser ann\n"
        f"Pass {PASSWORD}\nSSLType None\nAuthMechs LOGIN\n\nIMAPStore old\nAccount old\n\n"
        f"IMAPAccount new\nHost localhost\nPort {appliance.ports['imaps']}\n"
        f'User {address("ann")}\nPass "{PASSWORDS["ann"]}"\nSSLType IMAPS\n'
        f"CertificateFile {appliance.authority}\nAuthMechs LOGIN\n\nIMAPStore new\nAccount new\n\n"
        f"Channel move\nFar :old:\nNear :new:\nPatterns *\nCreate Near\nSync Pull\n"
        f"CopyArrivalDate yes\nSyncState {tmp_path}/state/\n"
    )
    (tmp_path / "state").mkdir()
    done = subprocess.run([mbsync, "-c", str(settings), "move"], capture_output=True, timeout=120)
    assert done.returncode == 0, done.stderr.decode()
    for mailbox in ("INBOX", "Projects"):
        old = imaplib.IMAP4("127.0.0.1", dovecot.imap, timeout=30)
        old.login("ann", PASSWORD)
        theirs = _contents(old, mailbox)
        ours = _contents(imap(appliance), mailbox)
        assert [o[1:] for o in ours] == [t[1:] for t in theirs]
        assert [_without_tuid(o[0]) for o in ours] == [t[0] for t in theirs]


def _without_tuid(message: bytes) -> bytes:
    lines = message.splitlines(keepends=True)
    return b"".join(line for line in lines if not line.startswith(b"X-TUID: "))


def test_doveadm_backup_reads_everything_of_ours(appliance: Appliance, tmp_path: Path) -> None:
    need_root()
    doveadm = need("doveadm")
    client = imap(appliance, "bob")
    for number in range(COUNT):
        message = TRICKY.replace(b"tricky@", f"ours-{number}@".encode())
        flags = " ".join(flag for bit, flag in enumerate(FLAGS) if number >> bit & 1)
        assert client.append("Archive", f"({flags})", None, message)[0] == "OK"
    client.logout()
    peer = Dovecot(
        tmp_path / "dovecot",
        extra=(
            f"imapc_host = localhost\nimapc_port = {appliance.ports['imaps']}\n"
            f"imapc_ssl = imaps\nimapc_ssl_verify = no\n"
            f"ssl_client_ca_file = {appliance.authority}\n"
            f"imapc_user = {address('bob')}\nimapc_password = {PASSWORDS['bob']}\n"
            "imapc_features = rfc822.size fetch-headers\nmail_prefetch_count = 20\n"
        ),
    )
    peer.start()
    try:
        done = subprocess.run(
            [
                doveadm, "-c", str(tmp_path / "dovecot" / "dovecot.conf"), "backup", "-R",
                "-u", "bob", "imapc:",
            ],
            capture_output=True,
            timeout=120,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr.decode()
        theirs = imaplib.IMAP4("127.0.0.1", peer.imap, timeout=30)
        theirs.login("bob", PASSWORD)
        assert _contents(theirs, "Archive") == _contents(imap(appliance, "bob"), "Archive")
    finally:
        peer.stop()
