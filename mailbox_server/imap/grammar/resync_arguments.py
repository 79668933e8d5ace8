"""What a client knows of a mailbox that it comes back to (RFC 7162 §3.2.5)."""

from dataclasses import dataclass, field

from mailbox_server.imap.grammar.faults import ArgumentsMalformed
from mailbox_server.imap.grammar.lexer import MODSEQ_MOST, Lexer
from mailbox_server.imap.grammar.sequence_sets import STAR, SequenceSet, parse_sequence_set
from mailbox_server.model.uid_set import UidSet


@dataclass(frozen=True, slots=True)
class Resync:
    """QRESYNC of SELECT.

    known: the UIDs that the client has; None for all up to UIDNEXT.
    numbers, uids: the nth of numbers was the message with the nth of uids when it left.
    """

    uid_validity: int
    modseq: int
    known: UidSet | None = None
    numbers: UidSet = field(default_factory=UidSet)
    uids: UidSet = field(default_factory=UidSet)


def parse_resync(lexer: Lexer) -> Resync:
    """Read `(uidvalidity modseq [known-uids] [(numbers uids)])`."""
    lexer.expect(b"(")
    lexer.skip_spaces()
    uid_validity = lexer.number()
    lexer.space()
    modseq = lexer.number(MODSEQ_MOST)
    if not uid_validity or not modseq:
        raise ArgumentsMalformed("Neither may be 0")
    known: UidSet | None = None
    numbers = uids = UidSet()
    lexer.skip_spaces()
    if lexer.peek() not in (b"(", b")"):
        known = _ascending(lexer)
        lexer.skip_spaces()
    if lexer.take(b"("):
        numbers = _ascending(lexer)
        lexer.space()
        uids = _ascending(lexer)
        lexer.expect(b")")
        lexer.skip_spaces()
        if len(numbers) != len(uids):
            raise ArgumentsMalformed("As many UIDs as numbers are expected")
    lexer.expect(b")")
    return Resync(uid_validity, modseq, known, numbers, uids)


def _ascending(lexer: Lexer) -> UidSet:
    """A set without `*` and `$`, which mean nothing before the mailbox is open."""
    found: SequenceSet = parse_sequence_set(lexer)
    if found.is_saved or any(STAR in ends for ends in found.ranges):
        raise ArgumentsMalformed("Only numbers may stand here")
    return found.resolved(1)
