"""Mail is not lost where the store believes, by a fault, that nothing of it lies anywhere.

The fault is made by hand: rows that say where messages lie are deleted (store.message_blocks).
"""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
import sqlalchemy as sa

from mailbox_server.model.ids import MailboxId
from mailbox_server.model.state_token import StateToken
from mailbox_server.ops.housekeeping import Housekeeping
from mailbox_server.store import destroyed_messages, keyword_sets, message_blocks
from mailbox_server.store.destroyed_messages import Forgotten, forget_destroyed
from mailbox_server.store.door import SqliteStore
from mailbox_server.store.integrity import violations
from mailbox_server.store.ports import Column, Edit, FlagChange, TextCriterion, TextScope
from mailbox_server.store.removed_accounts import purge_removed
from mailbox_server.store.repositories import Repositories
from mailbox_server.store.schema.accounts import account
from mailbox_server.store.schema.messages import message, message_block, placement
from tests.contract.test_housekeeping import AwaitedEvents, events, job, keeper  # noqa: F401
from tests.contract.test_store_purging import deliver, inbox_of, open_accounts
from tests.contract.workbench import ANN, BEN, Workbench, analysis, at_once
from tests.properties.test_placements_at_random import Play

OCTETS = b"Subject: s\r\n\r\n" + bytes(range(256)) * 3


def lose_blocks(tx: Any, *mailboxes: MailboxId) -> None:
    """Delete what says where the messages in these mailboxes lie, or in all."""
    assert isinstance(tx, Repositories)
    lost = sa.delete(message_block)
    if mailboxes:
        lost = lost.where(message_block.c.mailbox.in_(mailboxes))
    tx.sql.connection.execute(lost)


def octets_of(bench: Workbench, mailbox: MailboxId, uid: int) -> bytes:
    """What FETCH of the whole message reads."""

    def work(tx: Repositories) -> bytes:
        ((_, content),) = tx.messages.rows(mailbox, [uid], [Column.CONTENT])
        return tx.contents.read(content, 0, tx.contents.size(content))  # type: ignore[arg-type]

    return bench.read(work)


def usage(bench: Workbench) -> list[tuple[int, int]]:
    return bench.read(lambda tx: tx.sql.rows(sa.select(account.c.messages, account.c.octets)))


def forgotten(bench: Workbench) -> Forgotten:
    return at_once(forget_destroyed(bench.as_store(), bench.now))


class House:
    """A message in INBOX and twice in Work, where nobody knows of it."""

    def __init__(self, bench: Workbench) -> None:
        self.bench = bench
        self.ann = bench.open_account()
        self.inbox = bench.mailbox(self.ann).id
        self.work = bench.mailbox(self.ann, "Work").id
        what = analysis(subject="s", text="needle")
        (placed,) = bench.deliver(self.ann, what=what, octets=OCTETS, keywords=["$a"])
        self.message = placed.message
        for _ in range(2):
            bench.write(lambda tx: tx.messages.copy(self.inbox, [1], self.work))
        bench.write(lambda tx: lose_blocks(tx, self.work))

    def expunge(self) -> None:
        self.bench.write(lambda tx: tx.messages.remove(self.inbox, [1]))
        destroyed = sa.select(message.c.id).where(message.c.destroyed_at.is_not(None))
        assert self.bench.read(lambda tx: tx.sql.rows(destroyed)) == [(self.message,)]
        self.bench.turn(days=2)


@pytest.fixture
def house(bench: Workbench) -> House:
    return House(bench)


def test_until_the_night_it_is_read_and_searched_as_before(house: House) -> None:
    house.expunge()
    bench, work = house.bench, house.work
    assert octets_of(bench, work, 2) == OCTETS
    body = TextCriterion(TextScope.BODY, "needle")
    assert bench.read(lambda tx: tx.messages.matching(work, body, [1, 2])) == [1, 2]
    assert bench.flags(work) == {1: {"$a"}, 2: {"$a"}}
    copied = bench.write(lambda tx: tx.messages.copy(work, [2], house.inbox))
    assert octets_of(bench, house.inbox, next(iter(copied.targets))) == OCTETS
    assert forgotten(bench).mended == 1


