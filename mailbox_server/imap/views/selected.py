"""What a session expects of a selected mailbox and of those who open it.

`shared_views.py` and `selected_view.py` beside it are the implementation; commands and
session see these protocols only.  A SelectedView belongs to one session.  It answers from what
this session has been told: message numbers 1 to count never move except through untold().
"""

import enum
from array import array
from collections.abc import Callable, Container, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from mailbox_server.imap.facts.message_facts import Apart, MessageFacts
from mailbox_server.imap.facts.uids_by_message import UidsByMessage
from mailbox_server.imap.grammar.sequence_sets import By, SequenceSet
from mailbox_server.imap.views.flag_texts import FlagTexts
from mailbox_server.model.errors import BadInput
from mailbox_server.model.ids import AccountId, MailboxId, ModSeq
from mailbox_server.model.mailbox import Mailbox
from mailbox_server.model.rights import Rights
from mailbox_server.model.uid_set import UidSet
from mailbox_server.store.ports import Expunged, FlagChange, FlagOutcome


class NumberBeyond(BadInput):
    """A message number above those this session knows; answered with BAD (RFC 9051 §2.3.1.2)."""


class Access(enum.Enum):
    """How a mailbox was selected."""

    READ_WRITE = "SELECT"
    READ_ONLY = "EXAMINE"


class Tells(enum.Enum):
    """Which untold changes may leave before a command's tagged reply (RFC 9051 §7.5.1).

    NO_EXPUNGE is for FETCH, STORE and SEARCH by number: while one runs, numbers stand.
    """

    EVERYTHING = "everything"
    NO_EXPUNGE = "no expunge"
    NOTHING = "nothing"


class Hears(enum.Enum):
    """What a client wants to be told of its selected mailbox (RFC 5465 §6.1).

    OWN: what its own commands ask for; what others did waits until it is wanted.
    NO_MAIL: see known_clients.NEW_MAIL_AT_ANY_TIME.
    """

    ALL = "all"
    NO_MAIL = "all but new messages"
    NO_FLAGS = "no flags that others changed"
    OWN = "only what its own commands bring about"


class ModSeqs(enum.Enum):
    """Whether FETCH lines carry MODSEQ: they do once CONDSTORE was enabled (RFC 7162 §3.2)."""

    SHOWN = "shown"
    HIDDEN = "hidden"


class Expunges(enum.Enum):
    """How expunges are told: by UID once QRESYNC was enabled (RFC 7162 §3.2.7)."""

    BY_NUMBER = "EXPUNGE"
    BY_UID = "VANISHED"


class Sight(NamedTuple):
    """One message as a session sees it.

    flags: `\\Seen \\Recent`, ready for the wire, without parentheses.
    """

    number: int
    uid: int
    message: int
    flags: bytes
    modseq: int


class SightColumns(NamedTuple):
    """Many sights, column by column; all columns have the same length."""

    numbers: Sequence[int]
    uids: Sequence[int]
    messages: Sequence[int]
    flags: FlagTexts
    modseqs: Sequence[int]

    def part(self, start: int, stop: int) -> "SightColumns":
        """Those from start to before stop."""
        return SightColumns(
            self.numbers[start:stop],
            self.uids[start:stop],
            self.messages[start:stop],
            self.flags[start:stop],
            self.modseqs[start:stop],
        )

    def at(self, places: Sequence[int]) -> "SightColumns":
        """Those at these places."""
        return SightColumns(
            [self.numbers[place] for place in places],
            [self.uids[place] for place in places],
            [self.messages[place] for place in places],
            self.flags.at(places),
            [self.modseqs[place] for place in places],
        )


class Stand(NamedTuple):
    """Where somebody stands who wants to hear of each change of a view once.

    changed: the position in the log of changes.  modseq: of the view.  last: the UID of the
    last message known, 0 for none.
    """

    changed: int
    modseq: int
    last: int


