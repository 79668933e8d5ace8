"""Multi-line responses as they travel: listings in blocks, messages in streams.

Each piece waits for the one before it to be taken, so that a slow client costs one block of
memory and no open read.
"""

from collections.abc import AsyncIterator, Iterable
from typing import Final

from mailbox_server.pop3 import replies
from mailbox_server.pop3.output import Output
from mailbox_server.pop3.retrieval import Letter, Retrieval
from mailbox_server.pop3.stuffing import Stuffing
from mailbox_server.pop3.top_cut import TopCut

# About 2 ms of formatting; then others have their turn.
_LINES_A_BLOCK: Final = 2_000


def short_listing(head: bytes, lines: Iterable[str]) -> bytes:
    """A whole multi-line response of a few ASCII lines."""
    return head + "".join(f"{line}\r\n" for line in lines).encode("ascii") + replies.END


async def send_listing(out: Output, head: bytes, lines: Iterable[str]) -> None:
    """A listing of any length."""
    out.write(head)
    block: list[str] = []
    for line in lines:
        block.append(line)
        if len(block) == _LINES_A_BLOCK:
            out.write("".join(f"{line}\r\n" for line in block).encode("ascii"))
            block.clear()
            await out.drained()
    out.write(short_listing(b"", block))


async def send_letter(out: Output, retrieval: Retrieval, letter: Letter) -> None:
    """RETR: trace and content; one write where the message is small, which waits for nothing.

    What retrieval.rest raises leaves in the middle of the response.
    """
    stuffing = Stuffing()
    head = replies.ok(f"{letter.sent_octets} octets")
    first = (head, stuffing.feed(letter.trace), stuffing.feed(letter.beginning))
    if letter.is_whole:
        out.write(b"".join((*first, stuffing.finish())))
        return
    out.write(b"".join(first))
    async for octets in _after(out, retrieval, letter):
        out.write(stuffing.feed(octets))
    out.write(stuffing.finish())
    await out.drained()


async def send_top(out: Output, retrieval: Retrieval, letter: Letter, lines: int) -> None:
    """TOP: trace, header and as many lines of the body; reads no further than that."""
    stuffing, cut = Stuffing(), TopCut(letter.header_octets, lines)
    first = stuffing.feed(letter.trace) + stuffing.feed(cut.feed(letter.beginning))
    out.write(replies.ok("the top follows") + first)
    if not cut.is_done:
        async for octets in _after(out, retrieval, letter):
            out.write(stuffing.feed(cut.feed(octets)))
            if cut.is_done:
                break
    out.write(stuffing.finish())
    await out.drained()


async def _after(out: Output, retrieval: Retrieval, letter: Letter) -> AsyncIterator[bytes]:
    await out.drained()
    async for octets in retrieval.rest(letter):
        yield octets
        await out.drained()
