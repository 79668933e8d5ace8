"""The kinds of transaction that are swept: what a client does, and what must be when it is done."""

import base64
import enum
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from tests.bench.smtp_generator import message
from tests.e2e.appliance import DOMAIN
from tests.faults.lives import Talk
from tests.faults.template import LARGE_OCTETS, PASSWORD, PEOPLE, attached
from tests.faults.world import Box, World, letter

SMALL: Final = message("small", 4_000, random.Random(2))
SMALL_TOO: Final = attached("small-too", 2_000, random.Random(3))
MEDIUM: Final = attached("medium", 100_000, random.Random(4))
LARGE: Final = attached("large", LARGE_OCTETS, random.Random(5))
MANY: Final = tuple(f"{name}+{tag}" for tag in "abcdefghij" for name in PEOPLE)
"""Fifty recipients in five accounts."""


class Armed(enum.Enum):
    """While which part of a server's life the calls count."""

    STARTING = "from its birth until it is ready"
    SERVING = "from when it is ready until it is told to stop"
    STOPPING = "from when it is told to stop"


@dataclass(frozen=True, slots=True)
class Transaction:
    """One kind.

    play: the client's part, from the greeting on; it counts what is acknowledged.
    states: from the world before, every world that there may be, one more for each step
        that is acknowledged.
    repeats: whether a client that got no answer does it again, and must be known by it.
    begins_empty: with no store at all, instead of the template.
    """

    name: str
    service: str
    play: Callable[[Talk], None]
    states: Callable[[World], tuple[World, ...]]
    repeats: bool = False
    armed: Armed = Armed.SERVING
    begins_empty: bool = False


# ------------------------------------------------------------------ arriving


def _arrive(talk: Talk, recipients: tuple[str, ...], content: bytes, *, lmtp: bool = False) -> None:
    _envelope(talk, recipients, b"DATA\r\n", lmtp=lmtp)
    talk.reply(b"354")
    talk.say(content.replace(b"\r\n.", b"\r\n..") + b".\r\n")
    talk.reply(b"250", len(recipients) if lmtp else 1)
    talk.acknowledge()
    _quit(talk)


def _envelope(talk: Talk, recipients: tuple[str, ...], then: bytes, *, lmtp: bool = False) -> None:
    talk.reply(b"220")
    talk.say(b"LHLO sweep\r\n" if lmtp else b"EHLO sweep\r\n")
    talk.reply(b"250")
    named = b"".join(b"RCPT TO:<%s@%s>\r\n" % (to.encode(), DOMAIN.encode()) for to in recipients)
    talk.say(b"MAIL FROM:<sender@example.net>\r\n" + named + then)
    talk.reply(b"250", 1 + len(recipients))


def _chunks(talk: Talk) -> None:
    half = len(MEDIUM) // 2
    _envelope(talk, ("ann",), b"BDAT %d\r\n" % half + MEDIUM[:half])
    talk.reply(b"250")
    talk.say(b"BDAT %d LAST\r\n" % (len(MEDIUM) - half) + MEDIUM[half:])
    talk.reply(b"250")
    talk.acknowledge()
    _quit(talk)


def _greet(talk: Talk) -> None:
    talk.reply(b"220")
    _quit(talk)


def _quit(talk: Talk) -> None:
    talk.say(b"QUIT\r\n")
    talk.reply(b"221")


def _arrived(content: bytes, *names: str) -> Callable[[World], tuple[World, ...]]:
    def states(world: World) -> tuple[World, ...]:
        inboxes = {(name, "INBOX"): world[name, "INBOX"] for name in names}
        after = {place: box.with_added(letter(content)) for place, box in inboxes.items()}
        return world, world.having(after)

    return states


# ------------------------------------------------------------------ submitting

SENT: Final = (
    f"From: ann@{DOMAIN}\r\nDate: Tue, 24 Nov 2026 10:00:00 +0000\r\n"
    "Message-ID: <sent@laptop.example>\r\n\r\n".encode()
    + b"words and more words\r\n" * 6_000
)


