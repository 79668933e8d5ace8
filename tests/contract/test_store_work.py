"""Work of the store grows with what is changed, counted in steps of the database's machine."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from random import Random

import pytest

from mailbox_server.model.ids import MailboxId
from mailbox_server.store import expunges
from mailbox_server.store.integrity import INVARIANTS
from mailbox_server.store.ports import Edit, FlagChange
from mailbox_server.store.prepared import Prepared
from mailbox_server.store.repositories import Repositories
from tests.contract.workbench import Workbench
from tests.properties.work_counting import counting, steps_of

FEW, MANY = 256, 512
LIMIT = 2.6
"""Twice as many may take a little more than twice as long: trees grow deeper."""


@pytest.fixture
def make_bench(tmp_path: Path) -> Iterator[Callable[[], Workbench]]:
    """Makes benches in memory; at the end every invariant holds in each."""
    made: list[Workbench] = []

    def make() -> Workbench:
        made.append(Workbench(None, tmp_path))
        return made[-1]

    yield make
    for bench in made:
        assert bench.broken() == []
        bench.close()


Chosen = Callable[[list[int]], list[int]]
Work = Callable[[Workbench, MailboxId, Sequence[int]], object]


def flagged(bench: Workbench, inbox: MailboxId, uids: Sequence[int]) -> object:
    change = FlagChange(Edit.ADD, frozenset({"\\Flagged"}))
    return bench.write(lambda tx: tx.messages.change_flags(inbox, uids, change, None))


def deleted(bench: Workbench, inbox: MailboxId, uids: Sequence[int]) -> object:
    change = FlagChange(Edit.ADD, frozenset({"\\Deleted"}))
    return bench.write(lambda tx: tx.messages.change_flags(inbox, uids, change, None))


def expunged(bench: Workbench, inbox: MailboxId, uids: Sequence[int]) -> object:
    change = FlagChange(Edit.ADD, frozenset({"\\Deleted"}))

    def work(tx: Repositories) -> None:
        tx.messages.change_flags(inbox, uids, change, None)
        tx.messages.expunge(inbox, uids)

    return bench.write(work)


def copies_of_one(bench: Workbench, count: int) -> tuple[MailboxId, list[int]]:
    account = bench.open_account()
    inbox = bench.mailbox(account).id
    bench.deliver(account)
    held = 1
    while held < count:
        uids = list(range(1, held + 1))
        bench.write(lambda tx, uids=uids: tx.messages.copy(inbox, uids, inbox))
        held *= 2
    return inbox, list(range(1, count + 1))


def with_sets_of_their_own(bench: Workbench, count: int) -> tuple[MailboxId, list[int]]:
    account = bench.open_account()
    inbox = bench.mailbox(account).id
    for uid in range(1, count + 1):
        bench.deliver(account)
        names = frozenset(f"k{bit}" for bit in range(10) if uid >> bit & 1)
        change = FlagChange(Edit.ADD, names)
        bench.write(lambda tx, uid=uid, c=change: tx.messages.change_flags(inbox, [uid], c, None))
    return inbox, list(range(1, count + 1))


def steps(
    bench: Workbench,
    make: Callable[[Workbench, int], tuple[MailboxId, list[int]]],
    work: Work,
    chosen: Chosen,
    count: int,
) -> int:
    inbox, uids = make(bench, count)
    with bench.counted() as taken:
        work(bench, inbox, chosen(uids))
        return taken()


@pytest.mark.parametrize(
    "chosen", [lambda uids: uids[::2], lambda uids: uids[: len(uids) // 2]], ids=["odd", "half"]
)
@pytest.mark.parametrize("work", [flagged, deleted, expunged])
def test_copies_of_one_message(
    make_bench: Callable[[], Workbench], work: Work, chosen: Chosen
) -> None:
    few, many = (steps(make_bench(), copies_of_one, work, chosen, n) for n in (FEW, MANY))
    assert many <= LIMIT * few


@pytest.mark.parametrize("work", [deleted, expunged])
def test_one_of_many_placements_goes_at_the_price_of_one(
    make_bench: Callable[[], Workbench], work: Work
) -> None:
    few, many = (
        steps(make_bench(), copies_of_one, work, lambda uids: uids[-1:], count)
        for count in (FEW, 4 * MANY)
    )
    assert many <= 1.2 * few


def after_copies(bench: Workbench, work: Work, copies: int) -> int:
    """The steps of work on 64 messages that were copied elsewhere so often, and expunged there."""
    account = bench.open_account()
    inbox, elsewhere = bench.mailbox(account).id, bench.mailbox(account, "Elsewhere").id
    uids = range(1, 65)
    for _ in uids:
        bench.deliver(account)
    for _ in range(copies):
        copied = bench.write(lambda tx: tx.messages.copy(inbox, uids, elsewhere))
        bench.write(lambda tx, there=tuple(copied.targets): tx.messages.remove(elsewhere, there))
    with bench.counted() as taken:
        work(bench, inbox, uids)
        return taken()


def copied(bench: Workbench, count: int, in_order: Callable[[list[int]], list[int]]) -> MailboxId:
    """Another mailbox with one copy of each message, made one by one."""
    account = bench.open_account()
    inbox, goal = bench.mailbox(account).id, bench.mailbox(account, "Copies").id
    for _ in range(count):
        bench.deliver(account)
    for uid in in_order(list(range(1, count + 1))):
        bench.write(lambda tx, uid=uid: tx.messages.copy(inbox, [uid], goal))
    return goal


def shuffled(uids: list[int]) -> list[int]:
    return Random(1).sample(uids, len(uids))


@pytest.mark.parametrize("work", [expunged, deleted, flagged])
def test_copies_that_stand_as_they_came_cost_little_more_than_copies_in_order(
    work: Work, make_bench: Callable[[], Workbench]
) -> None:
    """What stands beside messages of many blocks is read once for all of them."""
    taken = []
    for order in (list, shuffled):
        bench = make_bench()
        goal = copied(bench, MANY, order)
        with bench.counted() as steps:
            work(bench, goal, range(1, MANY // 2))
        taken.append(steps())
    in_order, by_chance = taken
    assert by_chance < 1.5 * in_order, taken


def test_some_scattered_copies_go_at_the_same_price_however_many_there_are(
    make_bench: Callable[[], Workbench], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where they are fewer than go in one step; here every account is large."""
    monkeypatch.setattr(expunges, "_SMALL_ACCOUNT", 1)
    taken = []
    for count in (MANY, 4 * MANY):
        bench = make_bench()
        goal = copied(bench, count, shuffled)
        with bench.counted() as steps:
            bench.write(lambda tx, goal=goal: tx.messages.remove(goal, range(1, 41)))
        taken.append(steps())
    few, many = taken
    assert many < 1.3 * few, taken