@dataclass(frozen=True, slots=True)
class Hushed:
    """How messages stood before a .SILENT change of theirs.

    classes: the flag class of each of the ascending uids; untold: those of them whose flags
    the client does not know.
    """

    change: FlagChange
    uids: "array[int]"
    classes: "array[int]"
    untold: Container[int]

    def step(self, first: int, beyond: int) -> "Hushed":
        """Those from a place among the uids to another, that a step changes."""
        uids, classes = self.uids[first:beyond], self.classes[first:beyond]
        return Hushed(self.change, uids, classes, self.untold)


class SelectedView(Protocol):
    """One session's sight of one mailbox."""

    @property
    def mailbox(self) -> Mailbox:
        """The mailbox as of the last refresh: UIDVALIDITY, UIDNEXT, HIGHESTMODSEQ from one
        snapshot with the messages."""

    @property
    def access(self) -> Access:
        """How it was selected."""

    @property
    def reader(self) -> AccountId | None:
        """Who reads it, where the mailbox is somebody else's."""

    rights: Rights
    """What may be done in it; all where it is one's own."""

    def may_do(self, rights: Rights) -> None:
        """The rights are these from now on; flags are told anew where that changes them."""

    @property
    def gone(self) -> bool:
        """Whether the mailbox was deleted while selected; the session then ends with BYE."""

    @property
    def count(self) -> int:
        """Messages this session was told of, EXISTS; untold expunges are still among them."""

    @property
    def has_untold(self) -> bool:
        """Whether messages came or went of which the session was not told."""

    @property
    def told_modseq(self) -> ModSeq:
        """The session was told of all changes of flags up to there."""

    @property
    def recent(self) -> int:
        """Messages that are \\Recent in this session (RFC 3501 §2.3.2)."""

    @property
    def flags(self) -> tuple[str, ...]:
        """System flags and the keywords in use, for FLAGS (RFC 9051 §7.3.5)."""

    @property
    def permanent_flags(self) -> tuple[str, ...]:
        """For PERMANENTFLAGS: () where read-only, `\\*` last while keywords may be made."""

    saved: UidSet
    """What `$` means (RFC 5182 §2.1): UIDs that a search found, some perhaps expunged since."""

    tells_recent: bool
    """Whether RECENT and \\Recent are told; IMAP4rev2 has none of them."""

    named_by: By
    """How changes are told: by UID once UIDONLY was enabled (RFC 9586 §3.6)."""

    @property
    def facts(self) -> MessageFacts:
        """What never changes about its messages, shared with all who have the mailbox open."""

    def first_unseen(self) -> int | None:
        """The number of the first message without \\Seen (RFC 3501 §7.1 UNSEEN)."""

    def uid_at(self, number: int) -> int:
        """The UID of message 1 to count."""

    def uids(self, numbers: SequenceSet, by: By) -> Sequence[int]:
        """The known UIDs meant, ascending, each once; `*` is the last message known.

        `$` means those of saved that are still known.

        UIDs that do not exist are silently left out; of message numbers none may be
        missing: raises NumberBeyond.
        """

    def all_uids(self) -> Sequence[int]:
        """All known UIDs, ascending."""

    def numbers(self, uids: Sequence[int]) -> Sequence[int]:
        """The numbers of known, ascending UIDs."""

    def message_ids(self, uids: Sequence[int]) -> Sequence[int]:
        """The message ids of known, ascending UIDs; 0 where one is known no more."""

    async def by_message(self, apart: Apart) -> UidsByMessage:
        """Which UIDs are of which messages, at least all known ones."""

    def sights(self, uids: Sequence[int]) -> list[Sight]:
        """Those of the ascending UIDs that this session knows, as it sees them now.

        Ask in blocks: what is returned holds whatever others do meanwhile.
        """

    def columns(self, uids: Sequence[int]) -> SightColumns:
        """What sights would give, as columns: for those who format many at once."""

    def having(self, holds: Callable[[frozenset[str]], bool], uids: Sequence[int]) -> list[int]:
        """Those of the ascending known UIDs whose flags (without \\Recent) satisfy holds."""

    def variety(self, uids: Sequence[int]) -> int:
        """How many different sets of flags the known ones of the ascending UIDs have."""

    def is_recent(self, uid: int) -> bool:
        """Whether the message is \\Recent in this session."""

    def changed_since(self, modseq: int, uids: Sequence[int]) -> list[int]:
        """Those of the ascending known UIDs with a higher modseq."""

    def stand(self) -> Stand:
        """Where the view stands now, as far as this session knows it."""

    def changed_after(self, stand: Stand) -> Sequence[int]:
        """The known UIDs, ascending, that came since or whose flags changed since.

        Told or not, made by this session or not; expunged ones are left out.
        """

    def going(self) -> UidSet:
        """Known messages that are expunged, which this session is still to be told."""

    def hush(self, uids: Sequence[int], change: FlagChange) -> Hushed:
        """This session is about to make change with .SILENT: the client knows what comes of it.

        uids: of all steps, since one may change what lies once more in the next.

        Of messages that then have just the flags the client expects, at most their MODSEQ is
        told (RFC 7162 §3.1.3); where others changed them too, all is.
        """

    async def stored(
        self, uids: Sequence[int], outcome: FlagOutcome, hushed: Hushed | None
    ) -> None:
        """This session made a change of these uids; hushed: of the same ones, or None.

        Where it was not hushed the flags of all are told next time, changed or not.  Those
        that UNCHANGEDSINCE spared are told in any case: the client's picture of them is old,
        and RFC 7162 §3.1.3 recommends to renew it.

        From then on going knows of all that were expunged before the change.
        """

    async def expunged(self, expunged: Expunged | None) -> None:
        """This session expunged messages; numbers stand.

        None where the same write brought messages here: only a refresh finds all of it.
        """

    def untold_changes(self) -> AbstractSet[int]:
        """UIDs whose flags or modseqs changed since the client was told."""

    def told(self, sights: Sequence[Sight]) -> None:
        """The client reads the flags of these sights from the command itself."""

    async def hold(self) -> None:
        """The session is about to look: what it may ask stays in memory until release.

        Every method but release and close wants the view held.  Raises StoreUnavailable,
        and MailboxMissing where what was packed away cannot be read again; gone says so too.
        """

    def release(self) -> None:
        """The session will not look before it holds again; silent the second time."""

    def holds_at_once(self) -> bool:
        """As hold, where nothing has to be read or looked up for that; whether it is so."""

    @property
    def is_all_told(self) -> bool:
        """Whether hear() and untold() would find nothing, in a mailbox of one's own."""

    def rang(self, modseq: ModSeq) -> None:
        """The mailbox's account is at modseq in the store; what it rings of is known already."""

    async def hear(self) -> None:
        """As refresh, where the store has rung since: it holds what anybody was told is done."""

    async def refresh(self) -> None:
        """Catch up with the store; numbers stand, changes wait in untold().

        Raises StoreUnavailable.
        """

    def untold(
        self,
        tells: Tells,
        modseqs: ModSeqs,
        expunges: Expunges = Expunges.BY_NUMBER,
        hears: Hears = Hears.ALL,
    ) -> Iterator[bytes]:
        """Tell what changed: whole untagged lines in blocks of at most 64 KiB.

        EXPUNGE first (each number as it is at that moment), then EXISTS and RECENT, FLAGS
        where there are new keywords, then FETCH with UID, FLAGS and, if shown, MODSEQ.  What
        was yielded counts as told; what hears leaves out waits.
        Nothing is yielded for Tells.NOTHING.
        """

    def waiting_above(self) -> ModSeq | None:
        """The modseq up to which the client was told all, while untold() leaves something out.

        Also once when nothing is left out any more.
        """

    async def close(self) -> None:
        """Let go; silent the second time.  Expunges nothing."""


class Views(Protocol):
    """Who opens selected views; one for the whole process."""

    async def open(
        self,
        account: AccountId,
        mailbox: MailboxId,
        access: Access,
        ring: Callable[[], None],
        reader: AccountId | None = None,
    ) -> SelectedView:
        """Open a view from one snapshot, held; READ_WRITE claims \\Recent.

        account: whose the mailbox is.  reader: who opens it where that is somebody else.

        ring is called in the event loop whenever refresh would find something new; it must
        not be relied on for correctness, and never rings after close.
        Raises MailboxMissing, StoreUnavailable.
        """
