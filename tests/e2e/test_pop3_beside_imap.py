"""What IMAP does between and during POP3 sessions: unique ids, sizes and numbers stay true."""

import hashlib
import imaplib
import poplib
import random
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.e2e.appliance import Appliance, address
from tests.e2e.mail import imap, pop3

SHOWN = f'shown = ["account {address("bob")}: newest 7 days of mailbox Lists"]'
FETCHED = re.compile(rb"UID (\d+) RFC822\.SIZE (\d+)")


@dataclass(frozen=True, slots=True)
class Letter:
    """One message as a maildrop had it."""

    unique_id: str
    octets: int
    digest: str


@pytest.fixture(scope="module")
def appliance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Appliance]:
    running = Appliance(tmp_path_factory.mktemp("beside"), f"[pop3]\n{SHOWN}\n")
    running.open_accounts()
    running.start()
    yield running
    assert running.stop() == 0


def maildrop(client: poplib.POP3) -> list[Letter]:
    """All there is, each message retrieved; its size is what LIST said of it."""
    sizes = [int(line.split()[1]) for line in client.list()[1]]
    names = [line.split()[1].decode() for line in client.uidl()[1]]
    letters = []
    for number, (name, size) in enumerate(zip(names, sizes, strict=True), 1):
        octets = b"".join(line + b"\r\n" for line in client.retr(number)[1])
        assert len(octets) == size
        letters.append(Letter(name, size, hashlib.sha256(octets).hexdigest()))
    assert client.stat() == (len(letters), sum(sizes))
    return letters


def session(appliance: Appliance, name: str = "ann") -> list[Letter]:
    client = pop3(appliance, name)
    try:
        return maildrop(client)
    finally:
        client.quit()


def by_imap(client: imaplib.IMAP4, mailbox: str = "INBOX") -> list[Letter]:
    """The same of IMAP: a message without CRLF at its end gets one where POP3 sends it."""
    assert client.select(mailbox)[0] == "OK"
    _, validity = client.response("UIDVALIDITY")
    _, data = client.fetch("1:*", "(UID RFC822.SIZE BODY.PEEK[])")
    letters = []
    for row in data:
        if not isinstance(row, tuple):
            continue
        found = FETCHED.search(row[0])
        assert found is not None
        content = row[1]
        assert len(content) == int(found[2])
        content += b"" if content.endswith(b"\r\n") else b"\r\n"
        assert validity[0] is not None
        name = f"{validity[0].decode()}-{found[1].decode()}"
        letters.append(Letter(name, len(content), hashlib.sha256(content).hexdigest()))
    return letters


def content(chance: random.Random) -> bytes:
    body = b"".join(chance.choice((b".\r\n", b"..x\r\n", b"word\r\n")) for _ in range(5))
    ending = chance.choice((b"", b"end", b"end\r\n", b"\r\n"))
    return b"Subject: %d\r\n\r\n" % chance.randrange(1 << 60) + body + ending


class Changes:
    """Somebody at the same mailbox with IMAP."""

    def __init__(self, client: imaplib.IMAP4, chance: random.Random) -> None:
        self._client = client
        self._chance = chance

    def do(self, what: str) -> None:
        client, chance = self._client, self._chance
        total = int(client.select("Archive" if what == "move back" else "INBOX")[1][0] or b"0")
        if not total and what != "rename":
            what = "append"
        number = str(chance.randint(1, max(total, 1)))
        match what:
            case "append":
                done = client.append("INBOX", "", None, content(chance))
            case "flag":
                done = client.store(number, "+FLAGS", "(\\Seen \\Flagged word)")
            case "copy":
                done = client.copy(number, "Archive")
            case "copy here":
                done = client.copy(number, "INBOX")
            case "move":
                done = self._say("MOVE", number, "Archive")
            case "move back":
                done = self._say("MOVE", "1:*", "INBOX")
            case "replace":
                client.literal = content(chance)
                done = self._say("REPLACE", number, "INBOX")
            case "expunge":
                client.store(number, "+FLAGS.SILENT", "(\\Deleted)")
                done = client.expunge()
            case _:
                done = client.rename("INBOX", f"Old-{chance.randrange(1 << 60)}")
        assert done[0] == "OK", (what, done)

    def _say(self, *words: str) -> tuple[str, list[bytes]]:
        kind, data = self._client._simple_command(*words)
        return str(kind), data


