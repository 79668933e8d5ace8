"""What mailboxes and accounts count stays exact, whatever is done to runs of many placements.

The model in test_store_model has few messages; here runs go over whole blocks of UIDs, have
gaps and mixed flags, and lead to another account too.  The invariants are asked for after
each step.
"""

from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from mailbox_server.model.ids import AccountId, MailboxId
from mailbox_server.model.keywords import FlagKind
from mailbox_server.store import expunges
from mailbox_server.store.ports import Copier, Edit, FlagChange
from tests.contract.workbench import ANN, BEN, Workbench

STEPS = 70
KEYWORDS = ((), ("\\Seen",), ("\\Flagged",), ("\\Seen", "$a"), ("$b",))
CHANGED = ("\\Seen", "\\Deleted", "\\Deleted", "\\Flagged", "$a")


class Play:
    """Two accounts with five mailboxes, and one step after the other."""

    def __init__(self, bench: Workbench, random: Random) -> None:
        self.bench = bench
        self.random = random
        ann, ben = bench.open_account(ANN), bench.open_account(BEN)
        self.owners: dict[MailboxId, AccountId] = {}
        for owner, names in ((ann, ("INBOX", "A", "B")), (ben, ("INBOX", "X"))):
            self.owners.update((bench.mailbox(owner, name).id, owner) for name in names)
        self.boxes = list(self.owners)
        self.steps: list[Callable[[], None]] = [
            *[self.deliver] * 3,
            *[self.carry] * 5,
            *[self.flag] * 4,
            self.move_within,
            self.expunge,
            self.expunge_all,
            self.remove,
        ]

    def uids(self, box: MailboxId) -> list[int]:
        """A run, single ones, or all; some of them gone or never there."""
        highest = max(self.bench.flags(box), default=1) + 2
        first = self.random.randint(1, highest)
        return self.random.choice(
            (
                list(range(first, min(first + self.random.randint(0, 90), highest) + 1)),
                list(range(1, highest + 1)),
                sorted(self.random.sample(range(1, highest + 1), min(highest, 12))),
            )
        )

    def deliver(self) -> None:
        box = self.random.choice(self.boxes)
        owner = self.owners[box]
        beside = [each for each in self.boxes if self.owners[each] == owner]
        for _ in range(self.random.randint(1, 25)):
            targets = beside if self.random.random() < 0.2 else [box]
            keywords = self.random.choice(KEYWORDS)
            deleted = self.random.random() < 0.2
            self.bench.deliver(owner, *targets, keywords=keywords, deleted=deleted)

    def carry(self) -> None:
        source, goal = self.random.choices(self.boxes, k=2)
        uids, before = self.uids(source), self.bench.flags(source)
        copier = None
        if self.owners[source] != self.owners[goal] and self.random.random() < 0.7:
            kinds = frozenset(kind for kind in FlagKind if self.random.random() < 0.6)
            copier = Copier(self.random.choice(list(self.owners.values())), kinds)
        moves = self.random.random() < 0.5
        carried = self.bench.write(
            lambda tx: (tx.messages.move if moves else tx.messages.copy)(source, uids, goal, copier)
        )
        live = [uid for uid in uids if uid in before]
        assert list(carried.sources) == live
        assert len(carried.targets) == len(live)
        there = self.bench.flags(goal)
        if self.owners[source] == self.owners[goal]:
            places = zip(carried.sources, carried.targets, strict=True)
            assert all(there[target] == before[uid] for uid, target in places)
        assert not moves or not set(live) & set(self.bench.flags(source))

    def move_within(self) -> None:
        box = self.random.choice(self.boxes)
        uids = self.uids(box)
        self.bench.write(lambda tx: tx.messages.move(box, uids, box))

    def flag(self) -> None:
        box, edit = self.random.choice(self.boxes), self.random.choice(list(Edit))
        uids, names = self.uids(box), frozenset(self.random.sample(CHANGED, 2))
        self.bench.write(lambda tx: tx.messages.change_flags(box, uids, FlagChange(edit, names)))

    def expunge(self) -> None:
        box = self.random.choice(self.boxes)
        uids, before = self.uids(box), self.bench.flags(box)
        gone = self.expunged(box, uids)
        assert gone == [uid for uid in uids if "\\Deleted" in before.get(uid, ())]

    def expunge_all(self) -> None:
        box = self.random.choice(self.boxes)
        before = self.bench.flags(box)
        gone = self.expunged(box, None)
        assert gone == [uid for uid in before if "\\Deleted" in before[uid]]

    def expunged(self, box: MailboxId, within: list[int] | None) -> list[int]:
        """In as many steps as it takes."""
        uids: list[int] = []
        is_part = True
        while is_part:
            gone = self.bench.write(lambda tx: tx.messages.expunge(box, within))
            uids += gone.uids
            is_part = gone.is_part
        return uids

    def remove(self) -> None:
        box = self.random.choice(self.boxes)
        uids = self.uids(box)[:40]
        self.bench.write(lambda tx: tx.messages.remove(box, uids))
        assert not set(uids) & set(self.bench.flags(box))


@pytest.mark.parametrize("is_large", [False, True])
@pytest.mark.parametrize("seed", range(6))
def test_all_counts_stay_exact(
    tmp_path: Path, seed: int, is_large: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if is_large:
        # Messages are asked about singly, in steps of a few, as in an account of many.
        monkeypatch.setattr(expunges, "_SMALL_ACCOUNT", 0)
        monkeypatch.setattr(expunges, "DEAR_STEP", 5)
    bench = Workbench(None, tmp_path)
    random = Random(seed)
    play = Play(bench, random)
    for _ in range(STEPS):
        bench.turn(minutes=random.choice((0, 1, 600)))
        step = random.choice(play.steps)
        step()
        assert bench.broken() == [], step.__name__
    bench.close()
