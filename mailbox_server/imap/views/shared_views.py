"""Opens selected views: one shared MailboxView a mailbox, kept for whoever selects it again.

While nobody has it open a view hears no bell; who opens it catches up by what changed since.
"""

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from operator import attrgetter
from typing import Final

from mailbox_server.imap.views.mailbox_view import MailboxView
from mailbox_server.imap.views.selected import Access, SelectedView
from mailbox_server.imap.views.selected_view import SessionView
from mailbox_server.model.errors import MailboxMissing, Unavailable
from mailbox_server.model.ids import AccountId, MailboxId, ModSeq
from mailbox_server.model.mailbox import MailboxStatus
from mailbox_server.model.ports import Events
from mailbox_server.net.tasks import TaskKeeper
from mailbox_server.store.ports import Listening, ReadTx, Store

_Key = tuple[MailboxId, AccountId | None]
"""A mailbox, and who reads it where that is not its owner."""

_VIEW_OCTETS: Final = 4_096
"""What a view takes beside its arrays, so that those of empty mailboxes are bounded too."""


@dataclass(slots=True, eq=False)
class _Open:
    """A shared view, its bell, and who wants to hear it; no bell while nobody has it open.

    looked_at: which look was the last at it, of all that were counted.
    """

    view: MailboxView
    rings: dict[SessionView, Callable[[], None]] = field(default_factory=dict)
    bell: Listening | None = None
    joining: int = 0
    octets: int = 0
    looked_at: int = 0

    @property
    def key(self) -> "_Key":
        """What it is found by."""
        return self.view.mailbox.id, self.view.reader


