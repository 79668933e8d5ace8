"""How mailboxes of others stand, for one session that wants to be told of some (RFC 5465).

Looked at are those that its account may look up and the session has wishes about, after a ring
of one of their owners or a change of the account itself; only what moved is counted anew.  Whom
an owner gives rights for the first time is rung, and of rights for anyone all are.

One that may be looked up and not be read is closed: of it nothing but its name is told.  One
that may not even be looked up any more stays closed, under the name that it had, for as long as the
session is told of anything (§5.9) and no other has that name.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from mailbox_server.imap.mailboxes.places import Place, places_of_others
from mailbox_server.imap.telling.account_watch import Picture
from mailbox_server.imap.telling.wishes import Wishes
from mailbox_server.model.ids import AccountId, MailboxId, ModSeq
from mailbox_server.model.mailbox import MailboxStatus
from mailbox_server.model.rights import READ
from mailbox_server.store.ports import ANYONE, Listening, ReadTx, Store


@dataclass(frozen=True, slots=True)
class OthersStanding:
    """What was found; what did not move is the same object as before.

    mailboxes: under the names that the account has for them.  closed: those of them of which
    nothing but the name is told; their counts are 0.
    """

    mailboxes: Mapping[MailboxId, MailboxStatus] = field(default_factory=dict)
    closed: frozenset[MailboxId] = frozenset()


class OthersWatch:
    """The watch of one session.

    ring: is called when one of the owners has changed something, or what anyone may do.
    """

    def __init__(self, store: Store, account: AccountId, ring: Callable[[], None]) -> None:
        self._store = store
        self._account = account
        self._ring = ring
        self._own_modseq = ModSeq(0)
        self._bells: dict[AccountId, Listening] = {}
        self._is_stale = True
        self._standing = OthersStanding()

    async def look(self, wishes: Wishes, own: Picture) -> OthersStanding:
        """How those stand now that there are wishes about.  Raises StoreUnavailable.

        wishes: the same each time.  own: how the account itself stands.
        """
        subscribed = own.subscribed
        if own.modseq != self._own_modseq:
            self._own_modseq, self._is_stale = own.modseq, True

        def wants(name: str) -> bool:
            return bool(wishes.of(name, is_subscribed=name in subscribed))

        while self._is_stale:
            # Before it is read: what is committed from now on rings.
            self._is_stale = False
            try:
                found, owners = await self._store.read(lambda tx: self._now(tx, wants))
            except BaseException:  # whatever it was, it was not read
                self._is_stale = True
                raise
            self._standing = found
            if not self._listen(owners):
                # Who rings all the time is told of with the next look.
                break
        return self._standing

    def end(self) -> None:
        """Look at nothing any more."""
        for bell in self._bells.values():
            bell.close()
        self._bells.clear()

    def _listen(self, owners: set[AccountId]) -> bool:
        """Whether there are new ones: before anybody listened they may have changed again."""
        for owner in self._bells.keys() - owners:
            self._bells.pop(owner).close()
        fresh = owners - self._bells.keys()
        for owner in fresh:
            self._bells[owner] = self._store.listen(owner, self._rang)
            self._is_stale = True
        return bool(fresh)

    def _rang(self, modseq: ModSeq) -> None:
        self._is_stale = True
        self._ring()

    def _now(
        self, tx: ReadTx, wants: Callable[[str], bool]
    ) -> tuple[OthersStanding, set[AccountId]]:
        """How they stand, and whose rings count."""
        before = self._standing
        places = places_of_others(tx, self._account)
        mailboxes: dict[MailboxId, MailboxStatus] = {}
        closed = set[MailboxId]()
        for place in places:
            if wants(place.shown):
                number = place.mailbox.id
                mailboxes[number] = self._status(tx, place)
                if READ not in place.rights:
                    closed.add(number)
        owners = {ANYONE, *(place.owner for place in places)}
        shown = {place.shown for place in places}
        for number in before.mailboxes.keys() - {place.mailbox.id for place in places}:
            lost = before.mailboxes[number]
            is_there = number in before.closed or tx.mailboxes.get(number) is not None
            if is_there and lost.mailbox.name not in shown and wants(lost.mailbox.name):
                mailboxes[number] = lost
                closed.add(number)
                owners.add(lost.mailbox.account)
        return OthersStanding(mailboxes, frozenset(closed)), owners

    def _status(self, tx: ReadTx, place: Place) -> MailboxStatus:
        before, mailbox = self._standing, place.as_shown
        number, can_read = mailbox.id, READ in place.rights
        known = before.mailboxes.get(number)
        was_read = number not in before.closed
        if known is not None and known.mailbox == mailbox and can_read is was_read:
            return known
        if not can_read:
            return MailboxStatus(mailbox, 0, 0, 0, 0, 0)
        status = tx.mailboxes.status(number, counts_recent=False, reader=self._account)
        return replace(status, mailbox=mailbox)