KINDS = (
    *("append", "flag", "copy", "copy here", "move", "move back", "replace", "expunge"),
    *("append", "append", "rename"),
)


@pytest.mark.parametrize("seed", range(2))
def test_sessions_agree_whatever_imap_does_in_between(
    appliance: Appliance, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    for verb in ("MOVE", "REPLACE"):
        monkeypatch.setitem(imaplib.Commands, verb, ("SELECTED",))
    chance = random.Random(seed)
    client = imap(appliance)
    changes = Changes(client, chance)
    for _ in range(4):
        changes.do("append")
    ever: dict[str, str] = {}
    for _ in range(10):
        standing = pop3(appliance)
        before = maildrop(standing)
        assert before == by_imap(client)
        for letter in before:
            # The same unique id is the same octets, for good; what is gone never comes back.
            assert ever.setdefault(letter.unique_id, letter.digest) == letter.digest
        changes.do(chance.choice(KINDS))
        still = {letter.unique_id for letter in by_imap(client)}
        # Nothing moves under a session that stands.
        assert [line.split()[1] for line in standing.uidl()[1]] == [
            letter.unique_id.encode() for letter in before
        ]
        assert [int(line.split()[1]) for line in standing.list()[1]] == [
            letter.octets for letter in before
        ]
        for number, letter in enumerate(before, 1):
            try:
                lines = standing.retr(number)[1]
            except poplib.error_proto as gone:
                assert letter.unique_id not in still
                assert "removed by another session" in str(gone)
            else:
                # What was expunged may still be there for who saw it before.
                octets = b"".join(line + b"\r\n" for line in lines)
                assert hashlib.sha256(octets).hexdigest() == letter.digest
        standing.quit()
        assert {letter.unique_id for letter in session(appliance)} == still
    client.logout()


def test_what_pop3_deletes_is_what_it_numbered(appliance: Appliance) -> None:
    client = imap(appliance)
    changes = Changes(client, random.Random(7))
    for _ in range(4):
        changes.do("append")
    drop = pop3(appliance)
    letters = maildrop(drop)
    last = len(letters)
    drop.dele(last)
    # Another message takes the last number in IMAP meanwhile, and a lower one goes.
    client.select("INBOX")
    client.store("1", "+FLAGS.SILENT", "(\\Deleted)")
    client.expunge()
    changes.do("append")
    drop.quit()
    left = [letter.unique_id for letter in by_imap(client)]
    assert left[:-1] == [letter.unique_id for letter in letters[1:-1]]
    assert left[-1] not in {letter.unique_id for letter in letters}
    client.logout()


def test_an_account_that_sees_another_mailbox_and_not_all_of_it(appliance: Appliance) -> None:
    with pytest.raises(poplib.error_proto, match="SYS/PERM"):
        pop3(appliance, "bob")
    client = imap(appliance, "bob")
    client.create("Lists")
    chance, day = random.Random(1), 86_400
    ages = (0, 8, 1, 30, 6)
    for age in ages:
        when = imaplib.Time2Internaldate(time.time() - age * day)
        client.append("Lists", "", when, content(chance))
        client.append("INBOX", "", when, content(chance))
    recent = [letter for letter, age in zip(by_imap(client, "Lists"), ages, strict=True) if age < 7]
    assert session(appliance, "bob") == recent
    # The same name is another mailbox now: no unique id is the one of an older message.
    client.close()
    client.delete("Lists")
    client.create("Lists")
    client.append("Lists", "", None, content(chance))
    (fresh,) = session(appliance, "bob")
    assert fresh.unique_id not in {letter.unique_id for letter in recent}
    # And a name that changes changes nothing else.
    client.rename("Lists", "Elsewhere")
    client.rename("Elsewhere", "Lists")
    assert session(appliance, "bob") == [fresh]
    drop = pop3(appliance, "bob")
    drop.dele(1)
    drop.quit()
    assert by_imap(client, "Lists") == []
    assert len(by_imap(client)) == len(ages)
    client.logout()