class SharedViews:
    """Implements selected.Views.

    most_octets: of all views together.  Beyond it those go that nobody has open, then those
        are packed that have not been looked at for longest; who looks again waits until they
        are read again.  Those that are being looked at stay, whatever they take.
    """

    def __init__(self, store: Store, tasks: TaskKeeper, events: Events, most_octets: int) -> None:
        self.most_octets = most_octets
        self._octets = 0
        self._looks = 0
        self._store = store
        self._tasks = tasks
        self._events = events
        self._open: dict[_Key, _Open] = {}
        # Up to where arrivals were \\Recent to sessions that left, until the store knows.
        self._claiming: dict[MailboxId, int] = {}

    async def open(
        self,
        account: AccountId,
        mailbox: MailboxId,
        access: Access,
        ring: Callable[[], None],
        reader: AccountId | None = None,
    ) -> SelectedView:
        """Open a view; see selected.Views."""
        place = self._open.get((mailbox, reader))
        if place is None:
            place = await self._load(mailbox, reader)
        place.joining += 1
        try:
            if place.bell is None:
                # Before it catches up: what is committed from now on rings.
                place.bell = self._listen(place)
            recent = await self._recent(place.view, access)
            if place.view.gone or place.view.mailbox.account != account:
                raise MailboxMissing("the mailbox was deleted, or is somebody else's")
        except BaseException:  # whatever it was, the view must not stay open for nobody
            place.joining -= 1
            if self._is_unused(place):
                self._drop(place)
            raise
        place.view.trim()
        place.joining -= 1
        session = SessionView(
            place.view,
            access,
            recent,
            partial(self._leave, place),
            partial(self._looked, place),
        )
        session.in_use = True
        place.rings[session] = ring
        self._looked(place)
        return session

    def _looked(self, place: _Open) -> None:
        """Somebody has looked at the view: it is the last to be packed."""
        self._looks += 1
        place.looked_at = self._looks
        if not place.view.is_measured and self._open.get(place.key) is place:
            self._measure(place)
        if self._octets > self.most_octets:
            self._make_room()

    def _make_room(self) -> None:
        by_look = sorted(self._open.values(), key=attrgetter("looked_at"))
        for place in by_look:
            if self._is_unused(place):
                self._drop(place)
                if self._octets <= self.most_octets:
                    return
        for place in by_look:
            view = place.view
            if place.rings and not (view.is_packed or view.in_use or place.joining):
                view.pack()
                self._measure(place)
                if self._octets <= self.most_octets:
                    return

    def _measure(self, place: _Open) -> None:
        place.view.is_measured = True
        self._count(place, _VIEW_OCTETS + place.view.octets)

    def _count(self, place: _Open, octets: int) -> None:
        self._octets += octets - place.octets
        place.octets = octets

    async def _load(self, mailbox: MailboxId, reader: AccountId | None) -> _Open:
        snapshot = await self._store.read(MailboxView.read(mailbox, reader))
        view = MailboxView(self._store, snapshot, reader)
        view.recent_from = max(view.recent_from, self._claiming.get(mailbox, 0))
        return self._open.setdefault((mailbox, reader), _Open(view))

    def _listen(self, place: _Open) -> Listening:
        return self._store.listen(place.view.mailbox.account, partial(self._rang, place))

    async def _recent(self, view: MailboxView, access: Access) -> tuple[int, int]:
        """Catch up, and find the UIDs that become \\Recent in a session that opens now."""
        if view.reader is not None:
            await view.refresh()
            return 1, 1
        mailbox = view.mailbox.id

        def look(tx: ReadTx) -> tuple[MailboxStatus, ModSeq]:
            status = tx.mailboxes.status(mailbox)
            return status, tx.changes.state(status.mailbox.account).stamp

        status, stands = await self._store.read(look)
        view.ring(stands)
        if access is Access.READ_ONLY or not status.recent:
            await view.refresh()
            if not view.onlookers:
                view.recent_from = max(view.recent_from, _unclaimed_from(view, status))
            return 1, 1
        try:
            first, beyond = await self._store.write(lambda tx: tx.mailboxes.claim_recent(mailbox))
            await view.refresh()
        except Unavailable:
            # On a full disk people must get in to delete; _claim tries again when they leave.
            await view.refresh()
            first, beyond = _unclaimed_from(view, status), status.mailbox.uid_next
        # What an earlier session was told of may not be claimed in the store yet.
        given = view.recent_from
        view.recent_from = max(given, beyond)
        return max(first, given), beyond

    def _rang(self, place: _Open, modseq: ModSeq) -> None:
        place.view.ring(modseq)
        for ring in list(place.rings.values()):
            ring()

    def _leave(self, place: _Open, session: SessionView) -> None:
        place.rings.pop(session, None)
        view = place.view
        view.trim()
        if not self._is_unused(place):
            return
        if not view.gone and view.recent_from and view.reader is None:
            self._claiming[view.mailbox.id] = view.recent_from
            self._tasks.spawn("imap.claim_recent", self._claim(view, view.recent_from))
        if view.gone or view.is_packed:
            self._drop(place)
            return
        self._hush(place)
        self._looked(place)

    def _is_unused(self, place: _Open) -> bool:
        return not (place.rings or place.joining)

    def _hush(self, place: _Open) -> None:
        if place.bell is not None:
            place.bell.close()
            place.bell = None

    def _drop(self, place: _Open) -> None:
        """Forget a view that nobody has open."""
        self._hush(place)
        if self._open.get(place.key) is place:
            del self._open[place.key]
            self._count(place, 0)

    async def _claim(self, view: MailboxView, seen: int) -> None:
        """Remember in the store that sessions have seen arrivals up to seen as \\Recent."""
        mailbox = view.mailbox.id
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
        finally:
            if self._claiming.get(mailbox) == seen:
                del self._claiming[mailbox]


def _unclaimed_from(view: MailboxView, status: MailboxStatus) -> int:
    """The first UID that was \\Recent to nobody when status was read."""
    uids, uid_next = view.uids, status.mailbox.uid_next
    first = bisect_left(uids, uid_next) - status.recent
    return uids[first] if status.recent and first >= 0 else uid_next
