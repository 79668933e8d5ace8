"""Programs that keep two copies of a mailbox the same, when both sides have changed."""

import imaplib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.e2e.appliance import PASSWORDS, Appliance, address
from tests.e2e.mail import TRICKY, imap
from tests.e2e.peers.programs import need, run

COUNT: Final = 6

Far = dict[bytes, frozenset[bytes]]


def _message(number: int) -> bytes:
    return TRICKY.replace(b"tricky@", b"sync-%d@" % number)


def _id(octets: bytes) -> bytes:
    return octets.split(b"Message-ID: <", 1)[1].split(b"@", 1)[0]


@pytest.fixture
def far(appliance: Appliance, request: pytest.FixtureRequest) -> Iterator[imaplib.IMAP4_SSL]:
    """A client in a mailbox of ann's, named as the test, with COUNT messages."""
    client = imap(appliance)
    name = request.node.name
    client.create(name)
    for number in range(COUNT):
        client.append(name, "", None, _message(number))
    client.select(name)
    yield client
    client.logout()


def _there(client: imaplib.IMAP4, name: str) -> Far:
    """Message ids and flags of a mailbox."""
    assert client.select(name)[0] == "OK"
    _, data = client.uid("FETCH", "1:*", "(FLAGS BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])")
    found = {}
    for part in data:
        if isinstance(part, tuple):
            flags = part[0].split(b"FLAGS (", 1)[1].split(b")", 1)[0].split()
            found[_id(part[1])] = frozenset(flags) - {rb"\Recent"}
    return found


def _near(maildir: Path) -> dict[bytes, str]:
    """Message ids and Maildir flags."""
    files = [path for name in ("cur", "new") for path in (maildir / name).iterdir()]
    return {_id(path.read_bytes()): path.name.partition(":2,")[2] for path in files}


def _mark(maildir: Path, number: int, flags: str) -> None:
    """Give a local message these flags and no others."""
    for place in ("cur", "new"):
        for path in (maildir / place).iterdir():
            if _id(path.read_bytes()) == b"sync-%d" % number:
                path.rename(maildir / "cur" / f"{path.name.partition(':')[0]}:2,{flags}")
                return
    raise AssertionError(f"no message {number} in {maildir}")


def _remove(maildir: Path, number: int) -> None:
    for path in (*(maildir / "cur").iterdir(), *(maildir / "new").iterdir()):
        if _id(path.read_bytes()) == b"sync-%d" % number:
            path.unlink()


def _put(maildir: Path, number: int) -> None:
    path = maildir / "new" / f"{number}.here.host"
    path.write_bytes(_message(number).replace(b"\r\n", b"\n"))


def _change_there(client: imaplib.IMAP4, name: str) -> None:
    """1 is flagged, 2 is answered, 3 and 5 go, 20 is new."""
    client.store("2", "+FLAGS.SILENT", r"(\Flagged)")
    client.store("3", "+FLAGS.SILENT", r"(\Answered)")
    client.store("4,6", "+FLAGS.SILENT", r"(\Deleted)")
    client.expunge()
    client.append(name, r"(\Seen)", None, _message(20))


def _change_here(maildir: Path) -> None:
    """1 is seen, 4 goes, 5 is flagged, 21 is new."""
    _mark(maildir, 1, "S")
    _mark(maildir, 5, "F")
    _remove(maildir, 4)
    _put(maildir, 21)


SEEN, FLAGGED, ANSWERED = rb"\Seen", rb"\Flagged", rb"\Answered"
MERGED: Final = {
    b"sync-0": frozenset[bytes](),
    b"sync-1": frozenset({SEEN, FLAGGED}),
    b"sync-2": frozenset({ANSWERED}),
    b"sync-20": frozenset({SEEN}),
    b"sync-21": frozenset[bytes](),
}
LETTERS: Final = {SEEN: "S", FLAGGED: "F", ANSWERED: "R"}


def _same(near: dict[bytes, str], far: Far) -> None:
    letters = {k: "".join(sorted(LETTERS[flag] for flag in flags)) for k, flags in far.items()}
    assert near == letters


