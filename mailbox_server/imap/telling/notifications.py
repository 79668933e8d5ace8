"""What one session asked for with NOTIFY, and how far it was told (RFC 5465).

Who has not asked pays nothing.  Of other mailboxes the session keeps the picture of the account
that it was told last; what it did itself is not told where nobody else wrote meanwhile, but
for flags, which reach copies of a message that it did not name.  In
mailboxes of others it is: modseqs there are the owner's.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Final, NamedTuple, Protocol

from mailbox_server.imap.grammar.notify_arguments import Event
from mailbox_server.imap.telling.account_watch import AccountWatch, AccountWatches, Picture
from mailbox_server.imap.telling.others_watch import OthersStanding, OthersWatch
from mailbox_server.imap.telling.own_writes import OwnWrites
from mailbox_server.imap.telling.wishes import Wishes
from mailbox_server.imap.views.selected import Hears
from mailbox_server.model.errors import AccountMissing
from mailbox_server.model.ids import AccountId, MailboxId, ModSeq
from mailbox_server.model.mailbox import MailboxStatus
from mailbox_server.store.ports import Store

_UNTOLD: Final = -1
"""How many messages are unseen where flags changed since: no number that it is now."""


class Means(Protocol):
    """What it takes; session.Services has it."""

    @property
    def store(self) -> Store: ...
    @property
    def watches(self) -> AccountWatches: ...


class _Figures(NamedTuple):
    """What a client was told of a mailbox while it was selected.

    modseq: up to there it was told of flags.
    """

    messages: int
    uid_next: int
    modseq: ModSeq


class Notifications:
    """The wishes of one session.

    wishes: None until NOTIFY was given.  store: the door that commands are to use.
    own: what the session writes, where that is told apart; as long as anything is told.
    """

    __slots__ = (
        "_left",
        "_means",
        "_others",
        "_rung",
        "_told",
        "_told_others",
        "_watch",
        "own",
        "store",
        "wishes",
    )

    def __init__(self, means: Means) -> None:
        self._means = means
        self.wishes: Wishes | None = None
        self.store: Store = means.store
        self.own: OwnWrites | None = None
        self._watch: AccountWatch | None = None
        self._told: Picture | None = None
        self._others: OthersWatch | None = None
        self._told_others = OthersStanding()
        self._left: dict[MailboxId, _Figures] = {}
        self._rung = ModSeq(1)

    @property
    def hears(self) -> Hears:
        """What is to be told of the selected mailbox."""
        return Hears.ALL if self.wishes is None else self.wishes.hears

    @property
    def listens(self) -> bool:
        """Whether something may be told while no command is under way."""
        return self.wishes is not None and self.wishes.are_any

    @property
    def reaches_elsewhere(self) -> bool:
        """Whether other mailboxes than the selected one are told of."""
        return self._watch is not None

    def wants(self, name: str | None, event: Event) -> bool:
        """Whether that is to be told of a mailbox, or with None of the server."""
        if self.wishes is None:
            return False
        if name is None:
            return self.wishes.of_server
        is_subscribed = self._told is not None and name in self._told.subscribed
        return event in self.wishes.of(name, is_subscribed=is_subscribed)

    def rang(self, modseq: ModSeq) -> bool:
        """The account has changed; whether the session wants to look."""
        if self._watch is None:
            return False
        self._rung = max(self._rung, modseq)
        return True

    async def wish(
        self, account: AccountId, wishes: Wishes, ring: Callable[[], None]
    ) -> Picture | None:
        """From now on tell of these; how all stands, where they reach elsewhere.

        ring: is called when another account has changed something that may be told.
        Raises StoreUnavailable, AccountMissing; then all stays as it was.
        """
        if not wishes.are_any:
            self.stop()
            return None
        if not wishes.reach_elsewhere:
            self._end_watch()
        else:
            watch = self._watch or self._means.watches.join(self._means.store, account)
            others, standing = None, OthersStanding()
            try:
                told = await watch.at_least(self._newest())
                if wishes.reach_others:
                    others = OthersWatch(self._means.store, account, ring)
                    standing = await others.look(wishes, told)
            except BaseException:  # whatever it was, nobody else would leave the watches
                if others is not None:
                    others.end()
                if self._watch is None:
                    self._means.watches.leave(watch)
                raise
            self._end_others()
            self._others, self._told_others = others, standing
            self._watch, self._told = watch, told
        self.wishes = wishes
        self.note_own(account)
        return None if self._told is None else _together(self._told, self._told_others)

    def note_own(self, account: AccountId) -> None:
        """From now on tell apart what this session writes."""
        self.store = self.own = self.own or OwnWrites(self._means.store, account)

    def is_ahead_of(self, mailbox: MailboxId, modseq: ModSeq) -> bool:
        """Whether in the picture that was told last a mailbox stands above a modseq.

        Of a selected mailbox the picture tells nothing: what moved there since is untold.
        """
        own = {} if self._told is None else self._told.mailboxes
        held = own.get(mailbox) or self._told_others.mailboxes.get(mailbox)
        return held is not None and held.mailbox.highest_modseq > modseq

    def left(self, mailbox: MailboxId, *, messages: int, uid_next: int, modseq: ModSeq) -> None:
        """The mailbox is selected no more, and the client was told only that of it."""
        if self._watch is not None:
            self._left[mailbox] = _Figures(messages, uid_next, modseq)

    async def look(self) -> tuple[Picture, Picture]:
        """What was told last, and how the account stands now.

        Where only this session wrote they differ in what it cannot know: the flags of a message
        are those of its copies elsewhere.  From now on the second counts as told.

        Raises StoreUnavailable.
        """
        watch, before, of_others = self._watch, self._told, self._told_others
        assert watch is not None and before is not None, "only who reaches elsewhere looks"
        now = before
        newest = self._newest()
        if newest > before.modseq:
            try:
                now = await watch.at_least(newest)
            except AccountMissing:
                # The connection ends as soon as that is noticed.
                return before, before
        if self._others is not None and self.wishes is not None:
            self._told_others = await self._others.look(self.wishes, now)
        self._told = now
        made = self.own.made if self.own is not None else set()
        own = sum(before.modseq < modseq <= now.modseq for modseq in made)
        if own == now.modseq - before.modseq:
            before = _but_for_flags(before, now)
        left, self._left = self._left, {}
        if before is now and of_others is self._told_others and not left:
            return now, now
        return _with(_together(before, of_others), left), _together(now, self._told_others)

    def _newest(self) -> ModSeq:
        made: Iterable[ModSeq] = self.own.made if self.own is not None else ()
        return max((self._rung, *made))

    def is_own(self, modseq: int) -> bool:
        """Whether this session made the change, and was not told since."""
        return self.own is not None and modseq in self.own.made

    def was_told(self) -> None:
        """All that was written until now was told."""
        if self.own is not None:
            self.own.made.clear()

    def stop(self) -> None:
        """Tell nothing from now on (NOTIFY NONE)."""
        self.end()
        self.wishes = Wishes()

    def end(self) -> None:
        """As if NOTIFY had never been given."""
        self._end_watch()
        self.wishes, self.own, self.store = None, None, self._means.store

    def _end_watch(self) -> None:
        if self._watch is not None:
            self._means.watches.leave(self._watch)
        self._watch = self._told = None
        self._left = {}
        self._end_others()

    def _end_others(self) -> None:
        if self._others is not None:
            self._others.end()
        self._others, self._told_others = None, OthersStanding()


def _but_for_flags(before: Picture, now: Picture) -> Picture:
    """How the account stands now, with mailboxes of which only flags changed as before."""
    changed = {
        number: old
        for number, old in before.mailboxes.items()
        if _flags_alone_changed(old, now.mailboxes.get(number, old))
    }
    return replace(now, mailboxes={**now.mailboxes, **changed}) if changed else now


def _flags_alone_changed(old: MailboxStatus, new: MailboxStatus) -> bool:
    if old is new or old.mailbox.highest_modseq == new.mailbox.highest_modseq:
        return False
    counts = [(each.messages, each.mailbox.uid_next, each.mailbox.name) for each in (old, new)]
    return counts[0] == counts[1]


def _with(picture: Picture, left: Mapping[MailboxId, _Figures]) -> Picture:
    """The picture as clients have it that were not told more of some mailboxes."""
    told = {
        number: _as_told(status, figures)
        for number, figures in left.items()
        if (status := picture.mailboxes.get(number)) is not None
    }
    return replace(picture, mailboxes={**picture.mailboxes, **told}) if told else picture


def _as_told(status: MailboxStatus, figures: _Figures) -> MailboxStatus:
    mailbox, modseq = status.mailbox, min(status.mailbox.highest_modseq, figures.modseq)
    return replace(
        status,
        messages=figures.messages,
        unseen=status.unseen if modseq == mailbox.highest_modseq else _UNTOLD,
        mailbox=replace(mailbox, uid_next=figures.uid_next, highest_modseq=modseq),
    )


def _together(own: Picture, others: OthersStanding) -> Picture:
    if not others.mailboxes:
        return own
    return replace(own, mailboxes={**own.mailboxes, **others.mailboxes}, closed=others.closed)
