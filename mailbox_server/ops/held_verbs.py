"""What an operator may do with mail that its senders want to leave later (RFC 4865).

Who cancels it takes nothing away: the message stays in its sender's Outbox, and does not leave.
A filter is gone through in pages, each a read and a write of its own.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from mailbox_server.delivery.submitting.holding import Waiting
from mailbox_server.model.address import Address
from mailbox_server.model.errors import AccountMissing, BadInput, MessageMissing
from mailbox_server.model.held_message import HeldMessage, UnreadableHeld
from mailbox_server.model.ids import AccountId, MailboxId, MessageId, message_object_id, row_number
from mailbox_server.model.passport import Evidence
from mailbox_server.model.ports import Clock
from mailbox_server.ops.queue_requests import ChangedRow, HeldCancel, HeldList, HeldRow, WantedHeld
from mailbox_server.ops.request_roots import instant
from mailbox_server.store.ports import ReadTx, Store, WriteTx

PAGE: Final = 500
_SHOWN: Final = 20
"""Recipients that a list names of one message."""
_Place = tuple[MailboxId, int]
_Held = HeldMessage | UnreadableHeld
UNREADABLE: Final = "(it cannot be read; `queue cancel` takes it out)"


async def list_held(store: Store, asked: HeldList) -> list[HeldRow]:
    """One page, by mailbox.  Raises BadInput, AddressMalformed, AccountMissing."""
    if not 1 <= asked.most <= PAGE:
        raise BadInput(f"a page has 1 to {PAGE} rows")

    def rows(tx: ReadTx) -> list[HeldRow]:
        wants = _filter(tx, asked.wanted)
        after = None if asked.after is None else (MailboxId(asked.after[0]), asked.after[1])
        found: list[HeldRow] = []
        while len(found) < asked.most and (page := tx.held_messages.listed(wants[0], after, PAGE)):
            after = (page[-1].mailbox, page[-1].uid)
            found += [_row(tx, *each) for each in _wanted(tx, page, *wants[1:])]
        return found[: asked.most]

    return await store.read(rows)


async def cancel_held(store: Store, clock: Clock, asked: HeldCancel) -> ChangedRow:
    """Let those that are named, or all that are wanted, not leave.

    Raises BadInput, AddressMalformed, AccountMissing, MessageMissing.
    """
    if bool(asked.ids) is (asked.wanted is not None):
        raise BadInput("either ids or a filter is expected")
    if len(asked.ids) > PAGE:
        raise BadInput(f"at most {PAGE:,} ids; a filter takes any number")
    stamp = Evidence(clock.now(), "submit.cancelled", (("by", "operator"),))
    if asked.wanted is None:
        return ChangedRow(await store.write(_cancelling(asked.ids, stamp)))
    account, sender, recipient = await store.read(lambda tx: _filter(tx, asked.wanted))
    count, after = 0, None
    while page := await store.read(_page(account, after)):
        after = (page[-1].mailbox, page[-1].uid)
        count += await store.write(_cancelling_of(page, sender, recipient, stamp))
    return ChangedRow(count)


def _page(account: AccountId | None, after: _Place | None) -> Callable[[ReadTx], list[_Held]]:
    return lambda tx: tx.held_messages.listed(account, after, PAGE)


def _cancelling(ids: Sequence[str], stamp: Evidence) -> Callable[[WriteTx], int]:
    def work(tx: WriteTx) -> int:
        places = [_named(tx, each) for each in ids]
        return sum(_cancel(tx, place, stamp) for place in dict.fromkeys(places))

    return work


def _cancelling_of(
    page: Sequence[_Held], sender: Address | None, recipient: Address | None, stamp: Evidence
) -> Callable[[WriteTx], int]:
    def work(tx: WriteTx) -> int:
        found = list(_wanted(tx, page, sender, recipient))
        return sum(_cancel(tx, (held.mailbox, held.uid), stamp) for held, _ in found)

    return work


def _cancel(tx: WriteTx, place: _Place, stamp: Evidence) -> bool:
    message = Waiting(*place).message(tx)
    if message is None or not tx.held_messages.remove(*place):
        return False
    tx.passports.stamp(message, (stamp,))
    return True


def _wanted(
    tx: ReadTx | WriteTx,
    page: Sequence[_Held],
    sender: Address | None,
    recipient: Address | None,
) -> Iterator[tuple[_Held, MessageId]]:
    """Those of a page that are meant, and lie in their Outbox still."""
    for held in page:
        if not _fits(held, sender, recipient):
            continue
        message = Waiting(held.mailbox, held.uid).message(tx)
        if message is not None:
            yield held, message


def _fits(held: _Held, sender: Address | None, recipient: Address | None) -> bool:
    """What cannot be read is nobody's in particular, but its account's."""
    if isinstance(held, UnreadableHeld):
        return sender is None and recipient is None
    named, by = {each.address.key for each in held.recipients}, held.reverse_path.address
    return (recipient is None or recipient.key in named) and (
        sender is None or (by is not None and by.key == sender.key)
    )


def _filter(
    tx: ReadTx, wanted: WantedHeld | None
) -> tuple[AccountId | None, Address | None, Address | None]:
    """Account, sender, recipient.  Raises AddressMalformed, AccountMissing."""
    wanted, account = wanted or WantedHeld(), None
    if wanted.account is not None:
        account = tx.accounts.find(Address.parse(wanted.account))
        if account is None:
            raise AccountMissing(f"no account {wanted.account}")
    return (
        None if account is None else account.id,
        None if wanted.sender is None else Address.parse(wanted.sender),
        None if wanted.recipient is None else Address.parse(wanted.recipient),
    )


def _named(tx: ReadTx | WriteTx, text: str) -> _Place:
    """Raises BadInput, MessageMissing."""
    number = row_number("m", text)
    if number is None:
        raise BadInput(f"{text!r:.40} is no id such as m1; `queue later` shows them")
    facts = tx.messages.about(MessageId(number))
    for place in () if facts is None else facts.places:
        if tx.held_messages.waits(*place):
            return place
    raise MessageMissing(f"{text} does not wait to leave")


def _row(tx: ReadTx, held: _Held, message: MessageId) -> HeldRow:
    account = tx.accounts.get(held.account)
    if isinstance(held, UnreadableHeld):
        return HeldRow(
            id=message_object_id(message),
            place=(held.mailbox, held.uid),
            account="" if account is None else str(account.address),
            sender="",
            recipients=[UNREADABLE],
            count=0,
            arrived="",
            leaves=instant(held.until) or "",
        )
    return HeldRow(
        id=message_object_id(message),
        place=(held.mailbox, held.uid),
        account="" if account is None else str(account.address),
        sender=str(held.reverse_path),
        recipients=[str(each.address) for each in held.recipients[:_SHOWN]],
        count=len(held.recipients),
        arrived=instant(held.started) or "",
        leaves=instant(held.until) or "",
    )
