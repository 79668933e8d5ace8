"""A mailbox moves from a Dovecot into us with every octet, flag and date equal."""

import imaplib
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from tests.e2e.appliance import PASSWORDS, Appliance, address
from tests.e2e.mail import TRICKY, imap
from tests.e2e.peers.dovecot import PASSWORD, Dovecot
from tests.e2e.peers.programs import need, need_root

COUNT = 64
FLAGS = (r"\Seen", r"\Answered", r"\Flagged", r"\Draft", "custom", "$Forwarded")


@pytest.fixture
def dovecot(tmp_path: Path) -> Iterator[Dovecot]:
    need_root()
    need("dovecot")
    peer = Dovecot(tmp_path / "dovecot")
    peer.start()
    yield peer
    peer.stop()


def _log_in(peer: Dovecot, name: str = "ann") -> imaplib.IMAP4:
    client = imaplib.IMAP4("127.0.0.1", peer.imap, timeout=30)
    client.login(name, PASSWORD)
    return client


def _append_all(client: imaplib.IMAP4, mailbox: str, numbers: Iterable[int]) -> None:
    """Messages with every mixture of flags and with dates in zones east and west."""
    for number in numbers:
        flags = " ".join(flag for bit, flag in enumerate(FLAGS) if number >> bit & 1)
        zone = ("+0530", "-0800", "+0000")[number % 3]
        date = f'"{1 + number % 28:02d}-Mar-20{number % 20:02d} 10:{number % 60:02d}:07 {zone}"'
        message = TRICKY.replace(b"tricky@", f"moved-{number}@".encode())
        assert client.append(mailbox, f"({flags})", date, message)[0] == "OK"


def _fill(peer: Dovecot, *mailboxes: str) -> None:
    client = _log_in(peer)
    for place, mailbox in enumerate(mailboxes):
        client.create(mailbox)
        _append_all(client, mailbox, range(place, COUNT, len(mailboxes)))
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
    _fill(dovecot, "INBOX", "Projects")
    settings = tmp_path / "mbsyncrc"
    settings.write_text(
        f"IMAPAccount old\nHost 127.0.0.1\nPort {dovecot.imap}\nUser ann\n"
        f"Pass {PASSWORD}\nSSLType None\nAuthMechs LOGIN\n\nIMAPStore old\nAccount old\n\n"
        f"IMAPAccount new\nHost localhost\nPort {appliance.ports['imaps']}\n"
        f'User {address("ann")}\nPass "{PASSWORDS["ann"]}"\nSSLType IMAPS\n'
        f"CertificateFile {appliance.authority}\nAuthMechs LOGIN\n\nIMAPStore new\nAccount new\n\n"
        f"Channel move\nFar :old:\nNear :new:\nPatterns INBOX Projects\nCreate Near\nSync Pull\n"
        f"CopyArrivalDate yes\nSyncState {tmp_path}/state/\n"
    )
    (tmp_path / "state").mkdir()
    done = subprocess.run([mbsync, "-c", str(settings), "move"], capture_output=True, timeout=120)
    assert done.returncode == 0, done.stderr.decode()
    for mailbox in ("INBOX", "Projects"):
        theirs = _contents(_log_in(dovecot), mailbox)
        assert len(theirs) == COUNT / 2
        # mbsync carries the flags that Maildir knows, and no other keywords.
        known = [(octets, flags - {b"custom"}, date) for octets, flags, date in theirs]
        ours = _contents(imap(appliance), mailbox)
        assert sorted((_without_tuid(octets), *rest) for octets, *rest in ours) == known


def _without_tuid(message: bytes) -> bytes:
    """The message without the field by which mbsync finds again what it stored."""
    lines = message.splitlines(keepends=True)
    return b"".join(line for line in lines if not line.startswith(b"X-TUID: "))


def _imapc(home: Path, appliance: Appliance, name: str) -> Dovecot:
    """A Dovecot whose doveadm reaches an account of ours as imapc:, over TLS."""
    authority = home / "ca.pem"
    peer = Dovecot(
        home,
        extra=(
            f"imapc_host = localhost\nimapc_port = {appliance.ports['imaps']}\n"
            f"imapc_ssl = imaps\nssl_client_ca_file = {authority}\n"
            f"imapc_user = {address(name)}\nimapc_password = {PASSWORDS[name]}\n"
            "imapc_features = rfc822.size fetch-headers\nmail_prefetch_count = 20\n"
        ),
    )
    # doveadm reads it as the user mail, whom the appliance's folder does not let in.
    authority.write_bytes(appliance.authority.read_bytes())
    authority.chmod(0o644)
    return peer