def _submit(talk: Talk) -> None:
    """To two people here: what leaves depends on name servers, and comes back as reports."""
    login = base64.b64encode(f"\0ann@{DOMAIN}\0{PASSWORD}".encode())
    talk.reply(b"220")
    talk.say(b"EHLO sweep\r\n")
    talk.reply(b"250")
    talk.say(b"AUTH PLAIN " + login + b"\r\n")
    talk.reply(b"235")
    named = b"".join(b"RCPT TO:<%s@%s>\r\n" % (to, DOMAIN.encode()) for to in (b"ben", b"cat"))
    talk.say(b"MAIL FROM:<ann@%s>\r\n" % DOMAIN.encode() + named + b"DATA\r\n")
    talk.reply(b"250", 3)
    talk.reply(b"354")
    talk.say(SENT + b".\r\n")
    talk.reply(b"250")
    talk.acknowledge()
    _quit(talk)


# ------------------------------------------------------------------ IMAP


def _log_in(talk: Talk) -> None:
    talk.line()
    talk.tagged(f"LOGIN ann@{DOMAIN} {PASSWORD}".encode())


def _imap(*commands: bytes, before: bytes = b"NOOP") -> Callable[[Talk], None]:
    """Log in, do what comes before, then the commands, each of them a step."""

    def play(talk: Talk) -> None:
        _log_in(talk)
        talk.tagged(before)
        for command in commands:
            talk.tagged(command)
            talk.acknowledge()

    return play


def _append_large(talk: Talk) -> None:
    _log_in(talk)
    talk.say(b"t APPEND Work (\\Flagged) {%d}\r\n" % len(LARGE))
    while not (line := talk.line()).startswith(b"+"):
        assert line.startswith(b"* "), line
    talk.say(LARGE + b"\r\n")
    talk.until_tagged()
    talk.acknowledge()


def _literal(content: bytes) -> bytes:
    return b"{%d+}\r\n" % len(content) + content


def _ann(change: Callable[[World], dict[str, Box]]) -> Callable[[World], tuple[World, ...]]:
    """The change of some of ann's mailboxes."""

    def states(world: World) -> tuple[World, ...]:
        return world, world.having({("ann", name): box for name, box in change(world).items()})

    return states


def _multiappended(world: World) -> dict[str, Box]:
    new = (letter(SMALL, "\\Seen"), letter(LARGE), letter(SMALL_TOO, "\\Draft", "work"))
    return {"Work": world["ann", "Work"].with_added(*new)}


def _copied(world: World) -> dict[str, Box]:
    letters = world["ann", "INBOX"].letters.values()
    return {"Work": world["ann", "Work"].with_added(*letters)}


def _moved(world: World) -> dict[str, Box]:
    inbox = world["ann", "INBOX"]
    moved = (2, 3, 4)
    letters = (inbox.letters[uid] for uid in moved)
    return {
        "INBOX": inbox.without(*moved),
        "Work": world["ann", "Work"].with_added(*letters),
    }


def _expunged(world: World) -> tuple[World, ...]:
    inbox, gone = world["ann", "INBOX"], (1, 3, 5)
    marked = world.having({("ann", "INBOX"): inbox.with_flags(gone, "\\Deleted")})
    return world, marked, world.having({("ann", "INBOX"): inbox.without(*gone)})


def _emptied(world: World) -> tuple[World, ...]:
    """RENAME INBOX moves its messages and leaves it (RFC 9051 §6.3.6)."""
    inbox = world["ann", "INBOX"]
    kept = Box(world.next_validity("ann")).with_added(*inbox.letters.values())
    empty = inbox.without(*inbox.letters)
    return world, world.having({("ann", "INBOX"): empty, ("ann", "Kept"): kept})


# ------------------------------------------------------------------ POP3


def _pop(talk: Talk) -> None:
    talk.line()
    talk.pop(f"USER ann@{DOMAIN}".encode())
    talk.pop(f"PASS {PASSWORD}".encode())
    talk.pop(b"RETR 1", long=True)
    talk.pop(b"DELE 2")
    talk.pop(b"DELE 3")
    talk.pop(b"QUIT")
    talk.acknowledge()


