"""Opens selected views: one shared MailboxView a mailbox, dropped when nobody has it open."""

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass, field

from mailbox_server.imap.mailbox_view import MailboxView
from mailbox_server.imap.selected import Access, SelectedView
from mailbox_server.imap.selected_view import SessionView
from mailbox_server.model.errors import MailboxMissing, Unavailable
from mailbox_server.model.ids import AccountId, MailboxId, ModSeq
from mailbox_server.model.mailbox import MailboxStatus
from mailbox_server.model.ports import Events
from mailbox_server.net.tasks import TaskKeeper
from mailbox_server.store.ports import Listening, ReadTx, Store


@dataclass(slots=True, eq=False)
class _Open:
    """A shared view, its bell, and who wants to hear it."""

    view: MailboxView
    rings: dict[SessionView, Callable[[], None]] = field(default_factory=dict)
    bell: Listening | None = None
    joining: int = 0
    octets: int = 0


class SharedViews:
    """Implements selected.Views.

    most_octets: of all views together.  Beyond it those are packed that have not been looked
        at for longest; who looks again waits until they are read again.  Those that are
        being looked at stay, whatever they take.
    """

    def __init__(self, store: Store, tasks: TaskKeeper, events: Events, most_octets: int) -> None:
        self.most_octets = most_octets
        self._octets = 0
        self._store = store
        self._tasks = tasks
        self._events = events
        self._open: dict[MailboxId, _Open] = {}

    async def open(
        self,
        account: AccountId,
        mailbox: MailboxId,
        access: Access,
        ring: Callable[[], None],
    ) -> SelectedView:
        """Open a view; see selected.Views."""
        place = self._open.get(mailbox)
        if place is None:
            place = await self._load(account, mailbox)
        place.joining += 1
        try:
            if place.view.is_packed:
                await place.view.refresh()
            recent = await self._recent(place.view, access)
            await place.view.refresh()
            if place.view.gone or place.view.mailbox.account != account:
                raise MailboxMissing("the mailbox was deleted, or is somebody else's")
        except BaseException:  # whatever it was, the view must not stay open for nobody
            place.joining -= 1
            self._drop_if_unused(place)
            raise
        place.joining -= 1
        session = SessionView(
            place.view,
            access,
            recent,
            lambda seer: self._leave(place, seer),
            lambda: self._looked(place),
        )
        session.in_use = True
        place.rings[session] = ring
        self._looked(place)
        return session

    def _looked(self, place: _Open) -> None:
        """Somebody has looked at the view: it is the last to be packed."""
        number = place.view.mailbox.id
        if self._open.get(number) is not place:
            return
        self._open[number] = self._open.pop(number)
        self._count(place, place.view.octets)
        if self._octets > self.most_octets:
            self._make_room()

    def _make_room(self) -> None:
        for place in self._open.values():
            view = place.view
            if not (view.is_packed or view.in_use or place.joining):
                view.pack()
                self._count(place, view.octets)
                if self._octets <= self.most_octets:
                    return

    def _count(self, place: _Open, octets: int) -> None:
        self._octets += octets - place.octets
        place.octets = octets

    async def _load(self, account: AccountId, mailbox: MailboxId) -> _Open:
        """Subscribe, then read: what commits in between rings."""
        missed: list[ModSeq] = []
        bell = self._store.listen(account, missed.append)
        try:
            view = MailboxView(self._store, await self._store.read(MailboxView.read(mailbox)))
        except BaseException:  # nobody will hear this bell
            bell.close()
            raise
        standing = self._open.get(mailbox)
        bell.close()
        if standing is not None:
            return standing
        place = self._open[mailbox] = _Open(view)
        place.bell = self._store.listen(account, lambda _: self._rang(place))
        if missed:
            view.ring()
        return place

    async def _recent(self, view: MailboxView, access: Access) -> tuple[int, int]:
        """The UIDs that become \\Recent in a session that opens now."""
        mailbox = view.mailbox.id

        def look(tx: ReadTx) -> MailboxStatus:
            return tx.mailboxes.status(mailbox)

        status = await self._store.read(look)
        if access is Access.READ_ONLY or not status.recent:
            if not view.onlookers:
                view.recent_from = _unclaimed_from(view, status)
            return 1, 1
        try:
            first, beyond = await self._store.write(lambda tx: tx.mailboxes.claim_recent(mailbox))
        except Unavailable:
            # On a full disk people must get in to delete; _claim tries again when they leave.
            await view.refresh()
            first, beyond = _unclaimed_from(view, status), status.mailbox.uid_next
        given = view.recent_from if view.onlookers else 0
        view.recent_from = max(view.recent_from, beyond)
        return max(first, given), beyond

    def _rang(self, place: _Open) -> None:
        place.view.ring()
        for ring in list(place.rings.values()):
            ring()

    def _leave(self, place: _Open, session: SessionView) -> None:
        place.rings.pop(session, None)
        place.view.trim()
        self._drop_if_unused(place)

    def _drop_if_unused(self, place: _Open) -> None:
        if place.rings or place.joining:
            return
        view = place.view
        if self._open.get(view.mailbox.id) is place:
            del self._open[view.mailbox.id]
            self._count(place, 0)
        if place.bell is not None:
            place.bell.close()
        if not view.gone and view.recent_from:
            self._tasks.spawn("imap.claim_recent", self._claim(view))

    async def _claim(self, view: MailboxView) -> None:
        """Remember in the store which arrivals sessions have seen as \\Recent."""
        mailbox, seen = view.mailbox.id, view.recent_from
        try:
            status = await self._store.read(lambda tx: tx.mailboxes.status(mailbox))
            if status.recent and status.mailbox.uid_next <= seen:
                await self._store.write(lambda tx: tx.mailboxes.claim_recent(mailbox))
        except MailboxMissing:
            # Deleted meanwhile: nothing there is recent to anybody.
            return
        except Unavailable as trouble:
            # A full disk, mostly: they will be \Recent to somebody else once more.
            self._events.warning("imap.recent_unclaimed", mailbox=mailbox, reason=str(trouble))


def _unclaimed_from(view: MailboxView, status: MailboxStatus) -> int:
    """The first UID that was \\Recent to nobody when status was read."""
    uids, uid_next = view.uids, status.mailbox.uid_next
    first = bisect_left(uids, uid_next) - status.recent
    return uids[first] if status.recent and first >= 0 else uid_next
