"""What an account's mailboxes hold, as RFC 9051 and RFC 7162 have it, in the plainest way.

The reference that sessions of the server are compared with: no views, no log, no SQL.  What
a change's modseq will be is the server's choice; here it is CHANGED until `settle` learns it
and checks that it was above every modseq of the account before.
"""

import copy
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from mailbox_server.model.uid_set import UidSet

CHANGED: Final = 2**62 - 1
DELETED: Final = "\\Deleted"


@dataclass(frozen=True, slots=True)
class Kept:
    """One message in one mailbox; its content is `world.message(message)`.

    Copies are the same message: what is flagged here is flagged there, but \\Deleted is of
    this place alone.
    """

    message: int
    flags: frozenset[str]
    modseq: int = CHANGED


@dataclass(slots=True)
class Box:
    """One mailbox.  uid_validity is 0 until the server has told it."""

    uid_validity: int = 0
    uid_next: int = 1
    highest: int = 0
    kept: dict[int, Kept] = field(default_factory=dict)

    def add(self, message: int, flags: Iterable[str]) -> int:
        """Put a message in; returns its UID."""
        uid = self.uid_next
        self.kept[uid] = Kept(message, frozenset(flags))
        self.uid_next += 1
        return uid

    def expunge(self, within: Iterable[int] | None = None) -> None:
        """What is \\Deleted goes; of these UIDs or of all."""
        for uid in list(self.kept) if within is None else within:
            if uid in self.kept and DELETED in self.kept[uid].flags:
                del self.kept[uid]

    def flags(self) -> dict[int, frozenset[str]]:
        """The flags of each message by UID."""
        return {uid: held.flags for uid, held in self.kept.items()}


@dataclass(slots=True)
class AccountModel:
    """All mailboxes of an account; numbers stand for mailboxes whatever their names.

    highest: no modseq of the account was above it when the model last settled.
    """

    boxes: dict[int, Box] = field(default_factory=dict)
    names: dict[str, int] = field(default_factory=dict)
    highest: int = 0
    made: int = 0

    def create(self, name: str) -> int:
        """Make a mailbox; returns its number."""
        self.made += 1
        self.names[name] = self.made
        self.boxes[self.made] = Box()
        return self.made

    def delete(self, name: str) -> None:
        """Forget a mailbox."""
        del self.boxes[self.names.pop(name)]

    def rename(self, name: str, new: str) -> None:
        """Another name; INBOX stays and gives away what it holds (RFC 9051 §6.3.6)."""
        if name != "INBOX":
            self.names[new] = self.names.pop(name)
            return
        inbox, number = self.boxes[self.names[name]], self.create(new)
        for uid in sorted(inbox.kept):
            held = inbox.kept.pop(uid)
            self.boxes[number].add(held.message, held.flags)

    def change(self, box: int, uid: int, flags: frozenset[str]) -> None:
        """Set flags; those that stay as they were are no change."""
        message = self.boxes[box].kept[uid].message
        for number, other in self.boxes.items():
            for at, held in other.kept.items():
                if held.message == message:
                    is_deleted = flags if (number, at) == (box, uid) else held.flags
                    new = (flags - {DELETED}) | (is_deleted & {DELETED})
                    if new != held.flags:
                        other.kept[at] = Kept(message, new)

    def name_of(self, number: int) -> str:
        """The name of a mailbox now."""
        return next(name for name, held in self.names.items() if held == number)

    def copy(self, source: int, uids: Iterable[int], target: int) -> tuple[list[int], list[int]]:
        """Copy those that are there, in their order; returns their UIDs and the new ones."""
        held = [(uid, self.boxes[source].kept[uid]) for uid in self.present(source, uids)]
        new = [self.boxes[target].add(kept.message, kept.flags) for _, kept in held]
        return [uid for uid, _ in held], new

    def move(self, source: int, uids: Iterable[int], target: int) -> tuple[list[int], list[int]]:
        """Copy, and the sources go."""
        sources, targets = self.copy(source, uids, target)
        for uid in sources:
            del self.boxes[source].kept[uid]
        return sources, targets

    def present(self, box: int, uids: Iterable[int]) -> list[int]:
        """Those of the UIDs that are there, ascending."""
        return sorted(uid for uid in set(uids) if uid in self.boxes[box].kept)

    def clone(self) -> "AccountModel":
        """One that goes its own way."""
        return copy.deepcopy(self)

    def settle(self, told: dict[str, Box]) -> list[str]:
        """Compare with what the server keeps, learn its modseqs, and say what is wrong."""
        if set(told) != set(self.names):
            return [f"mailboxes {sorted(told)}, not {sorted(self.names)}"]
        wrong: list[str] = []
        for name, real in told.items():
            box = self.boxes[self.names[name]]
            wrong += [f"{name}: {fault}" for fault in _difference(box, real, self.highest)]
            box.uid_validity, box.highest = real.uid_validity, real.highest
            for uid in box.kept.keys() & real.kept.keys():
                held = box.kept[uid]
                box.kept[uid] = Kept(held.message, held.flags, real.kept[uid].modseq)
        self.highest = max([self.highest, *(box.highest for box in told.values())])
        return wrong


def _difference(box: Box, real: Box, before: int) -> list[str]:
    if box.flags() != real.flags():
        return [f"holds {_flags(real)}, not {_flags(box)}"]
    wrong: list[str] = []
    if box.uid_next != real.uid_next:
        wrong.append(f"UIDNEXT {real.uid_next}, not {box.uid_next}")
    if box.uid_validity and box.uid_validity != real.uid_validity:
        wrong.append(f"UIDVALIDITY {real.uid_validity}, not {box.uid_validity}")
    for uid, held in box.kept.items():
        modseq = real.kept[uid].modseq
        if held.modseq != modseq and (held.modseq != CHANGED or modseq <= before):
            wrong.append(f"UID {uid} has MODSEQ {modseq}, had {held.modseq}; before: {before}")
        if modseq > real.highest:
            wrong.append(f"UID {uid} has MODSEQ {modseq} above HIGHESTMODSEQ {real.highest}")
    if real.highest < box.highest:
        wrong.append(f"HIGHESTMODSEQ fell from {box.highest} to {real.highest}")
    return wrong


def _flags(box: Box) -> str:
    held = {uid: sorted(flags) for uid, flags in sorted(box.flags().items())}
    return f"{held} of {UidSet.of(held).text()}"
