"""What all mailboxes hold, as a value: read out of a store, or worked out by a model of it.

The model is the oracle: it knows nothing of how the server does things, only what each
transaction must have done when it is done.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from types import MappingProxyType
from typing import Final

from mailbox_server.model.account import Account
from mailbox_server.model.ids import ContentId
from mailbox_server.store.integrity import violations
from mailbox_server.store.ports import Column, ReadTx, Store

_OCTETS_AT_ONCE: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Letter:
    """One message in one mailbox: SHA-256 of its content (without our trace) and its flags."""

    digest: bytes
    flags: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Box:
    """One mailbox: letters by UID."""

    uid_validity: int
    uid_next: int = 1
    letters: Mapping[int, Letter] = field(default_factory=dict)

    def with_added(self, *letters: Letter) -> "Box":
        """The letters come last."""
        numbered = enumerate(letters, self.uid_next)
        return replace(
            self, uid_next=self.uid_next + len(letters), letters={**self.letters, **dict(numbered)}
        )

    def without(self, *uids: int) -> "Box":
        """The UIDs are gone for good."""
        return replace(self, letters={u: one for u, one in self.letters.items() if u not in uids})

    def with_flags(self, uids: tuple[int, ...], *flags: str) -> "Box":
        """The flags are added."""
        changed = {
            u: replace(self.letters[u], flags=self.letters[u].flags | {*flags}) for u in uids
        }
        return replace(self, letters={**self.letters, **changed})


@dataclass(frozen=True, slots=True)
class World:
    """Every mailbox by account and name."""

    boxes: Mapping[tuple[str, str], Box]

    def __getitem__(self, place: tuple[str, str]) -> Box:
        return self.boxes[place]

    def having(self, changed: Mapping[tuple[str, str], Box]) -> "World":
        """The same with these mailboxes instead, or as well."""
        return World(MappingProxyType({**self.boxes, **changed}))

    def renamed(self, account: str, old: str, new: str) -> "World":
        """A mailbox and what lies below it have another name."""
        return World(
            {
                (owner, new + name[len(old) :])
                if owner == account and (name == old or name.startswith(f"{old}/"))
                else (owner, name): box
                for (owner, name), box in self.boxes.items()
            }
        )

    def next_validity(self, account: str) -> int:
        """The UIDVALIDITY of the account's next mailbox."""
        return 1 + max(
            box.uid_validity for (owner, _), box in self.boxes.items() if owner == account
        )


def letter(content: bytes, *flags: str) -> Letter:
    """The letter that this content makes."""
    return Letter(hashlib.sha256(content).digest(), frozenset(flags))


def difference(found: World, wanted: World) -> str:
    """What is not as wanted, for a message to people."""
    told = []
    for place in sorted({*found.boxes, *wanted.boxes}):
        here, there = found.boxes.get(place), wanted.boxes.get(place)
        if here != there:
            told.append(f"{'/'.join(place)}: {_short(here)}, wanted {_short(there)}")
    return "; ".join(told)


def _short(box: Box | None) -> str:
    if box is None:
        return "none"
    letters = ", ".join(
        f"{uid}={one.digest.hex()[:6]}{''.join(sorted(one.flags))}"
        for uid, one in box.letters.items()
    )
    return f"<{box.uid_validity} next {box.uid_next}: {letters}>"


async def world_of(store: Store) -> World:
    """Everything a client can see, contents read whole.  Raises ContentDamaged."""
    boxes: dict[tuple[str, str], Box] = {}
    for account in await store.read(lambda tx: tx.accounts.all()):
        boxes |= await store.read(partial(_boxes, account))
    return World(boxes)


def _boxes(account: Account, tx: ReadTx) -> dict[tuple[str, str], Box]:
    name = str(account.address).partition("@")[0]
    boxes = {}
    for mailbox in tx.mailboxes.all(account.id):
        view = tx.messages.view(mailbox.id)
        sets = tx.messages.keyword_sets(account.id, view.keyword_sets)
        contents = tx.messages.rows(mailbox.id, view.uids, (Column.CONTENT,))
        letters: dict[int, Letter] = {}
        for (uid, content), keys, deleted in zip(
            contents, view.keyword_sets, view.deleted, strict=True
        ):
            assert isinstance(uid, int) and isinstance(content, int)
            flags = sets[keys] | ({"\\Deleted"} if deleted else frozenset())
            letters[uid] = Letter(_digest(tx, ContentId(content)), flags)
        boxes[name, mailbox.name] = Box(mailbox.uid_validity, mailbox.uid_next, letters)
    return boxes


def _digest(tx: ReadTx, content: ContentId) -> bytes:
    digest = hashlib.sha256()
    start = 0
    while octets := tx.contents.read(content, start, _OCTETS_AT_ONCE):
        digest.update(octets)
        start += len(octets)
    return digest.digest()


async def unsound(store: Store) -> list[str]:
    """Every broken invariant; empty in a sound store."""
    return [f"{one.invariant}: {one.row}" for one in await violations(store)]
