"""LIST and LSUB: which mailboxes there are (RFC 3501 §6.3.8, RFC 5258, RFC 6154, RFC 3348)."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Final
from unicodedata import normalize

from mailbox_server.imap.commands.acl import my_rights_response
from mailbox_server.imap.commands.metadata import mailbox_entries, may_annotate, metadata_response
from mailbox_server.imap.grammar.faults import ArgumentsTooMany
from mailbox_server.imap.grammar.lexer import TextForm
from mailbox_server.imap.grammar.mailbox_arguments import (
    ListArguments,
    ListReturn,
    ListSelection,
    StatusItem,
)
from mailbox_server.imap.mailboxes.figures import status_response
from mailbox_server.imap.mailboxes.list_lines import (
    SEPARATOR_STRING,
    Names,
    attributes_of,
    levels_above,
    list_line,
    names_of,
    use_of,
)
from mailbox_server.imap.mailboxes.list_patterns import PATTERN_CHARACTERS, ListPattern, Matching
from mailbox_server.imap.mailboxes.places import reader_of
from mailbox_server.imap.responses import Outcome, bad, ok, string, untagged
from mailbox_server.imap.session import Session
from mailbox_server.model.errors import MailboxMissing
from mailbox_server.model.ids import MailboxId
from mailbox_server.model.mailbox import INBOX, SEPARATOR, Mailbox, MailboxStatus
from mailbox_server.model.rights import READ
from mailbox_server.store.ports import ReadTx

LINES_A_BLOCK: Final = 200


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
        session.respond(b"LIST (\\Noselect) " + SEPARATOR_STRING + b' ""')
        return ok("That is all")
    if StatusItem.RECENT in arguments.status and session.is_rev2:
        return bad("IMAP4rev2 has no RECENT")
    patterns = _compiled(arguments)
    if session.is_rev2:
        arguments = replace(arguments, is_extended=True)
    meant, form, account = arguments, session.text_form, session.account
    figures = _figures(session, arguments)

    def work(tx: ReadTx) -> tuple[list[_Listed], dict[str, bytes]]:
        listed = _listed(meant, Matching(patterns), names_of(tx, account), form)
        return listed, figures(listed[:LINES_A_BLOCK], tx)

    # On the reader's thread: many long names against many patterns take seconds.
    listed, told = await session.store.read(work)
    if StatusItem.HIGHESTMODSEQ in arguments.status:
        session.enable_condstore()
    for at in range(0, len(listed), LINES_A_BLOCK):
        block = listed[at : at + LINES_A_BLOCK]
        if at:
            told = await session.store.read(partial(figures, block))
        await session.send(b"".join([each.line + told.get(each.name, b"") for each in block]))
    return ok("That is all")


def _figures(
    session: Session, arguments: ListArguments
) -> Callable[[Sequence[_Listed], ReadTx], dict[str, bytes]]:
    """The read of STATUS, METADATA and rights of those that exist and are meant themselves.

    RFC 5819 §2, RFC 9590 §3.  Before them MYRIGHTS, where that is asked for (RFC 8440 §3).
    """
    tells_rights = ListReturn.MYRIGHTS in arguments.returns
    if not arguments.status and not arguments.metadata and not tells_rights:
        return lambda listed, tx: {}
    recent = StatusItem.RECENT in arguments.status
    weighs = StatusItem.DELETED_STORAGE in arguments.status
    limits, form, account = session.limits, session.text_form, session.account

    def status(tx: ReadTx, each: Mailbox, own: Mapping[MailboxId, MailboxStatus]) -> MailboxStatus:
        if each.account == account.id:
            found = own.get(each.id)
        else:
            reader = reader_of(each, account)
            found = tx.mailboxes.status(
                each.id, counts_recent=recent, weighs_deleted=weighs, reader=reader
            )
        if found is None:
            raise MailboxMissing("there is no such mailbox")
        is_shown = found.mailbox.name == each.name
        return found if is_shown else replace(found, mailbox=replace(found.mailbox, name=each.name))

    def figures(listed: Sequence[_Listed], tx: ReadTx) -> dict[str, bytes]:
        wanted = [each.mailbox for each in listed if each.mailbox is not None and each.is_meant]
        ids = sorted(each.id for each in wanted if each.account == account.id)
        own: Mapping[MailboxId, MailboxStatus] = {}
        if arguments.status:
            own = tx.mailboxes.statuses(ids, counts_recent=recent, weighs_deleted=weighs)
        told = {}
        for each in wanted:
            lines = b""
            held = tx.rights.held(each, account.id)
            if tells_rights:
                lines = untagged(my_rights_response(each.name, held, session))
            if arguments.status and READ in held:
                # One that was deleted since has no figures; it was listed all the same.
                with suppress(MailboxMissing):
                    found = status(tx, each, own)
                    lines += untagged(status_response(found, arguments.status, limits, form))
            if arguments.metadata and may_annotate(held):
                entries = mailbox_entries(tx, each, account)
                chosen = {entry: entries.value(entry) for entry in arguments.metadata}
                lines += untagged(metadata_response(each.name, chosen, form))
            told[each.name] = lines
        return told

    return figures


async def introduce(session: Session, name: str, written: str) -> None:
    """Tell of one mailbox that a command is about; IMAP4rev2 only.

    RFC 9051 §6.3.9.7; written: the name as the client has it, told where it is another one.
    """
    account = session.account
    names = await session.store.read(lambda tx: names_of(tx, account))
    if name not in names.mailboxes:
        # One that somebody may read or make, but not look up.
        return
    form = session.text_form
    attributes = attributes_of(name, names, is_extended=True, shows_subscribed=False)
    is_same = written.removesuffix(SEPARATOR) == name
    old = None if is_same else written
    await session.send(list_line(attributes, name, form, old_name=old))


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
            list_line([], name, form, command=b"LSUB")
            for name in _ordered(subscribed)
            if matching.matches(name)
        ]
        if patterns[0].ends_with_percent:
            above = levels_above(subscribed) - set(subscribed)
            lines += [
                list_line(["\\Noselect"], name, form, command=b"LSUB")
                for name in _ordered(above)
                if matching.matches(name)
            ]
        return lines

    await _send(session, await session.store.read(work))
    return ok("That is all")


def _compiled(arguments: ListArguments) -> list[ListPattern]:
    # Names are kept in NFC; what a pattern spells out must be in it too.
    joined = [normalize("NFC", arguments.reference + each) for each in arguments.patterns]
    if any(len(pattern) > PATTERN_CHARACTERS for pattern in joined):
        raise ArgumentsTooMany("The pattern is too long")
    return [ListPattern(pattern) for pattern in joined]


def _ordered(names: Iterable[str]) -> list[str]:
    return sorted(names, key=lambda name: (name != INBOX, name))


def _listed(
    arguments: ListArguments, matching: Matching, names: Names, form: TextForm
) -> list[_Listed]:
    """What LIST answers, in order."""
    wanted = arguments.selections & {ListSelection.SUBSCRIBED, ListSelection.SPECIAL_USE}
    candidates: set[str] = set(names.mailboxes) | names.parents
    if ListSelection.SUBSCRIBED in wanted:
        candidates = set(names.subscribed)
    if ListSelection.SPECIAL_USE in wanted:
        candidates = {name for name in candidates if use_of(names.mailboxes.get(name)) is not None}
    meant = {name for name in candidates if matching.matches(name)}
    above: set[str] = set()
    shown = set(meant)
    if ListSelection.RECURSIVEMATCH in arguments.selections:
        above = levels_above(candidates)
        # Those that are listed themselves need no parent to tell of them (RFC 5258 §3.5).
        shown |= {name for name in levels_above(candidates - meant) if matching.matches(name)}
    information = b" (" + string(b"CHILDINFO") + b" (" + _quoted(wanted) + b"))"
    shows_subscribed = bool(
        ListSelection.SUBSCRIBED in wanted or ListReturn.SUBSCRIBED in arguments.returns
    )
    listed = []
    for name in _ordered(shown):
        attributes = attributes_of(
            name, names, is_extended=arguments.is_extended, shows_subscribed=shows_subscribed
        )
        extended = information if name in above else b""
        line = list_line(attributes, name, form, extended)
        listed.append(_Listed(name, line, names.mailboxes.get(name), name in meant))
    return listed


def _quoted(wanted: Iterable[ListSelection]) -> bytes:
    return b" ".join(sorted(string(each.value.encode("ascii")) for each in wanted))


async def _send(session: Session, lines: Sequence[bytes]) -> None:
    for at in range(0, len(lines), LINES_A_BLOCK):
        await session.send(b"".join(lines[at : at + LINES_A_BLOCK]))
