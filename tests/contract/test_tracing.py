"""What an id, a Message-ID or an address leads to."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from mailbox_server.model.address import Address, ReversePath
from mailbox_server.model.errors import BadInput, DiskLow, MessageMissing
from mailbox_server.model.ids import (
    AccountId,
    DepartureId,
    MessageId,
    departure_object_id,
    message_object_id,
)
from mailbox_server.model.message import InternalDate, Target
from mailbox_server.model.passport import Evidence
from mailbox_server.ops import tracing
from mailbox_server.ops.story_requests import MessageTrace
from mailbox_server.store.destroyed_messages import forget_destroyed
from mailbox_server.store.door import SqliteStore
from mailbox_server.store.ports import NewMessage, QuotaRule, WriteTx
from tests.contract.outgoing import to
from tests.contract.queued import put
from tests.contract.test_store_purging import open_accounts
from tests.contract.workbench import ANN, BEN, analysis


@dataclass
class House:
    """A store in which mail comes and goes, a minute apart."""

    store: SqliteStore
    clock: Any

    async def arrive(self, account: AccountId, message_id: str, author: str, **facts: str) -> str:
        """A message from outside; its id."""
        self.clock.turn(minutes=1)
        staging = self.store.stage()
        staging.feed(b"Subject: s\r\n\r\n")
        staged = await staging.finish()
        stamp = Evidence(self.clock.now(), "receive.envelope", tuple(facts.items()))
        listed = f"Message-ID: {message_id}\r\nFrom: {author}\r\n".encode()

        def work(tx: WriteTx) -> MessageId:
            new = NewMessage(
                tx.contents.keep(staged),
                b"",
                analysis(listed=listed),
                InternalDate(1),
                frozenset(),
                (Target(None),),
                (stamp,),
            )
            return tx.messages.add(account, new, QuotaRule.ENFORCE)[0].message

        return message_object_id(await self.store.write(work, (staged,)))

    async def leave(
        self, sender: Address, recipient: str, *stamps: Evidence, **changed: Any
    ) -> str:
        """A message to outside; the id of its departure."""
        self.clock.turn(minutes=1)
        path = ReversePath(sender)
        same = {"reverse_path": path, "arrived": self.clock.now(), **changed}
        numbers = await put(self.store, to(recipient), stamps, **same)
        return departure_object_id(DepartureId(numbers[0]))

    async def pass_on(self, sender: str, recipient: str, through: str = "") -> str:
        """A message from outside that leaves for cy, its sender rewritten."""
        now = self.clock.now()
        led = (("through", through),) if through else ()
        return await self.leave(
            Address.parse("SRS0=abc=js=x.example=bob@example.org"),
            "cy@far.example",
            Evidence(now, "receive.envelope", (("reverse-path", f"<{sender}>"),)),
            Evidence(now, "forward", (("recipient", recipient), *led)),
        )

    async def found(self, what: str, since: str | None = None, most: int = 20) -> list[str]:
        asked = MessageTrace(what, since, most)
        return [row.id for row in await tracing.find(self.store, self.clock, asked)]


@pytest.fixture
def house(store: SqliteStore, clock: Any) -> House:
    return House(store, clock)


async def test_a_message_id_leads_to_all_that_has_it_newest_first(house: House) -> None:
    ann, ben = await open_accounts(house.store, ANN, BEN)
    first = await house.arrive(ann, "<1@x>", "bob@x.example")
    left = await house.leave(ANN, "bob@x.example", message_id="<1@x>")
    other = await house.arrive(ben, "<2@x>", "bob@x.example")
    last = await house.arrive(ben, "<1@x>", "bob@x.example")
    for what in ("<1@x>", "1@x", " <1@x> ", first, left, last):
        assert await house.found(what) == [last, left, first]
    assert await house.found("q1") == [last, left, first]
    assert await house.found("<2@x>") == await house.found(other) == [other]
    assert await house.found("<3@x>") == []


async def test_an_address_leads_to_mail_in_and_out(house: House) -> None:
    ann, ben = await open_accounts(house.store, ANN, BEN)
    came = await house.arrive(ann, "<1@x>", "Bob <Bob@x.example>")
    left = await house.leave(ANN, "bob@x.example", account=ann, message_id="<2@x>")
    await house.arrive(ben, "<3@x>", "cy@x.example")
    assert await house.found("bob@x.example") == [left, came]
    assert await house.found("<bob@x.example>") == [left, came]
    assert await house.found("ann@example.org") == [left, came], "its account's"
    assert await house.found("nobody@x.example") == []


async def test_who_wrote_and_to_whom_leads_to_mail_that_was_passed_on(house: House) -> None:
    first = await house.pass_on("Bob@x.example", "team@example.org")
    await house.pass_on("jobob@x.example", "team2@example.org")
    last = await house.pass_on(
        "bob@X.example", "Shop+a@example.org", "shop@example.org t@x.example"
    )
    await house.leave(ANN, "dora@far.example", message_id="<bob@x.example>x")
    assert await house.found("bob@x.example") == [last, first]
    assert await house.found("bob@x.example", most=1) == [last]
    assert await house.found("team@example.org") == [first]
    assert await house.found("shop@example.org") == [last]
    assert await house.found("shop+a@example.org") == [last]
    assert await house.found("ob@x.example") == []


async def test_among_many_that_were_passed_on_none_is_missed(house: House) -> None:
    rare = [await house.pass_on("bob@x.example", "team@example.org")]
    for _ in range(3):
        for number in range(400):
            await house.pass_on(f"cy{number}@x.example", "team@example.org")
        rare.insert(0, await house.pass_on("bob@x.example", "team@example.org"))
    assert await house.found("bob@x.example") == rare
    assert len(await house.found("team@example.org", most=1_000)) == 1_000


async def test_what_is_an_address_and_a_message_id_is_both(house: House) -> None:
    (ann,) = await open_accounts(house.store, ANN)
    named = await house.arrive(ann, "<bob@x.example>", "cy@x.example")
    sent = await house.arrive(ann, "<1@x>", "bob@x.example")
    assert await house.found("bob@x.example") == [sent, named]


async def test_only_so_many_and_only_since_then(house: House) -> None:
    (ann,) = await open_accounts(house.store, ANN)
    numbers = [await house.arrive(ann, f"<{n}@x>", "bob@x.example") for n in range(5)]
    assert await house.found("bob@x.example", most=2) == [numbers[4], numbers[3]]
    assert await house.found("bob@x.example", since="2m") == numbers[:1:-1]
    house.clock.at += timedelta(days=1)
    assert await house.found("bob@x.example", since="1h") == []


async def test_what_was_deleted_is_found_until_it_is_forgotten(house: House) -> None:
    (ann,) = await open_accounts(house.store, ANN)
    number = await house.arrive(ann, "<1@x>", "bob@x.example")
    assert await house.found("<1@x>") == [number]
    inbox = await house.store.read(lambda tx: tx.mailboxes.find(ann, "INBOX"))
    assert inbox is not None
    await house.store.write(
        lambda tx: tx.messages.remove(inbox.id, tx.messages.view(inbox.id).uids)
    )
    house.clock.turn(days=80)
    now = house.clock.now()
    await forget_destroyed(house.store, now)
    await house.store.write(lambda tx: tx.messages.forget_tombstones(now))
    assert await house.found("<1@x>") == [number]
    assert await house.found(number) == [number]
    assert await house.store.write(lambda tx: tx.passports.forget(now)) == 1
    assert await house.found("<1@x>") == []


@pytest.mark.parametrize(
    ("asked", "fault"),
    [
        (MessageTrace(""), BadInput),
        (MessageTrace("<>"), BadInput),
        (MessageTrace("x", most=0), BadInput),
        (MessageTrace("x", most=1_001), BadInput),
        (MessageTrace("x", since="soon"), BadInput),
        (MessageTrace("m9"), MessageMissing),
    ],
)
async def test_what_cannot_be_meant(
    house: House, asked: MessageTrace, fault: type[Exception]
) -> None:
    with pytest.raises(fault):
        await tracing.find(house.store, house.clock, asked)


@pytest.mark.parametrize("what", ["\0", "\ud800", "\x1b[2J", "a" * 100_000, "@", "x y z", "<a@b"])
async def test_odd_texts_find_nothing(house: House, what: str) -> None:
    assert await house.found(what) == []


async def test_a_full_disk_hides_nothing_that_was_found_before(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    (ann,) = await open_accounts(house.store, ANN)
    number = await house.arrive(ann, "<1@x>", "bob@x.example")
    assert await house.found("<1@x>") == [number]
    await house.arrive(ann, "<1@x>", "bob@x.example")

    async def write(*_: object) -> None:
        raise DiskLow("full")

    monkeypatch.setattr(house.store, "write", write)
    assert await house.found("<1@x>") == [number]
