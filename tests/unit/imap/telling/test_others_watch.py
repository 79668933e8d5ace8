"""Mailboxes of others are looked at after a ring, once; who does not stop ringing holds nobody."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import TypeVar, cast

from mailbox_server.imap.telling.account_watch import Picture
from mailbox_server.imap.telling.others_watch import OthersWatch
from mailbox_server.imap.telling.wishes import Wishes
from mailbox_server.model.address import Address
from mailbox_server.model.ids import AccountId, MailboxId, ModSeq
from mailbox_server.model.mailbox import Mailbox
from mailbox_server.model.rights import LOOKUP
from mailbox_server.store.ports import ANYONE, ReadTx, SharedMailbox, Store

T = TypeVar("T")

ANN, BOB = AccountId(1), AccountId(2)
WISHES = Wishes()


class Busy:
    """A store whose one owner writes while it is read; reads: how many there were."""

    def __init__(self) -> None:
        self.reads = 0
        self.bells: list[Callable[[ModSeq], None]] = []
        self.modseq = 7
        self.is_busy = True

    async def read(self, work: Callable[[ReadTx], T]) -> T:
        self.reads += 1
        found = work(cast(ReadTx, SimpleNamespace(rights=self, mailboxes=None)))
        for bell in self.bells if self.is_busy else ():
            bell(ModSeq(self.modseq))
        return found

    def visible(self, account: AccountId) -> list[SharedMailbox]:
        assert account == BOB
        mailbox = Mailbox(MailboxId(3), ANN, "a", None, 1, 1, ModSeq(self.modseq), False)
        return [SharedMailbox(Address.parse("ann@example.test"), False, mailbox, frozenset(LOOKUP))]

    def listen(self, account: AccountId, ring: Callable[[ModSeq], None]) -> SimpleNamespace:
        assert account in (ANN, ANYONE)
        if account == ANN:
            self.bells.append(ring)
        return SimpleNamespace(close=self.bells.clear)


def own(modseq: int) -> Picture:
    return Picture(ModSeq(modseq), {}, frozenset())


async def test_a_look_ends_though_an_owner_rings_all_the_time() -> None:
    store, rings = Busy(), list[None]()
    watch = OthersWatch(cast(Store, store), BOB, lambda: rings.append(None))
    await watch.look(WISHES, own(1))
    # Once to learn of the owner, once more since somebody listens.
    assert (store.reads, len(rings)) == (2, 1)
    await watch.look(WISHES, own(1))
    assert (store.reads, len(rings)) == (3, 2)
    store.is_busy = False
    await watch.look(WISHES, own(1))
    await watch.look(WISHES, own(1))
    assert store.reads == 4
    await watch.look(WISHES, own(2))
    assert store.reads == 5
    watch.end()
    assert store.bells == []