def _doveadm(peer: Dovecot, *arguments: str, stdin: bytes = b"") -> str:
    done = subprocess.run(
        [need("doveadm"), "-c", str(peer.configuration), *arguments],
        input=stdin,
        capture_output=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr.decode() + peer.log()
    return done.stdout.decode()


def test_doveadm_import_copies_a_dovecot_into_us(appliance: Appliance, tmp_path: Path) -> None:
    need_root()
    need("doveadm")
    peer = _imapc(tmp_path / "dovecot", appliance, "ann")
    peer.start()
    try:
        _fill(peer, "Moved")
        _doveadm(
            peer, "-o", "mail_location=imapc:", "import", "-u", "ann", "mdbox:~/mdbox", "",
            "mailbox", "Moved",
        )  # fmt: skip
        theirs = _contents(_log_in(peer), "Moved")
        assert len(theirs) == COUNT
        assert _contents(imap(appliance), "Moved") == theirs
    finally:
        peer.stop()


def test_doveadm_backup_reads_everything_of_ours(appliance: Appliance, tmp_path: Path) -> None:
    need_root()
    need("doveadm")
    client = imap(appliance, "bob")
    _append_all(client, "Archive", range(COUNT))
    client.logout()
    peer = _imapc(tmp_path / "dovecot", appliance, "bob")
    peer.start()
    try:
        _doveadm(peer, "backup", "-R", "-u", "bob", "imapc:")
        ours = _contents(imap(appliance, "bob"), "Archive")
        assert len(ours) == COUNT
        assert _contents(_log_in(peer, "bob"), "Archive") == ours
    finally:
        peer.stop()


def test_doveadm_works_on_a_mailbox_of_ours(appliance: Appliance, tmp_path: Path) -> None:
    """Dovecot's imapc: is a client that does what a mail program does."""
    need_root()
    need("doveadm")
    peer = _imapc(tmp_path / "dovecot", appliance, "bob")
    peer.start()

    def adm(verb: str, *arguments: str, stdin: bytes = b"") -> list[str]:
        words = verb.split()
        options = ("-o", "mail_location=imapc:")
        said = _doveadm(peer, *options, *words, "-u", "bob", *arguments, stdin=stdin)
        return said.splitlines()

    try:
        adm("mailbox create", "Worked-on", "Filed")
        assert "Worked-on" in adm("mailbox list")
        for number in range(4):
            message = TRICKY.replace(b"tricky@", b"doveadm-%d@" % number)
            adm("save", "-m", "Worked-on", stdin=message)
        assert adm("mailbox status", "messages uidnext", "Worked-on") == [
            "Worked-on messages=4 uidnext=5"
        ]
        adm("flags add", r"\Flagged custom", "mailbox", "Worked-on", "uid", "2:3")
        told = adm("-f tab fetch", "uid flags", "mailbox", "Worked-on", "flagged")[1:]
        kept = {"\\Flagged", "custom"}
        assert [line.split("\t")[0] for line in told] == ["2", "3"]
        assert all(set(line.split("\t")[1].split()) - {"\\Recent"} == kept for line in told)
        found = adm("search", "mailbox", "Worked-on", "header", "message-id", "doveadm-1@")
        assert len(found) == 1
        assert len(adm("search", "mailbox", "Worked-on", "body", "leading dot")) == 4
        adm("move", "Filed", "mailbox", "Worked-on", "uid", "2")
        adm("copy", "Filed", "mailbox", "Worked-on", "uid", "4")
        adm("expunge", "mailbox", "Worked-on", "uid", "3")
        ours = _contents(imap(appliance, "bob"), "Worked-on")
        assert [b"doveadm-0@" in ours[0][0], b"doveadm-3@" in ours[1][0]] == [True, True]
        filed = _contents(imap(appliance, "bob"), "Filed")
        assert [flags for _, flags, _ in filed] == [{rb"\Flagged", b"custom"}, frozenset()]
        adm("mailbox rename", "Filed", "Put away")
        adm("mailbox delete", "Worked-on", "Put away")
        assert not {"Worked-on", "Filed", "Put away"} & set(adm("mailbox list"))
    finally:
        peer.stop()