def test_what_still_lies_is_not_taken_but_made_whole(house: House) -> None:
    bench = house.bench
    counted = usage(bench)
    house.expunge()
    assert usage(bench) == [(0, 0)]
    assert forgotten(bench) == Forgotten(0, 1, (house.message,))
    assert usage(bench) == counted
    assert bench.broken() == []
    assert octets_of(bench, house.work, 1) == octets_of(bench, house.work, 2) == OCTETS
    base = bench.read(lambda tx: tx.changes.state(house.ann))
    # It is known from now on where it lies: the last copy takes it along, as it should.
    bench.write(lambda tx: tx.messages.remove(house.work, [1]))
    assert forgotten(bench) == Forgotten()
    bench.write(lambda tx: tx.messages.remove(house.work, [2]))
    bench.turn(days=2)
    assert forgotten(bench) == Forgotten(1)
    told = bench.read(lambda tx: tx.changes.messages_since(house.ann, base, 9))
    assert told.destroyed == (house.message,)


def test_jmap_is_told_that_it_is_there(house: House) -> None:
    """store.md §4.4: one that is seen again is created again."""
    bench = house.bench
    seen = bench.read(lambda tx: tx.changes.state(house.ann))
    house.expunge()
    gone = bench.read(lambda tx: tx.changes.state(house.ann))
    forgotten(bench)

    def since(state: StateToken) -> Any:
        return bench.read(lambda tx: tx.changes.messages_since(house.ann, state, 9))

    assert since(gone).created == (house.message,)
    assert house.message in since(seen).created + since(seen).updated


def test_where_each_copy_is_deleted_jmap_sees_it_no_more(house: House) -> None:
    bench = house.bench
    deleted = FlagChange(Edit.ADD, frozenset(["\\Deleted"]))
    bench.write(lambda tx: tx.messages.change_flags(house.work, [1, 2], deleted))
    house.expunge()
    gone = bench.read(lambda tx: tx.changes.state(house.ann))
    assert forgotten(bench).mended == 1
    assert bench.broken() == []
    told = bench.read(lambda tx: tx.changes.messages_since(house.ann, gone, 9))
    assert (told.created, told.updated) == ((), ())
    assert bench.write(lambda tx: tx.messages.expunge(house.work)).uids
    bench.turn(days=2)
    assert forgotten(bench) == Forgotten(1)


def test_the_newest_keywords_are_all_copies_keywords(house: House) -> None:
    bench = house.bench
    house.expunge()
    # By a STORE of one that reaches none of the others.
    seen = FlagChange(Edit.ADD, frozenset(["\\Seen", "$b"]))
    bench.write(lambda tx: tx.messages.change_flags(house.work, [1], seen))
    assert bench.flags(house.work)[2] == {"$a"}
    assert forgotten(bench).mended == 1
    assert bench.flags(house.work) == {uid: {"$a", "$b", "\\Seen"} for uid in (1, 2)}
    assert bench.broken() == []


