"""Arguments of the commands on selected messages: STORE, COPY, MOVE, EXPUNGE."""

from dataclasses import dataclass
from typing import Final

from mailbox_server.imap.grammar.faults import ArgumentsMalformed
from mailbox_server.imap.grammar.flags import parse_flags
from mailbox_server.imap.grammar.lexer import MODSEQ_MOST, Lexer
from mailbox_server.imap.grammar.mailbox_names import parse_mailbox
from mailbox_server.imap.grammar.sequence_sets import By, SequenceSet, parse_sequence_set
from mailbox_server.store.ports import Edit, FlagChange


@dataclass(frozen=True, slots=True)
class StoreArguments:
    """STORE or UID STORE (RFC 9051 §6.4.6).

    change.names are in stored form, \\Deleted perhaps among them.
    silent: .SILENT was given.  unchanged_since: RFC 7162 §3.1.3, 0 or more.
    """

    numbers: SequenceSet
    by: By
    change: FlagChange
    silent: bool
    unchanged_since: int | None = None


@dataclass(frozen=True, slots=True)
class CopyArguments:
    """COPY, MOVE and their UID forms; mailbox is a name in stored form."""

    numbers: SequenceSet
    by: By
    mailbox: str


@dataclass(frozen=True, slots=True)
class ExpungeArguments:
    """EXPUNGE (uids is None) or UID EXPUNGE (RFC 4315 §2.1)."""

    uids: SequenceSet | None


_EDITS: Final = ((b"+", Edit.ADD), (b"-", Edit.REMOVE))


def parse_store(lexer: Lexer, by: By) -> StoreArguments:
    """Read what follows STORE."""
    lexer.space()
    numbers = parse_sequence_set(lexer)
    lexer.space()
    unchanged_since = None
    if lexer.take(b"("):
        if lexer.word() != "UNCHANGEDSINCE":
            raise ArgumentsMalformed("Unknown STORE modifier")
        lexer.space()
        unchanged_since = lexer.number(MODSEQ_MOST)
        lexer.skip_spaces()
        lexer.expect(b")")
        lexer.space()
    edit = next((edit for sign, edit in _EDITS if lexer.take(sign)), Edit.REPLACE)
    name = lexer.word()
    if name not in ("FLAGS", "FLAGS.SILENT"):
        raise ArgumentsMalformed("Expected FLAGS")
    lexer.space()
    names = parse_flags(lexer)
    lexer.end()
    change = FlagChange(edit, names)
    return StoreArguments(numbers, by, change, name.endswith(".SILENT"), unchanged_since)


def parse_copy(lexer: Lexer, by: By) -> CopyArguments:
    """Read what follows COPY or MOVE."""
    lexer.space()
    numbers = parse_sequence_set(lexer)
    lexer.space()
    mailbox = parse_mailbox(lexer)
    lexer.end()
    return CopyArguments(numbers, by, mailbox)


def parse_expunge(lexer: Lexer) -> ExpungeArguments:
    """EXPUNGE takes nothing."""
    lexer.end()
    return ExpungeArguments(None)


def parse_uid_expunge(lexer: Lexer) -> ExpungeArguments:
    """Read what follows UID EXPUNGE."""
    lexer.space()
    uids = parse_sequence_set(lexer)
    lexer.end()
    return ExpungeArguments(uids)
