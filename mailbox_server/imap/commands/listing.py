"""LIST and LSUB: which mailboxes there are (RFC 3501 §6.3.8, RFC 5258, RFC 6154, RFC 3348)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from mailbox_server.imap.grammar.faults import ArgumentsTooMany
from mailbox_server.imap.grammar.mailbox_arguments import (
    ListArguments,
    ListReturn,
    ListSelection,
)
from mailbox_server.imap.list_patterns import PATTERN_CHARACTERS, ListPattern
from mailbox_server.imap.responses import Outcome, mailbox, ok, string, untagged
from mailbox_server.imap.session import Session
from mailbox_server.model.mailbox import INBOX, SEPARATOR, Mailbox, Role
from mailbox_server.store.ports import ReadTx

LINES_A_BLOCK: Final = 200
_SEPARATOR: Final = string(SEPARATOR.encode("ascii"))


@dataclass(frozen=True, slots=True)
class _Names:
    """The account's names from one snapshot.

    above: names that are only levels above mailboxes or subscriptions.
    """

    mailboxes: dict[str, Mailbox]
    subscribed: frozenset[str]
    parents: frozenset[str]


async def list_mailboxes(session: Session, arguments: ListArguments) -> Outcome:
    """LIST, with the options of RFC 6154 and those of RFC 5258 that clients send with them."""
    if arguments.patterns == ("",):
        # A question for the separator only (RFC 9051 §6.3.9).
        session.respond(b"LIST (\\Noselect) " + _SEPARATOR + b' ""')
        return ok("That is all")
    patterns = _compiled(arguments)
    names = await session.store.read(lambda tx: _names(tx, session))
    await _send(session, _list_lines(arguments, patterns, names))
    return ok("That is all")


async def list_subscribed(session: Session, arguments: ListArguments) -> Outcome:
    """LSUB: subscribed names, existing or not (RFC 3501 §6.3.9).

    With a pattern ending in `%`, a name that is not subscribed but has subscribed names
    below it is told as \\Noselect.
    """
    patterns = _compiled(arguments)
    subscribed = await session.store.read(lambda tx: tx.mailboxes.subscriptions(session.account.id))
    lines = [_line(b"LSUB", [], name) for name in _ordered(subscribed) if _matches(patterns, name)]
    if patterns[0].ends_with_percent:
        above = _parents(subscribed) - set(subscribed)
        lines += [
            _line(b"LSUB", ["\\Noselect"], name)
            for name in _ordered(above)
            if _matches(patterns, name)
        ]
    await _send(session, lines)
    return ok("That is all")


def _names(tx: ReadTx, session: Session) -> _Names:
    mailboxes = {found.name: found for found in tx.mailboxes.all(session.account.id)}
    subscribed = frozenset(tx.mailboxes.subscriptions(session.account.id))
    return _Names(mailboxes, subscribed, frozenset(_parents(mailboxes)))


def _parents(names: Iterable[str]) -> set[str]:
    """Every level above the names."""
    parents = set()
    for name in names:
        while SEPARATOR in name:
            name = name.rpartition(SEPARATOR)[0]
            if name in parents:
                break
            parents.add(name)
    return parents


def _compiled(arguments: ListArguments) -> list[ListPattern]:
    joined = [arguments.reference + pattern for pattern in arguments.patterns]
    if any(len(pattern) > PATTERN_CHARACTERS for pattern in joined):
        raise ArgumentsTooMany("The pattern is too long")
    return [ListPattern(pattern) for pattern in joined]


def _matches(patterns: Sequence[ListPattern], name: str) -> bool:
    return any(pattern.matches(name) for pattern in patterns)


def _ordered(names: Iterable[str]) -> list[str]:
    return sorted(names, key=lambda name: (name != INBOX, name))


def _list_lines(
    arguments: ListArguments, patterns: Sequence[ListPattern], names: _Names
) -> list[bytes]:
    candidates: set[str] = set(names.mailboxes) | names.parents
    wanted = arguments.selections
    if ListSelection.SUBSCRIBED in wanted:
        candidates = set(names.subscribed)
    if ListSelection.SPECIAL_USE in wanted:
        candidates = {name for name in candidates if _use(names.mailboxes.get(name)) is not None}
    shows_subscribed = (
        ListSelection.SUBSCRIBED in wanted or ListReturn.SUBSCRIBED in arguments.returns
    )
    return [
        _line(b"LIST", _attributes(name, names, shows_subscribed=shows_subscribed), name)
        for name in _ordered(candidates)
        if _matches(patterns, name)
    ]


def _attributes(name: str, names: _Names, *, shows_subscribed: bool) -> list[str]:
    """CHILDREN and special uses are told in every LIST: clients without options need them."""
    attributes = []
    found = names.mailboxes.get(name)
    if found is None:
        attributes.append("\\Noselect" if name in names.parents else "\\NonExistent")
    attributes.append("\\HasChildren" if name in names.parents else "\\HasNoChildren")
    use = _use(found)
    if use is not None:
        attributes.append("\\" + use.value)
    if shows_subscribed and name in names.subscribed:
        attributes.append("\\Subscribed")
    return attributes


def _use(found: Mailbox | None) -> Role | None:
    """Its special use; INBOX has none in IMAP (RFC 6154 §2)."""
    return None if found is None or found.role is Role.INBOX else found.role


def _line(command: bytes, attributes: Sequence[str], name: str) -> bytes:
    flags = " ".join(attributes).encode("ascii")
    return untagged(command + b" (" + flags + b") " + _SEPARATOR + b" " + mailbox(name))


async def _send(session: Session, lines: Sequence[bytes]) -> None:
    for at in range(0, len(lines), LINES_A_BLOCK):
        await session.send(b"".join(lines[at : at + LINES_A_BLOCK]))