def test_it_is_kept_where_a_mailbox_takes_no_more_keywords(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = house.bench
    house.expunge()
    # Copied while nobody knows of it, so that what is changed there stays there.
    bench.write(lambda tx: tx.messages.copy(house.work, [1], house.inbox))
    bench.write(lambda tx: lose_blocks(tx, house.inbox, house.work))
    flag = FlagChange(Edit.ADD, frozenset(["$b"]))
    bench.write(lambda tx: tx.messages.change_flags(house.inbox, [2], flag))
    monkeypatch.setattr(keyword_sets, "KEYWORDS_A_MAILBOX", 1)
    assert forgotten(bench).mended == 1
    assert octets_of(bench, house.work, 1) == OCTETS
    assert {name for name, _ in bench.broken()} == {
        "all live placements of a message have the same keywords and know of each other"
    }
    monkeypatch.undo()
    bench.write(lambda tx: tx.messages.remove(house.inbox, [2]))


def test_one_that_is_expunged_everywhere_after_all_is_forgotten(house: House) -> None:
    house.expunge()
    house.bench.write(lambda tx: tx.messages.remove(house.work, [1, 2]))
    house.bench.turn(days=2)
    assert forgotten(house.bench) == Forgotten(1)


def test_a_message_marked_as_alone_that_is_not_is_kept(bench: Workbench) -> None:
    """The flipped bit of `shared`, with which nobody asks for other placements at all."""
    ann = bench.open_account()
    inbox, work = bench.mailbox(ann).id, bench.mailbox(ann, "Work").id
    bench.deliver(ann, inbox, work, octets=OCTETS)
    flip = sa.update(placement).where(placement.c.mailbox == inbox).values(shared=0)
    bench.write(lambda tx: tx.sql.connection.execute(flip))
    bench.write(lambda tx: tx.messages.remove(inbox, [1]))
    bench.turn(days=2)
    assert forgotten(bench).mended == 1
    assert octets_of(bench, work, 1) == OCTETS


class Meddling:
    """A door at which something else is done before each read and write."""

    def __init__(self, bench: Workbench, meddle: Callable[[], object]) -> None:
        self._door = bench.as_store()
        self._meddle = meddle

    async def read(self, work: Any) -> Any:
        self._meddle()
        return await self._door.read(work)

    async def write(self, work: Any) -> Any:
        self._meddle()
        return await self._door.write(work)


def test_it_is_found_wherever_it_is_moved_meanwhile(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From mailboxes that were not looked at yet to those that were, at each step."""
    monkeypatch.setattr(destroyed_messages, "LOOKED_AT_A_READ", 1)
    bench = house.bench
    bench.write(lambda tx: tx.messages.remove(house.work, [2]))
    house.expunge()
    for _ in range(3):
        bench.deliver(house.ann)
    boxes = [bench.mailbox(house.ann, name).id for name in ("INBOX", "Work", "Z", "A")]
    steps = [0]

    def move() -> None:
        """There is always a mailbox where it is not, and it goes round."""
        if steps[0] > 12:
            return
        at = MailboxId(bench.read(lambda tx: tx.sql.rows(lying))[0][0])
        uid = bench.read(lambda tx: tx.sql.rows(lying))[0][1]
        goal = boxes[steps[0] % 4]
        steps[0] += 1
        bench.write(lambda tx: tx.messages.move(at, [uid], goal))
        # Of what it became known where it lies nothing helps.
        bench.write(lose_blocks)

    lying = sa.select(placement.c.mailbox, placement.c.uid).where(
        placement.c.message == house.message, placement.c.expunged_at.is_(None)
    )
    done = at_once(forget_destroyed(Meddling(bench, move), bench.now))  # type: ignore[arg-type]
    assert (done.messages, done.mended) == (0, 1)
    assert steps[0] > 4
    ((at, uid),) = bench.read(lambda tx: tx.sql.rows(lying))
    assert octets_of(bench, at, uid) == OCTETS
    # What was lost by hand once more, after it was mended.
    for box in boxes:
        bench.write(lambda tx, box=box: message_blocks.mend(tx.sql, house.ann, box, 0, 1_000))


def test_what_is_destroyed_while_it_is_looked_at_waits(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A look says nothing of what was destroyed after it had seen it."""
    monkeypatch.setattr(destroyed_messages, "STEP", 1)
    bench = house.bench
    bench.deliver(house.ann)
    bench.write(lambda tx: tx.messages.remove(house.inbox, [2]))
    bench.turn(days=2)

    def expunge() -> None:
        taken = sa.select(message.c.id).where(message.c.content.is_(None))
        if bench.read(lambda tx: tx.sql.rows(taken)):
            bench.write(lambda tx: tx.messages.remove(house.inbox, [1]))

    door: Any = Meddling(bench, expunge)
    assert at_once(forget_destroyed(door, bench.now + timedelta(days=1))) == Forgotten(1)
    bench.turn(days=2)
    assert forgotten(bench) == Forgotten(0, 1, (house.message,))


async def test_a_night_passes_over_lost_blocks(
    store: SqliteStore,
    clock: Any,
    keeper: Housekeeping,  # noqa: F811
    events: AwaitedEvents,  # noqa: F811
) -> None:
    ann, ben = await open_accounts(store, ANN, BEN)
    for number in range(40):
        await deliver(store, ann, ben, message_id=f"{number}@x")
    inbox = await inbox_of(store, ann)
    work = await store.write(lambda tx: tx.mailboxes.create(ann, "Work"))
    await store.write(lambda tx: tx.messages.copy(inbox.id, range(1, 41), work.id))
    await store.write(lambda tx: lose_blocks(tx, inbox.id, work.id))
    await store.write(lambda tx: tx.messages.remove(inbox.id, range(1, 41)))
    await store.write(lambda tx: tx.messages.remove(work.id, [7]))
    for _ in range(3):
        clock.turn(days=1)
        for name in ("collect contents", "forget tombstones", "forget passports"):
            await keeper.do(job(name))
    assert events.faults == []
    ((name, fields),) = [each for each in events.seen if each[0] == "store.mended"]
    assert fields["messages"] == 39 and len(str(fields["named"]).split()) == 20
    view = await store.read(lambda tx: tx.messages.view(work.id))
    assert len(view.uids) == 39

    def read(tx: Any) -> set[bytes]:
        rows = tx.messages.rows(work.id, view.uids, [Column.CONTENT])
        return {tx.contents.read(content, 0, 100) for _, content in rows}

    assert await store.read(read) == {b"Subject: s\r\n\r\nbody\r\n"}
    stamps = await store.read(lambda tx: tx.passports.of(view.messages[0]))
    assert [each.stage for each in stamps] == ["store.mended"]
    assert await violations(store) == []


async def test_a_removed_account_leaves_nothing_though_its_blocks_are_lost(
    store: SqliteStore,
) -> None:
    (ann,) = await open_accounts(store, ANN)
    for number in range(3):
        await deliver(store, ann, message_id=f"{number}@x")
    await store.write(lose_blocks)
    await store.write(lambda tx: tx.accounts.remove(ann))
    assert await purge_removed(store) == 3
    assert await violations(store) == []


@pytest.mark.parametrize("seed", range(6))
def test_no_live_mail_is_taken_whatever_is_lost(tmp_path: Path, seed: int) -> None:
    """Random changes, and between them rows of blocks that vanish."""
    bench = Workbench(None, tmp_path)
    random = Random(seed)
    play = Play(bench, random)
    mended = 0
    for _ in range(90):
        bench.turn(hours=random.choice((0, 1, 30)))
        random.choice(play.steps)()
        if random.random() < 0.3:
            bench.write(lambda tx: lose_blocks(tx, random.choice(play.boxes)))
        if random.random() < 0.2:
            mended += forgotten(bench).mended
        taken = bench.read(
            lambda tx: tx.sql.rows(
                sa.select(placement.c.mailbox, placement.c.uid)
                .outerjoin_from(placement, message, message.c.id == placement.c.message)
                .where(placement.c.expunged_at.is_(None), message.c.content.is_(None))
            )
        )
        assert taken == []
    bench.turn(days=2)
    mended += forgotten(bench).mended
    assert mended
    wrong = {name for name, _ in bench.broken()}
    assert "a message is destroyed exactly when it has no live placement" not in wrong
    assert "account usage is what a count says" not in wrong
    bench.close()