# ------------------------------------------------------------------ all of them

TRANSACTIONS: Final = (
    Transaction(
        "smtp-one",
        "smtp",
        lambda talk: _arrive(talk, ("ann",), SMALL),
        _arrived(SMALL, "ann"),
        repeats=True,
    ),
    Transaction(
        "smtp-many",
        "smtp",
        lambda talk: _arrive(talk, MANY, SMALL),
        _arrived(SMALL, *PEOPLE),
        repeats=True,
    ),
    Transaction("smtp-bdat", "smtp", _chunks, _arrived(MEDIUM, "ann"), repeats=True),
    Transaction(
        "smtp-large",
        "smtp",
        lambda talk: _arrive(talk, ("ann", "ben"), LARGE),
        _arrived(LARGE, "ann", "ben"),
        repeats=True,
    ),
    Transaction(
        "lmtp",
        "lmtp",
        lambda talk: _arrive(talk, ("ben", "cat", "dan"), SMALL, lmtp=True),
        _arrived(SMALL, "ben", "cat", "dan"),
        repeats=True,
    ),
    Transaction("submission", "submission", _submit, _arrived(SENT, "ben", "cat")),
    Transaction(
        "append",
        "imap",
        _imap(b"APPEND Work (\\Seen work) " + _literal(SMALL)),
        _ann(lambda w: {"Work": w["ann", "Work"].with_added(letter(SMALL, "\\Seen", "work"))}),
    ),
    Transaction(
        "append-large",
        "imap",
        _append_large,
        _ann(lambda w: {"Work": w["ann", "Work"].with_added(letter(LARGE, "\\Flagged"))}),
    ),
    Transaction(
        "multiappend",
        "imap",
        _imap(
            b"APPEND Work (\\Seen) %s %s (\\Draft work) %s"
            % (_literal(SMALL), _literal(LARGE), _literal(SMALL_TOO))
        ),
        _ann(_multiappended),
    ),
    Transaction(
        "store",
        "imap",
        _imap(b"STORE 1:4 +FLAGS (\\Answered urgent)", before=b"SELECT INBOX"),
        _ann(
            lambda w: {"INBOX": w["ann", "INBOX"].with_flags((1, 2, 3, 4), "\\Answered", "urgent")}
        ),
    ),
    Transaction("copy", "imap", _imap(b"UID COPY 1:5 Work", before=b"SELECT INBOX"), _ann(_copied)),
    Transaction("move", "imap", _imap(b"UID MOVE 2:4 Work", before=b"SELECT INBOX"), _ann(_moved)),
    Transaction(
        "expunge",
        "imap",
        _imap(b"UID STORE 1,3,5 +FLAGS.SILENT (\\Deleted)", b"EXPUNGE", before=b"SELECT INBOX"),
        _expunged,
    ),
    Transaction(
        "rename",
        "imap",
        _imap(b"RENAME Work Projects"),
        lambda world: (world, world.renamed("ann", "Work", "Projects")),
    ),
    Transaction("rename-inbox", "imap", _imap(b"RENAME INBOX Kept"), _emptied),
    Transaction(
        "pop3-quit",
        "pop3",
        _pop,
        _ann(lambda w: {"INBOX": w["ann", "INBOX"].without(2, 3)}),
    ),
    Transaction(
        "start",
        "smtp",
        lambda talk: _arrive(talk, ("ann",), SMALL),
        _arrived(SMALL, "ann"),
        repeats=True,
        armed=Armed.STARTING,
    ),
    Transaction(
        "first-start",
        "smtp",
        _greet,
        lambda _: (World({}),),
        armed=Armed.STARTING,
        begins_empty=True,
    ),
    Transaction(
        "stop",
        "smtp",
        lambda talk: _arrive(talk, ("ann", "ben"), LARGE),
        _arrived(LARGE, "ann", "ben"),
        armed=Armed.STOPPING,
    ),
)
