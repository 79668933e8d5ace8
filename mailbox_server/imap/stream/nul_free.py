"""A received message that holds NUL is kept without it, where its parts say binary.

BODY[] cannot tell NUL (RFC 9051 §4.3.1), and must tell what BODYSTRUCTURE promises (RFC 3516
§6): so the encoding of those parts changes, which loses nothing (§4.4).
"""

import asyncio
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing
from typing import Final

from mailbox_server.delivery.intake import Intake
from mailbox_server.imap.responses import no
from mailbox_server.imap.session import CommandRefused
from mailbox_server.mime.binary_parts import Stretch, blocks, without_nul
from mailbox_server.mime.part_table import read_part_table
from mailbox_server.model.errors import TooLarge
from mailbox_server.model.message import Analysis
from mailbox_server.store.ports import StagedContent, Store

_BINARY: Final = no("NUL is kept only in parts that say they are binary", b"UNKNOWN-CTE")


async def nul_free(
    store: Store, staged: StagedContent, analysis: Analysis, most_octets: int
) -> tuple[StagedContent, Analysis]:
    """The message to be kept instead; the one given is discarded, whatever happens.

    Raises CommandRefused where NUL stands where it must not; TooLarge, and what staging raises.
    """
    intake = Intake(store)
    try:
        structure = read_part_table(analysis.part_table)
        stretches = await asyncio.to_thread(without_nul, structure, staged.read)
        if stretches is None:
            raise CommandRefused(_BINARY)
        octets = 0
        async with aclosing(_blocks(stretches, staged)) as found:
            async for block in found:
                octets += len(block)
                if octets > most_octets:
                    raise TooLarge("in base64 the message is larger than APPEND takes")
                if intake.feed(block):
                    await intake.drained()
        if await intake.end() > len(intake.header):
            raise CommandRefused(_BINARY)
        return await intake.finish()
    finally:
        intake.discard()
        staged.discard()


async def _blocks(
    stretches: Sequence[Stretch], staged: StagedContent
) -> AsyncGenerator[bytes, None]:
    found: Iterator[bytes] = blocks(stretches, staged.read)
    while block := await asyncio.to_thread(next, found, b""):
        yield block