@pytest.mark.parametrize("work", [flagged, deleted, expunged])
def test_what_was_expunged_elsewhere_costs_nothing(
    make_bench: Callable[[], Workbench], work: Work
) -> None:
    once, often = (after_copies(make_bench(), work, copies) for copies in (1, 40))
    assert often <= 1.1 * once


@pytest.mark.parametrize("work", [flagged, deleted])
def test_messages_with_sets_of_their_own(
    make_bench: Callable[[], Workbench], work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here lines of ours count: for each set it must be known where it stands."""
    lines = []
    for count in (FEW, MANY):
        bench = make_bench()
        inbox, uids = with_sets_of_their_own(bench, count)
        with counting(monkeypatch) as counted:
            lines.append(steps_of(counted, partial(work, bench, inbox, uids)))
    few, many = lines
    assert many <= LIMIT * few


def checked(bench: Workbench, rounds: int) -> dict[str, int]:
    """The steps of each check over copies of 256 messages, neighbors far from each other."""
    account = bench.open_account()
    inbox, elsewhere = bench.mailbox(account).id, bench.mailbox(account, "Elsewhere").id
    uids = sorted(range(1, 257), key=lambda uid: uid % 32)
    for _ in uids:
        bench.deliver(account)
    for _ in range(rounds):
        bench.write(lambda tx: [tx.messages.copy(inbox, [uid], elsewhere) for uid in uids])
    steps: dict[str, int] = {}
    for invariant in INVARIANTS:
        check = Prepared(invariant.broken)
        with bench.counted() as taken:
            assert bench.read(lambda tx, check=check: check.rows(tx.sql)) == []
            steps[invariant.name] = taken()
    return steps


def test_a_check_takes_work_that_follows_what_is_there(
    make_bench: Callable[[], Workbench],
) -> None:
    few, many = (checked(make_bench(), rounds) for rounds in (4, 16))
    assert [name for name in few if many[name] > 5 * few[name] + 1] == []


def test_looking_for_crowded_mailboxes_takes_work_that_follows_what_is_there(
    make_bench: Callable[[], Workbench],
) -> None:
    def looked(count: int) -> int:
        bench = make_bench()
        mailbox, uids = copies_of_one(bench, count)
        bench.write(lambda tx: tx.messages.remove(mailbox, uids[::2]))
        with bench.counted() as taken:
            assert bench.write(lambda tx: tx.messages.forget_tombstones(bench.now)) == 0
            return taken()

    few, many = (looked(count) for count in (4 * FEW, 16 * FEW))
    assert many <= 5 * few
