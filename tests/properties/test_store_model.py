"""The store against a model of it: any order of deliveries, STORE, COPY, MOVE, EXPUNGE, RENAME."""

import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
)

from mailbox_server.model.errors import MailboxExists, MailboxNameMalformed, StateTooOld
from mailbox_server.model.ids import MailboxId, ModSeq
from mailbox_server.model.uid_set import UidSet
from mailbox_server.store.ports import Edit, FlagChange
from mailbox_server.store.repositories import Repositories
from tests.contract.workbench import Workbench, analysis, flags_of
from tests.properties.account_follower import Follower

KEYWORDS = st.frozensets(st.sampled_from(["\\Seen", "\\Flagged", "work", "$Junk"]), max_size=3)
NAMES = st.frozensets(
    st.sampled_from(["\\Seen", "\\Flagged", "\\Deleted", "work", "$Junk"]), max_size=3
)
UIDS = st.lists(st.integers(1, 6), min_size=1, max_size=6, unique=True).map(sorted)
LEVELS = st.lists(st.sampled_from("abc"), min_size=1, max_size=3).map("/".join)


@dataclass
class Letter:
    """One message: whatever its placements, its keywords are its own."""

    keywords: frozenset[str]
    size: int


@dataclass
class Place:
    """One placement."""

    letter: Letter
    deleted: bool
    modseq: int


@dataclass
class Box:
    """One mailbox."""

    number: MailboxId
    uid_validity: int
    uid_next: int = 1
    highest: int = 0
    places: dict[int, Place] = field(default_factory=dict)
    expunged: dict[int, int] = field(default_factory=dict)
    floor: int = 0


