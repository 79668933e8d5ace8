"""A line that was read is not read again; whoever gives it is told apart."""

import tracemalloc

import pytest

from mailbox_server.imap import repeated_commands
from mailbox_server.imap.commands import COMMAND_TABLE, COMMANDS
from mailbox_server.imap.engine import Engine
from mailbox_server.imap.engine_events import Command, Event, Malformed
from mailbox_server.imap.grammar.lexer import Lexer, TextForm
from mailbox_server.imap.grammar.mailbox_arguments import SelectArguments
from mailbox_server.imap.limits import ImapLimits
from mailbox_server.imap.named_grammar import NamedGrammar
from mailbox_server.imap.repeated_commands import RepeatedCommands
from mailbox_server.model.ids import AccountId

ANN, BEN = AccountId(1), AccountId(2)
LINES = {
    "NOOP": "",
    "IDLE": "",
    "SELECT": " Work (CONDSTORE QRESYNC (1 2 1:9 (1 2)))",
    "LIST": ' (SUBSCRIBED) "" ("%" "Work/*") RETURN (CHILDREN STATUS (MESSAGES UNSEEN))',
    "STATUS": " INBOX (MESSAGES UIDNEXT UNSEEN HIGHESTMODSEQ)",
    "SEARCH": ' RETURN (MIN COUNT PARTIAL 1:5) OR FROM "a b" NOT (SINCE 1-Jan-2026 UID 1,3:9 $)',
    "SORT": " RETURN (ALL) (REVERSE DATE SUBJECT) UTF-8 KEYWORD x MODSEQ 7 FUZZY BODY y",
    "THREAD": " REFERENCES UTF-8 HEADER X-Y z LARGER 5 OLDER 60",
}


class Counted:
    """An engine whose commands are read by grammars that count."""

    def __init__(self) -> None:
        self.repeated = RepeatedCommands()
        self.read: list[bytes] = []
        self.grammars = {
            row.name: NamedGrammar(self._counting(row.name), repeats=row.repeats)
            for row in COMMANDS
            if not row.streams
        }

    def _counting(self, name: str) -> "Reading":
        return Reading(name, self.read)

    def connect(self, account: AccountId | None = ANN) -> Engine:
        engine = Engine(self.grammars, ImapLimits(), self.repeated)
        if account is not None:
            engine.logged_in(account)
        return engine


class Reading:
    """Reads a command's arguments as the table does, and notes that it did."""

    def __init__(self, name: str, read: list[bytes]) -> None:
        self._name = name
        self._read = read

    def __call__(self, lexer: Lexer) -> object:
        self._read.append(self._name.encode())
        return COMMAND_TABLE.grammars[self._name].parse(lexer)


def given(engine: Engine, octets: bytes) -> list[Event]:
    engine.receive(octets)
    return [*iter(engine.next_event, None)]


@pytest.mark.parametrize("name", [row.name for row in COMMANDS if row.repeats])
def test_a_repeated_line_is_read_once_and_means_the_same(name: str) -> None:
    """Its arguments cannot be changed by who carries it out: all of them can be hashed."""
    counted = Counted()
    line = f"{name}{LINES[name.removeprefix('UID ')]}\r\n".encode()
    (first,) = given(counted.connect(), b"a " + line)
    assert isinstance(first, Command)
    hash(first.arguments)
    engine = counted.connect()
    found = given(engine, b"b " + line + b"c " + line + b"d x\r\n")
    assert found[:2] == [Command(tag, name, first.arguments) for tag in (b"b", b"c")]
    assert isinstance(found[2], Malformed)
    assert not engine.is_inside
    assert counted.read == [name.encode()]


def test_secrets_and_what_changes_something_are_read_each_time() -> None:
    assert not {row.name for row in COMMANDS if row.repeats} & {
        *("LOGIN", "AUTHENTICATE", "URLFETCH", "GENURLAUTH", "SETMETADATA", "APPEND", "STORE")
    }
    counted = Counted()
    for account in (None, ANN):
        given(counted.connect(account), b"a LOGIN ann secret\r\nb LOGIN ann secret\r\n")
    assert counted.read == [b"LOGIN"] * 4


def test_each_account_is_read_for_itself() -> None:
    counted = Counted()
    for account in (ANN, BEN, ANN, BEN, None, None):
        given(counted.connect(account), b"a STATUS INBOX (UIDNEXT)\r\n")
    assert counted.read == [b"STATUS"] * 4


def test_who_logged_off_is_nobody() -> None:
    counted = Counted()
    engine = counted.connect()
    given(engine, b"a NOOP\r\n")
    engine.logged_off()
    given(engine, b"a NOOP\r\n")
    assert len(counted.read) == 2


def test_what_a_name_means_depends_on_how_names_are_written() -> None:
    counted, found = Counted(), list[Event]()
    for form in (TextForm.SEVEN_BIT, TextForm.UTF8, TextForm.SEVEN_BIT):
        engine = counted.connect()
        engine.text_form = form
        found += given(engine, b"a SELECT &ZeVnLIqe-\r\n")
    names = [
        event.arguments.mailbox
        for event in found
        if isinstance(event, Command) and isinstance(event.arguments, SelectArguments)
    ]
    assert names == ["日本語", "&ZeVnLIqe-", "日本語"]


def test_literals_are_read_each_time() -> None:
    """The line that announces one says nothing of what it holds."""
    counted = Counted()
    for needle in (b"abc", b"xyz"):
        (event,) = given(counted.connect(), b"a SEARCH SUBJECT {3+}\r\n" + needle + b"\r\n")
        assert isinstance(event, Command)
        assert needle.decode() in repr(event.arguments)
    assert len(counted.read) == 2


def test_what_cannot_be_read_is_refused_each_time() -> None:
    counted = Counted()
    for _ in range(3):
        (event,) = given(counted.connect(), b"a SEARCH NOWHERE x\r\n")
        assert isinstance(event, Malformed)


def test_while_a_literal_is_awaited_the_line_before_it_is_held_once() -> None:
    """What a client makes the engine hold is what the limits say."""
    line = b"a SEARCH SUBJECT " + b"x" * 60_000 + b" {5}\r\n"
    engine = Counted().connect()
    tracemalloc.start()
    try:
        given(engine, line)
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 1.5 * len(line)


def test_long_lines_are_not_kept_and_the_oldest_goes_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(repeated_commands, "LINES_MOST", 3)
    counted = Counted()
    engine = counted.connect()
    long = b"STATUS " + b"x" * repeated_commands.OCTETS_MOST + b" (UIDNEXT)"
    for line in (long, long, b"NOOP", b"IDLE", b"SELECT a", b"NOOP", b"SELECT b", b"IDLE", b"NOOP"):
        given(engine, b"a " + line + b"\r\n")
        engine.expect_line()
        engine.abandon()
    assert counted.read == [b"STATUS", b"STATUS", b"NOOP", b"IDLE", b"SELECT", b"SELECT", b"NOOP"]
