"""LIST and LSUB: which mailboxes there are (RFC 3501 §6.3.8, RFC 5258, RFC 6154, RFC 3348)."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final
from unicodedata import normalize

from mailbox_server.imap.commands.metadata import mailbox_entries, metadata_response
from mailbox_server.imap.figures import status_response
from mailbox_server.imap.grammar.faults import ArgumentsTooMany
from mailbox_server.imap.grammar.lexer import TextForm
from mailbox_server.imap.grammar.mailbox_arguments import (
    ListArguments,
    ListReturn,
    ListSelection,
    StatusItem,
)
from mailbox_server.imap.list_patterns import PATTERN_CHARACTERS, ListPattern, Matching
from mailbox_server.imap.responses import Outcome, bad, mailbox, ok, string, untagged
from mailbox_server.imap.session import Session
from mailbox_server.model.errors import MailboxMissing
from mailbox_server.model.mailbox import INBOX, SEPARATOR, Mailbox, Role
from mailbox_server.store.ports import ReadTx

LINES_A_BLOCK: Final = 200
_SEPARATOR: Final = string(SEPARATOR.encode("ascii"))
_ONE: Final = ListArguments("", (), is_extended=True)


@dataclass(frozen=True, slots=True)
class _Names:
    """The account's names from one snapshot.

    above: names that are only levels above mailboxes or subscriptions.
    """

    mailboxes: dict[str, Mailbox]
    subscribed: frozenset[str]
    parents: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Listed:
    """One LIST response.

    mailbox: None where there is none of that name.  is_meant: it meets the criteria itself,
    not only by what lies below it.
    """

    name: str
    line: bytes
    mailbox: Mailbox | None
    is_meant: bool


async def list_mailboxes(session: Session, arguments: ListArguments) -> Outcome:
    """LIST, with the options of RFC 5258, 5819 and 6154."""
    if arguments.patterns == ("",) and not arguments.is_extended:
        # A question for the separator only (RFC 9051 §6.3.9).
        session.respond(b"LIST (\\Noselect) " + _SEPARATOR + b' ""')
        return ok("That is all")
    if StatusItem.RECENT in arguments.status and session.is_rev2:
        return bad("IMAP4rev2 has no RECENT")
    patterns = _compiled(arguments)
    if session.is_rev2:
        arguments = replace(arguments, is_extended=True)
    meant, form = arguments, session.text_form
    # On the reader's thread: many long names against many patterns take seconds.
    listed = await session.store.read(
        lambda tx: _listed(meant, Matching(patterns), _names(tx, session), form)
    )
    if StatusItem.HIGHESTMODSEQ in arguments.status:
        session.enable_condstore()
    for at in range(0, len(listed), LINES_A_BLOCK):
        block = listed[at : at + LINES_A_BLOCK]
        figures = await _figures(session, arguments, block)
        await session.send(b"".join(each.line + figures.get(each.name, b"") for each in block))
    return ok("That is all")


async def _figures(
    session: Session, arguments: ListArguments, listed: Sequence[_Listed]
) -> dict[str, bytes]:
    """STATUS and METADATA of those that exist and are meant themselves.

    RFC 5819 §2, RFC 9590 §3.
    """
    if not arguments.status and not arguments.metadata:
        return {}
    recent = StatusItem.RECENT in arguments.status
    weighs = StatusItem.DELETED_STORAGE in arguments.status
    wanted = [each.mailbox for each in listed if each.mailbox is not None and each.is_meant]
    limits, form = session.limits, session.text_form

    def work(tx: ReadTx) -> dict[str, bytes]:
        told = {}
        for each in wanted:
            lines = b""
            if arguments.status:
                # One that was deleted since has no figures; it was listed all the same.
                with suppress(MailboxMissing):
                    found = tx.mailboxes.status(
                        each.id, counts_recent=recent, weighs_deleted=weighs
                    )
                    lines = untagged(status_response(found, arguments.status, limits, form))
            if arguments.metadata:
                entries = mailbox_entries(tx, each)
                chosen = {entry: entries.get(entry) for entry in arguments.metadata}
                lines += untagged(metadata_response(each.name, chosen, form))
            told[each.name] = lines
        return told

    return await session.store.read(work)


async def introduce(session: Session, name: str, written: str) -> None:
    """Tell of one mailbox that a command is about; IMAP4rev2 only.

    RFC 9051 §6.3.9.7; written: the name as the client has it, told where it is another one.
    """
    names = await session.store.read(lambda tx: _names(tx, session))
    form = session.text_form
    attributes = _attributes(name, names, _ONE, shows_subscribed=False)
    is_same = written.removesuffix(SEPARATOR) == name
    old = b" (" + string(b"OLDNAME") + b" (" + mailbox(written, form) + b"))"
    await session.send(_line(b"LIST", attributes, mailbox(name, form), b"" if is_same else old))


async def list_subscribed(session: Session, arguments: ListArguments) -> Outcome:
    """LSUB: subscribed names, existing or not (RFC 3501 §6.3.9).

    With a pattern ending in `%`, a name that is not subscribed but has subscribed names
    below it is told as \\Noselect.
    """
    patterns = _compiled(arguments)
    form = session.text_form

    def work(tx: ReadTx) -> list[bytes]:
        matching = Matching(patterns)
        subscribed = tx.mailboxes.subscriptions(session.account.id)
        lines = [
            _line(b"LSUB", [], mailbox(name, form))
            for name in _ordered(subscribed)
            if matching.matches(name)
        ]
        if patterns[0].ends_with_percent:
            above = _parents(subscribed) - set(subscribed)
            lines += [
                _line(b"LSUB", ["\\Noselect"], mailbox(name, form))
                for name in _ordered(above)
                if matching.matches(name)
            ]
        return lines

    await _send(session, await session.store.read(work))
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
    # Names are kept in NFC; what a pattern spells out must be in it too.
    joined = [normalize("NFC", arguments.reference + each) for each in arguments.patterns]
    if any(len(pattern) > PATTERN_CHARACTERS for pattern in joined):
        raise ArgumentsTooMany("The pattern is too long")
    return [ListPattern(pattern) for pattern in joined]


def _ordered(names: Iterable[str]) -> list[str]:
    return sorted(names, key=lambda name: (name != INBOX, name))


def _listed(
    arguments: ListArguments, matching: Matching, names: _Names, form: TextForm
) -> list[_Listed]:
    """What LIST answers, in order."""
    wanted = arguments.selections & {ListSelection.SUBSCRIBED, ListSelection.SPECIAL_USE}
    candidates: set[str] = set(names.mailboxes) | names.parents
    if ListSelection.SUBSCRIBED in wanted:
        candidates = set(names.subscribed)
    if ListSelection.SPECIAL_USE in wanted:
        candidates = {name for name in candidates if _use(names.mailboxes.get(name)) is not None}
    meant = {name for name in candidates if matching.matches(name)}
    above: set[str] = set()
    shown = set(meant)
    if ListSelection.RECURSIVEMATCH in arguments.selections:
        above = _parents(candidates)
        # Those that are listed themselves need no parent to tell of them (RFC 5258 §3.5).
        shown |= {name for name in _parents(candidates - meant) if matching.matches(name)}
    information = b" (" + string(b"CHILDINFO") + b" (" + _quoted(wanted) + b"))"
    shows_subscribed = bool(
        ListSelection.SUBSCRIBED in wanted or ListReturn.SUBSCRIBED in arguments.returns
    )
    listed = []
    for name in _ordered(shown):
        attributes = _attributes(name, names, arguments, shows_subscribed=shows_subscribed)
        extended = information if name in above else b""
        line = _line(b"LIST", attributes, mailbox(name, form), extended)
        listed.append(_Listed(name, line, names.mailboxes.get(name), name in meant))
    return listed


def _quoted(wanted: Iterable[ListSelection]) -> bytes:
    return b" ".join(sorted(string(each.value.encode("ascii")) for each in wanted))


def _attributes(
    name: str, names: _Names, arguments: ListArguments, *, shows_subscribed: bool
) -> list[str]:
    """CHILDREN and special uses are told in every LIST: clients without options need them."""
    attributes = []
    found = names.mailboxes.get(name)
    if found is None:
        # Clients that send no options may not know the stronger one (RFC 5258 §3).
        is_level = name in names.parents and not arguments.is_extended
        attributes.append("\\Noselect" if is_level else "\\NonExistent")
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


def _line(
    command: bytes, attributes: Sequence[str], name: bytes, information: bytes = b""
) -> bytes:
    """name: as it is written."""
    flags = " ".join(attributes).encode("ascii")
    told = b" (%b) %b %b%b" % (flags, _SEPARATOR, name, information)
    return untagged(command + told)


async def _send(session: Session, lines: Sequence[bytes]) -> None:
    for at in range(0, len(lines), LINES_A_BLOCK):
        await session.send(b"".join(lines[at : at + LINES_A_BLOCK]))
