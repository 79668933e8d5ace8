"""Find the messages that an id, a Message-ID or an address means, in and out, newest first."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final

from mailbox_server.model.address import Address
from mailbox_server.model.errors import BadInput, DiskLow
from mailbox_server.model.ids import (
    DepartureId,
    MessageId,
    departure_object_id,
    message_object_id,
    row_number,
)
from mailbox_server.model.ports import Clock
from mailbox_server.ops.moments import read_past
from mailbox_server.ops.stories import arrived_at, story_of
from mailbox_server.ops.story_requests import FoundRow, MessageTrace
from mailbox_server.store.ports import Followed, ReadTx, Store, WriteTx

MOST: Final = 1_000


async def find(store: Store, clock: Clock, asked: MessageTrace) -> list[FoundRow]:
    """Those meant by asked.what; of an id also what has the same Message-ID.

    A text that can be both a Message-ID and an address is taken as both.  Raises BadInput,
    MessageMissing, OutboundMissing.
    """
    if not 1 <= asked.most <= MOST:
        raise BadInput(f"the limit is a number from 1 to {MOST:,}")
    since = None if asked.since is None else read_past(asked.since, clock.now())
    # With little room on the disk what the trail has already must do.
    with suppress(DiskLow):
        await catch_up(store)
    found = await store.read(lambda tx: _meant(tx, asked.what.strip(), asked.most))
    found.sort(key=lambda each: (each[0], each[1]), reverse=True)
    return [
        FoundRow(id, at.isoformat(timespec="seconds"))
        for at, id in found[: asked.most]
        if since is None or at >= since
    ]


async def catch_up(store: Store) -> None:
    """Let the trail come up to the newest message."""
    while (step := await store.read(lambda tx: tx.trail.next_step())) is not None:
        await store.write(_follow(step))


def _follow(step: Followed) -> Callable[[WriteTx], None]:
    return lambda tx: tx.trail.follow(step)


def _meant(tx: ReadTx, what: str, most: int) -> list[tuple[datetime, str]]:
    if any(row_number(letter, what) is not None for letter in "msq"):
        return _by_id(tx, what, most)
    named = what.removeprefix("<").removesuffix(">")
    if not named:
        raise BadInput("an id, a Message-ID or an address is expected")
    messages = set(tx.trail.named(named, None, most))
    departures = set(tx.queue.named(f"<{named}>", None, most))
    address = _address(named)
    if address is not None:
        messages |= set(tx.trail.with_address(address, None, most))
        departures |= set(tx.queue.with_address(address, None, most))
        departures |= set(tx.queue.passed_on(address, None, most))
        account = tx.accounts.find(address)
        if account is not None:
            messages |= set(tx.trail.of_account(account.id, None, most))
            departures |= set(tx.queue.of_account(account.id, None, most))
    return _timed(tx, messages, departures)


def _by_id(tx: ReadTx, what: str, most: int) -> list[tuple[datetime, str]]:
    story = story_of(tx, what)
    messages: set[MessageId] = set()
    departures: set[DepartureId] = set()
    number = row_number("m", story.id)
    if number is not None:
        messages.add(MessageId(number))
    else:
        departures.add(DepartureId(row_number("s", story.id) or 0))
    if story.message_id is not None:
        named = story.message_id.removeprefix("<").removesuffix(">")
        messages |= set(tx.trail.named(named, None, most))
        departures |= set(tx.queue.named(f"<{named}>", None, most))
    return _timed(tx, messages, departures)


def _timed(
    tx: ReadTx, messages: Iterable[MessageId], departures: Iterable[DepartureId]
) -> list[tuple[datetime, str]]:
    """When each came to us."""
    found: list[tuple[datetime, str]] = []
    for message in messages:
        stamps, facts = tx.passports.of(message), tx.messages.about(message)
        if stamps:
            found.append((stamps[0].at, message_object_id(message)))
        elif facts is not None:
            received = datetime.fromtimestamp(facts.received.seconds, UTC)
            found.append((received, message_object_id(message)))
    for number in departures:
        arrived = arrived_at(tx, number)
        if arrived is not None:
            found.append((arrived, departure_object_id(number)))
    return found


def _address(text: str) -> Address | None:
    try:
        return Address.parse(text)
    except BadInput:
        return None
