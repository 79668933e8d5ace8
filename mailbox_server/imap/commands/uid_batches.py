"""UIDBATCHES: UID ranges that hold so many messages each, the newest first (RFC 10022).

The ranges adjoin: each begins just below the one before, the first with the last message
that the client knows of, and the last one ends with 1.  So batches asked for piece by piece
fit together.  New messages lie above all of them.

How often a client asks is not counted (§3.1.1): the answer is cut out of what is in memory
and costs less than most commands.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from mailbox_server.imap.grammar.batch_arguments import BatchArguments
from mailbox_server.imap.responses import CRLF, Outcome, bad, no, ok, string
from mailbox_server.imap.session import Session

SIZE_LEAST: Final = 500
SPAN_MOST: Final = 100_000
"""Messages that a range of batches may span (§3.1.5); all batches may span any number."""
RANGES_A_BLOCK: Final = 2_000

_TOO_FEW: Final = no("A batch has at least 500 messages", b"TOOFEW")
_TOO_MANY: Final = no("These batches would have too many messages", b"TOOMANY")
_WRONG_ORDER: Final = bad("Batches are counted from 1, the lower number first", b"CLIENTBUG")


async def uid_batches(session: Session, arguments: BatchArguments) -> Outcome:
    """Answer with one UIDBATCHES response, which may name no range."""
    size, first, last = arguments.size, arguments.first, arguments.last
    if first is not None and last is not None and not 0 < first <= last:
        return _WRONG_ORDER
    if size < SIZE_LEAST:
        return _TOO_FEW
    if first is not None and last is not None and (last - first + 1) * size > SPAN_MOST:
        return _TOO_MANY
    batches = list(_batches(session.view.all_uids(), size, first or 1, last))
    session.channel.write(b"* UIDBATCHES (TAG " + string(session.tag) + b")")
    try:
        for at in range(0, len(batches), RANGES_A_BLOCK):
            some = b",".join(b"%d:%d" % each for each in batches[at : at + RANGES_A_BLOCK])
            await session.send((b"," if at else b" ") + some)
    finally:
        session.channel.write(CRLF)
    return ok("That is all")


def _batches(
    uids: Sequence[int], size: int, first: int, last: int | None
) -> Iterator[tuple[int, int]]:
    """(highest, lowest) of these batches, as far as there are so many."""
    there = -(-len(uids) // size)
    for number in range(first, min(there, there if last is None else last) + 1):
        behind = len(uids) - (number - 1) * size
        high = uids[behind] - 1 if number > 1 else uids[-1]
        yield high, 1 if number == there else uids[behind - size]