class StoreModel(RuleBasedStateMachine):
    """Rules do the same to both; the invariants compare all that a client can see."""

    boxes = Bundle("boxes")

    @initialize(target=boxes)
    def open_account(self) -> MultipleResults[str]:
        self.files = tempfile.TemporaryDirectory()
        self.bench = Workbench(None, Path(self.files.name))
        self.account = self.bench.open_account()
        self.modseq = 1
        self.validities: set[int] = set()
        self.model: dict[str, Box] = {}
        found = self.bench.read(lambda tx: tx.mailboxes.all(self.account))
        for each in sorted(found, key=lambda each: each.uid_validity):
            self._add_box(each.name)
        self.follower = Follower(self.bench, self.account)
        # Begin with something to act on, in few enough places that messages meet.
        for also in ("INBOX", "INBOX", "Archive"):
            self._deliver("INBOX", also, frozenset(), deleted=False, size=1)
        return multiple("INBOX", "Archive")

    def teardown(self) -> None:
        if hasattr(self, "bench"):
            self.bench.close()
            self.files.cleanup()

    def _add_box(self, name: str) -> None:
        found = self.bench.read(lambda tx: tx.mailboxes.find(self.account, name))
        assert found is not None
        assert found.uid_validity > max(self.validities, default=0)
        self.validities.add(found.uid_validity)
        self.model[name] = Box(found.id, found.uid_validity, highest=found.highest_modseq)

    def _box(self, name: str) -> Box:
        """The mailbox of that name, or INBOX where it is gone."""
        return self.model.get(name, self.model["INBOX"])

    def _place(self, box: Box, letter: Letter, deleted: bool) -> int:
        uid = box.uid_next
        box.uid_next += 1
        box.places[uid] = Place(letter, deleted, self.modseq)
        box.highest = self.modseq
        return uid

    def _bury(self, box: Box, uids: list[int]) -> None:
        for uid in uids:
            del box.places[uid]
            box.expunged[uid] = self.modseq
            box.highest = self.modseq

    # -------------------------------------------------------------------- rules

    @rule(
        name=boxes,
        also=boxes,
        keywords=KEYWORDS,
        deleted=st.booleans(),
        size=st.integers(0, 9),
        answers=st.sampled_from(["", "1@x", "2@x"]),
    )
    def deliver(
        self,
        name: str,
        also: str,
        keywords: frozenset[str],
        deleted: bool,
        size: int,
        answers: str,
    ) -> None:
        self._deliver(name, also, keywords, deleted=deleted, size=size, answers=answers)

    def _deliver(
        self,
        name: str,
        also: str,
        keywords: frozenset[str],
        *,
        deleted: bool,
        size: int,
        answers: str = "",
    ) -> None:
        chosen = [self._box(name)]
        if self._box(also) is not chosen[0]:
            chosen.append(self._box(also))
        placed = self.bench.deliver(
            self.account,
            *(box.number for box in chosen),
            octets=b"x" * size,
            trace=b"",
            keywords=sorted(keywords),
            deleted=deleted,
            what=analysis(subject="s", references=[answers]) if answers else None,
        )
        self.modseq += 1
        letter = Letter(keywords, size)
        expected = [self._place(box, letter, deleted) for box in chosen]
        assert [each.uid for each in placed] == expected

    @rule(name=boxes, uids=UIDS, edit=st.sampled_from(Edit), names=NAMES, since=st.integers(0, 3))
    def store(
        self, name: str, uids: list[int], edit: Edit, names: frozenset[str], since: int
    ) -> None:
        box = self._box(name)
        unchanged_since = ModSeq(self.modseq - since) if since else None
        outcome = self.bench.write(
            lambda tx: tx.messages.change_flags(
                box.number, uids, FlagChange(edit, names), unchanged_since
            )
        )
        live = [uid for uid in uids if uid in box.places]
        modified = {uid for uid in live if since and box.places[uid].modseq > self.modseq - since}
        assert outcome.modified == UidSet.of(modified)
        given = names - {"\\Deleted"}
        stamped: list[tuple[Box, Place]] = []
        wanted: dict[int, frozenset[str]] = {}
        for uid in live:
            if uid in modified:
                continue
            place = box.places[uid]
            old = place.letter.keywords
            new = {Edit.ADD: old | given, Edit.REMOVE: old - given, Edit.REPLACE: given}[edit]
            deleted = place.deleted
            if edit is Edit.REPLACE or "\\Deleted" in names:
                deleted = "\\Deleted" in names and edit is not Edit.REMOVE
            if new != old or deleted != place.deleted:
                stamped.append((box, place))
            if new != old:
                wanted[id(place.letter)] = new
            place.deleted = deleted
        for each in self.model.values():
            stamped += [
                (each, place) for place in each.places.values() if id(place.letter) in wanted
            ]
        if not stamped:
            assert outcome.modseq == box.highest
            return
        self.modseq += 1
        assert outcome.modseq == self.modseq
        for each, place in stamped:
            place.letter.keywords = wanted.get(id(place.letter), place.letter.keywords)
            place.modseq = each.highest = self.modseq

    @rule(name=boxes, uids=UIDS, goal=boxes, moves=st.booleans())
    def copy_or_move(self, name: str, uids: list[int], goal: str, moves: bool) -> None:
        box, target = self._box(name), self._box(goal)
        live = [uid for uid in uids if uid in box.places]
        verb = self.bench.tx.messages.move if moves else self.bench.tx.messages.copy
        copied = self.bench.write(lambda tx: verb(box.number, uids, target.number))
        assert copied.uid_validity == target.uid_validity
        assert list(copied.sources) == live
        if not live:
            assert not copied.targets
            return
        self.modseq += 1
        places = [box.places[uid] for uid in live]
        if moves:
            self._bury(box, live)
        expected = [self._place(target, place.letter, place.deleted) for place in places]
        assert list(copied.targets) == expected

    @rule(name=boxes, uids=st.none() | UIDS)
    def expunge(self, name: str, uids: list[int] | None) -> None:
        box = self._box(name)
        gone = self.bench.write(lambda tx: tx.messages.expunge(box.number, uids)).uids
        expected = [
            uid
            for uid, place in box.places.items()
            if place.deleted and (uids is None or uid in uids)
        ]
        assert gone == UidSet.of(expected)
        self.modseq += bool(expected)
        self._bury(box, expected)

    @rule(name=boxes, uids=UIDS)
    def remove(self, name: str, uids: list[int]) -> None:
        box = self._box(name)
        gone = self.bench.write(lambda tx: tx.messages.remove(box.number, uids))
        expected = [uid for uid in uids if uid in box.places]
        assert gone == UidSet.of(expected)
        self.modseq += bool(expected)
        self._bury(box, expected)

    @rule(target=boxes, name=LEVELS)
    def create(self, name: str) -> str:
        levels = name.split("/")
        missing = [
            each
            for depth in range(1, len(levels) + 1)
            if (each := "/".join(levels[:depth])) not in self.model
        ]
        try:
            self.bench.write(lambda tx: tx.mailboxes.create(self.account, name))
        except MailboxExists:
            assert not missing or missing[-1] != name
            return name
        self.modseq += 1
        assert missing[-1] == name
        for each in missing:
            self._add_box(each)
        return name

    @precondition(lambda self: hasattr(self, "model"))
    @rule(name=LEVELS)
    def delete(self, name: str) -> None:
        if name not in self.model:
            return
        self.bench.write(lambda tx: tx.mailboxes.delete(self.account, name))
        self.modseq += 1
        del self.model[name]

    @rule(target=boxes, name=st.just("INBOX") | LEVELS, new_name=LEVELS)
    def rename(self, name: str, new_name: str) -> str:
        if name not in self.model:
            return name
        moved = {
            old: new_name + old[len(name) :]
            for old in self.model
            if old == name or (name != "INBOX" and old.startswith(name + "/"))
        }
        taken = new_name in self.model or any(
            new in self.model and new not in moved for new in moved.values()
        )
        try:
            self.bench.write(lambda tx: tx.mailboxes.rename(self.account, name, new_name))
        except (MailboxExists, MailboxNameMalformed):
            assert taken or new_name.startswith(name + "/")
            return name
        assert not taken
        self.modseq += 1
        leaving = {} if name == "INBOX" else {old: self.model.pop(old) for old in moved}
        levels = new_name.split("/")
        for depth in range(1, len(levels)):
            above = "/".join(levels[:depth])
            if above not in self.model:
                self._add_box(above)
        if name == "INBOX":
            inbox = self.model[name]
            self._add_box(new_name)
            places = list(inbox.places.values())
            self._bury(inbox, list(inbox.places))
            for place in places:
                self._place(self.model[new_name], place.letter, place.deleted)
        else:
            self.model.update({moved[old]: box for old, box in leaving.items()})
        return new_name

    @rule()
    def forget(self) -> None:
        """Everything old is forgotten; what is live stays."""
        self.bench.turn(days=100)
        while self.bench.forget_destroyed(self.bench.now):
            pass
        while self.bench.write(lambda tx: tx.messages.forget_tombstones(self.bench.now)):
            pass
        while self.bench.write(lambda tx: tx.passports.forget(self.bench.now)):
            pass
        for box in self.model.values():
            box.floor = max(box.expunged.values(), default=box.floor)
            box.expunged.clear()

    @precondition(lambda self: hasattr(self, "model"))
    @rule(limit=st.integers(1, 4), most_pages=st.integers(1, 6))
    def follow(self, limit: int, most_pages: int) -> None:
        self.follower.catch_up(limit, most_pages)

    # -------------------------------------------------------------------- what must hold

    @invariant()
    def the_store_is_sound(self) -> None:
        if hasattr(self, "bench"):
            assert self.bench.broken() == []

    @invariant()
    def clients_see_what_the_model_holds(self) -> None:
        if not hasattr(self, "model"):
            return
        self.bench.read(self._compare_all)

    def _compare_all(self, tx: Repositories) -> None:
        found = tx.mailboxes.all(self.account)
        assert {each.name: each.id for each in found} == {
            name: box.number for name, box in self.model.items()
        }
        assert tx.accounts.modseq(self.account) == self.modseq
        letters: dict[int, int] = {}
        for each in found:
            box = self.model[each.name]
            assert (each.uid_validity, each.uid_next) == (box.uid_validity, box.uid_next)
            assert each.highest_modseq == box.highest
            self._compare(tx, box)
            letters.update((id(place.letter), place.letter.size) for place in box.places.values())
        usage = tx.accounts.usage(self.account)
        assert (usage.messages, usage.octets) == (len(letters), sum(letters.values()))

    def _compare(self, tx: Repositories, box: Box) -> None:
        view = tx.messages.view(box.number)
        places = box.places
        assert list(view.uids) == list(places)
        assert list(view.modseqs) == [place.modseq for place in places.values()]
        assert flags_of(tx, box.number) == {
            uid: place.letter.keywords | ({"\\Deleted"} if place.deleted else frozenset())
            for uid, place in places.items()
        }
        status = tx.mailboxes.status(box.number)
        values = list(places.values())
        assert (status.messages, status.unseen, status.deleted, status.octets) == (
            len(values),
            sum("\\Seen" not in place.letter.keywords for place in values),
            sum(place.deleted for place in values),
            sum(place.letter.size for place in values),
        )
        base = ModSeq(max(1, self.modseq - 3))
        try:
            changes = tx.messages.changes_since(box.number, base)
        except StateTooOld:
            assert base < box.floor
            return
        assert base >= box.floor
        assert {each.uid for each in changes.changed} == {
            uid for uid, place in places.items() if place.modseq > base
        }
        vanished = {uid for uid, modseq in box.expunged.items() if modseq > base}
        assert set(changes.vanished) == vanished


StoreModel.TestCase.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)
# A machine with other work to do takes several times as long.
TestStoreModel = pytest.mark.timeout(600)(StoreModel.TestCase)