def test_mbsync(
    appliance: Appliance,
    far: imaplib.IMAP4_SSL,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    """Where one side deleted and the other flagged, the message goes."""
    mbsync, name = need("mbsync"), request.node.name
    settings, local = tmp_path / "mbsyncrc", tmp_path / "mail"
    local.mkdir()
    settings.write_text(
        f"IMAPAccount a\nHost localhost\nPort {appliance.ports['imaps']}\n"
        f'User {address("ann")}\nPass "{PASSWORDS["ann"]}"\nSSLType IMAPS\n'
        f"CertificateFile {appliance.authority}\nAuthMechs LOGIN\n\n"
        f"IMAPStore far\nAccount a\n\nMaildirStore near\nPath {local}/\n"
        f"Inbox {local}/INBOX\nSubFolders Verbatim\n\n"
        f"Channel c\nFar :far:\nNear :near:\nPatterns {name}\nCreate Both\nExpunge Both\n"
        f"SyncState *\n"
    )
    run(mbsync, "-c", str(settings), "c")
    maildir = local / name
    assert len(_near(maildir)) == COUNT
    _change_there(far, name)
    _change_here(maildir)
    for _ in range(2):
        run(mbsync, "-c", str(settings), "c")
        assert _there(far, name) == MERGED
        _same(_near(maildir), MERGED)


def test_offlineimap(
    appliance: Appliance,
    far: imaplib.IMAP4_SSL,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    """Where one side deleted and the other flagged, the message goes."""
    offlineimap, name = need("offlineimap"), request.node.name
    settings, local = tmp_path / "offlineimaprc", tmp_path / "mail"
    settings.write_text(
        f"[general]\naccounts = a\nmetadata = {tmp_path}/state\nui = basic\n"
        f"[Account a]\nlocalrepository = near\nremoterepository = far\n"
        f"[Repository near]\ntype = Maildir\nlocalfolders = {local}\n"
        f"[Repository far]\ntype = IMAP\nremotehost = localhost\n"
        f"remoteport = {appliance.ports['imaps']}\nremoteuser = {address('ann')}\n"
        f"remotepass = {PASSWORDS['ann']}\nssl = yes\nsslcacertfile = {appliance.authority}\n"
        f"folderfilter = lambda name: name == '{name}'\n"
    )

    def synchronize() -> None:
        run(offlineimap, "-c", str(settings), "-o", environment={"HOME": str(tmp_path)})

    synchronize()
    maildir = local / name
    assert len(_near(maildir)) == COUNT
    _change_there(far, name)
    _change_here(maildir)
    for _ in range(2):
        synchronize()
        assert _there(far, name) == MERGED
        _same(_near(maildir), MERGED)


def test_interimap(
    appliance: Appliance,
    far: imaplib.IMAP4_SSL,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    """Two accounts of ours, by QRESYNC; flags that both sides changed are united."""
    interimap, name = need("interimap"), request.node.name
    settings = tmp_path / "interimaprc"

    def side(name: str) -> str:
        return (
            f"type = imaps\nhost = localhost\nport = {appliance.ports['imaps']}\n"
            f"username = {address(name)}\npassword = {PASSWORDS[name]}\n"
            f"SSL_CAfile = {appliance.authority}\ncompress = YES\n"
        )

    settings.write_text(
        f"database = {tmp_path}/state.db\nlist-mailbox = {name}\n"
        f"[local]\n{side('bob')}\n[remote]\n{side('ann')}\n"
    )
    surroundings = {"HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path)}

    def synchronize() -> None:
        run(interimap, "--config", str(settings), environment=surroundings)

    near = imap(appliance, "bob")
    near.create(name)
    synchronize()
    assert len(_there(near, name)) == COUNT
    _change_there(far, name)
    near.store("2,6", "+FLAGS.SILENT", r"(\Seen)")
    near.store("5", "+FLAGS.SILENT", r"(\Deleted)")
    near.expunge()
    near.append(name, "", None, _message(21))
    for _ in range(2):
        synchronize()
        assert _there(far, name) == MERGED
        assert _there(near, name) == MERGED
    near.logout()
