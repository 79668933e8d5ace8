"""LIST and LSUB: which mailboxes there are (RFC 3501 §6.3.8, RFC 5258, RFC 6154, RFC 3348)."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Final, NamedTuple
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
from mailbox_server.imap.mailboxes.figures import StatusResponses
from mailbox_server.imap.mailboxes.list_lines import (
    SEPARATOR_STRING,
    Names,
    attributes_of,
    levels_above,
    list_line,
    names_of,
    use_of,
)
from mailbox_server.imap.mailboxes.list_patterns import (
    PATTERN_CHARACTERS,
    ListPattern,
    Matching,
    beginning_of,
)
from mailbox_server.imap.mailboxes.places import reader_of
from mailbox_server.imap.responses import Outcome, bad, mailbox, ok, string, untagged
from mailbox_server.imap.session import Session
from mailbox_server.model.errors import MailboxMissing
from mailbox_server.model.ids import MailboxId
from mailbox_server.model.mailbox import INBOX, SEPARATOR, Mailbox, MailboxStatus
from mailbox_server.model.rights import READ
from mailbox_server.store.ports import ReadTx

LINES_A_BLOCK: Final = 200


_Counts = Mapping[MailboxId, MailboxStatus]


class _Listed(NamedTuple):
    """One LIST response.

    written: the name, ready.  mailbox: None where there is none of that name, and where it does
    not meet the criteria itself, but by what lies below it.
    """

    line: bytes
    written: bytes
    mailbox: Mailbox | None


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
    figures, beginning = _Figures(session, arguments), beginning_of(patterns)

    def work(tx: ReadTx) -> tuple[list[_Listed], _Counts, bytes]:
        kept = tx.mailboxes.statuses(account.id, beginning) if meant.status else None
        own = None if kept is None else [each.mailbox for each in kept]
        listed = _listed(meant, Matching(patterns), names_of(tx, account, beginning, own), form)
        counts = figures.counted(tx, listed, kept or ())
        return listed, counts, figures.responses(tx, listed[:LINES_A_BLOCK], counts)

    # On the reader's thread: many long names against many patterns take seconds.
    listed, counts, block = await session.store.read(work)
    if StatusItem.HIGHESTMODSEQ in arguments.status:
        session.enable_condstore()
    await session.send(block)
    for at in range(LINES_A_BLOCK, len(listed), LINES_A_BLOCK):
        some = listed[at : at + LINES_A_BLOCK]
        await session.send(await session.store.read(figures.reading(some, counts)))
    return ok("That is all")


class _Figures:
    """STATUS, METADATA and rights of those that exist and are meant themselves.

    RFC 5819 §2, RFC 9590 §3.  Before them MYRIGHTS, where that is asked for (RFC 8440 §3).
    """

    def __init__(self, session: Session, arguments: ListArguments) -> None:
        self._session = session
        self._form, self._account = session.text_form, session.account
        self._tells_rights = ListReturn.MYRIGHTS in arguments.returns
        self._metadata = arguments.metadata
        self._are_asked = bool(self._tells_rights or arguments.metadata or arguments.status)
        self._status = (
            StatusResponses(arguments.status, session.limits) if arguments.status else None
        )
        self._recent = StatusItem.RECENT in arguments.status
        self._weighs = StatusItem.DELETED_STORAGE in arguments.status

    def counted(
        self, tx: ReadTx, listed: Sequence[_Listed], kept: Sequence[MailboxStatus]
    ) -> _Counts:
        """What those of the account itself count that are meant; kept: of these and others."""
        counts = {each.mailbox.id: each for each in kept}
        if not (self._recent or self._weighs):
            return counts
        meant = [each.mailbox.id for each in listed if each.mailbox is not None]
        some = [counts[number] for number in meant if number in counts]
        found = tx.mailboxes.counted(some, counts_recent=self._recent, weighs_deleted=self._weighs)
        return {each.mailbox.id: each for each in found}

    def reading(self, listed: Sequence[_Listed], counts: _Counts) -> Callable[[ReadTx], bytes]:
        """The read that gives responses."""
        return lambda tx: self.responses(tx, listed, counts)

    def responses(self, tx: ReadTx, listed: Sequence[_Listed], counts: _Counts) -> bytes:
        """The LIST responses, each with what was asked for behind it."""
        lines = []
        for each in listed:
            lines.append(each.line)
            if self._are_asked and each.mailbox is not None:
                lines += self._of(tx, each.mailbox, each.written, counts)
        return b"".join(lines)

    def _of(self, tx: ReadTx, mailbox: Mailbox, written: bytes, counts: _Counts) -> Iterator[bytes]:
        held = tx.rights.held(mailbox, self._account.id)
        if self._tells_rights:
            yield untagged(my_rights_response(mailbox.name, held, self._session))
        if self._status is not None and READ in held:
            # One that was deleted since has no figures; it was listed all the same.
            with suppress(MailboxMissing):
                yield untagged(self._status.of(self._counted(tx, mailbox, counts), written))
        if self._metadata and may_annotate(held):
            entries = mailbox_entries(tx, mailbox, self._account)
            chosen = {entry: entries.value(entry) for entry in self._metadata}
            yield untagged(metadata_response(mailbox.name, chosen, self._form))

    def _counted(self, tx: ReadTx, mailbox: Mailbox, counts: _Counts) -> MailboxStatus:
        if mailbox.id in counts:
            return counts[mailbox.id]
        return tx.mailboxes.status(
            mailbox.id,
            counts_recent=self._recent,
            weighs_deleted=self._weighs,
            reader=reader_of(mailbox, self._account),
        )


async def introduce(session: Session, name: str, written: str) -> None:
    """Tell of one mailbox that a command is about; IMAP4rev2 only.

    RFC 9051 §6.3.9.7; written: the name as the client has it, told where it is another one.
    """
    account = session.account
    names = await session.store.read(lambda tx: names_of(tx, account, name))
    if name not in names.mailboxes:
        # One that somebody may read or make, but not look up.
        return
    form = session.text_form
    attributes = attributes_of(name, names, is_extended=True, shows_subscribed=False)
    is_same = written.removesuffix(SEPARATOR) == name
    old = None if is_same else mailbox(written, form)
    await session.send(list_line(attributes, mailbox(name, form), old_name=old))


async def list_subscribed(session: Session, arguments: ListArguments) -> Outcome:
    """LSUB: subscribed names, existing or not (RFC 3501 §6.3.9).

    With a pattern ending in `%`, a name that is not subscribed but has subscribed names
    below it is told as \\Noselect.
    """
    patterns = _compiled(arguments)
    form = session.text_form

    def work(tx: ReadTx) -> list[bytes]:
        matching = Matching(patterns)
        subscribed = tx.mailboxes.subscriptions(session.account.id, beginning_of(patterns))
        lines = [
            list_line([], mailbox(name, form), command=b"LSUB")
            for name in _ordered(subscribed)
            if matching.matches(name)
        ]
        if patterns[0].ends_with_percent:
            above = levels_above(subscribed) - set(subscribed)
            lines += [
                list_line(["\\Noselect"], mailbox(name, form), command=b"LSUB")
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
    ordered = sorted(names)
    if INBOX in ordered:
        ordered.remove(INBOX)
        ordered.insert(0, INBOX)
    return ordered


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
        written = mailbox(name, form)
        found = names.mailboxes.get(name) if name in meant else None
        listed.append(_Listed(list_line(attributes, written, extended), written, found))
    return listed


def _quoted(wanted: Iterable[ListSelection]) -> bytes:
    return b" ".join(sorted(string(each.value.encode("ascii")) for each in wanted))


async def _send(session: Session, lines: Sequence[bytes]) -> None:
    for at in range(0, len(lines), LINES_A_BLOCK):
        await session.send(b"".join(lines[at : at + LINES_A_BLOCK]))
