"""The door of the store: reads, writes, staging, the doorbell."""

from collections.abc import Awaitable, Callable, Sequence
from enum import Enum
from typing import Protocol, TypeVar

from mailbox_server.model.ids import (
    AccountId,
    ModSeq,
)
from mailbox_server.store.ports.access_keys import AccessKeyReader, AccessKeyWriter
from mailbox_server.store.ports.annotations import AnnotationReader, AnnotationWriter
from mailbox_server.store.ports.bounces import BounceReader, BounceWriter
from mailbox_server.store.ports.changes import ChangeReader
from mailbox_server.store.ports.contents import (
    ContentReader,
    ContentWriter,
    PassportReader,
    PassportWriter,
    ReceiptReader,
    ReceiptWriter,
    StagedContent,
    Staging,
)
from mailbox_server.store.ports.correspondents import CorrespondentReader, CorrespondentWriter
from mailbox_server.store.ports.dkim_keys import DkimKeyReader, DkimKeyWriter
from mailbox_server.store.ports.held_messages import HeldMessageReader, HeldMessageWriter
from mailbox_server.store.ports.mailboxes import (
    MailboxReader,
    MailboxWriter,
)
from mailbox_server.store.ports.messages import (
    MessageReader,
    MessageWriter,
    TextCriterion,
)
from mailbox_server.store.ports.outbound import (
    OutboundReader,
    OutboundWriter,
    QueueReader,
    QueueWriter,
)
from mailbox_server.store.ports.owners import (
    AccountReader,
    AccountWriter,
    AliasReader,
    AliasWriter,
    DomainReader,
    DomainWriter,
    KnownNetworkReader,
    KnownNetworkWriter,
    TokenReader,
    TokenWriter,
)
from mailbox_server.store.ports.rights import RightReader, RightWriter
from mailbox_server.store.ports.search import Candidates, SearchReader
from mailbox_server.store.ports.submitted import (
    SentCopyReader,
    SentCopyWriter,
    SentReceiptReader,
    SentReceiptWriter,
)
from mailbox_server.store.ports.trail import TrailReader, TrailWriter
from mailbox_server.store.ports.transport_security import (
    PeerLevelReader,
    PeerLevelWriter,
    StsPolicyReader,
    StsPolicyWriter,
    TlsCountReader,
    TlsCountWriter,
)

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class ReadTx(Protocol):
    """One snapshot."""

    @property
    def domains(self) -> DomainReader: ...
    @property
    def accounts(self) -> AccountReader: ...
    @property
    def aliases(self) -> AliasReader: ...
    @property
    def access_keys(self) -> AccessKeyReader: ...
    @property
    def annotations(self) -> AnnotationReader: ...
    @property
    def bounces(self) -> BounceReader: ...
    @property
    def dkim_keys(self) -> DkimKeyReader: ...
    @property
    def known_networks(self) -> KnownNetworkReader: ...
    @property
    def tokens(self) -> TokenReader: ...
    @property
    def trail(self) -> TrailReader: ...
    @property
    def mailboxes(self) -> MailboxReader: ...
    @property
    def messages(self) -> MessageReader: ...
    @property
    def contents(self) -> ContentReader: ...
    @property
    def correspondents(self) -> CorrespondentReader: ...
    @property
    def held_messages(self) -> HeldMessageReader: ...
    @property
    def outbound(self) -> OutboundReader: ...
    @property
    def passports(self) -> PassportReader: ...
    @property
    def queue(self) -> QueueReader: ...
    @property
    def receipts(self) -> ReceiptReader: ...
    @property
    def rights(self) -> RightReader: ...
    @property
    def sent_copies(self) -> SentCopyReader: ...
    @property
    def sent_receipts(self) -> SentReceiptReader: ...
    @property
    def sts_policies(self) -> StsPolicyReader: ...
    @property
    def peer_levels(self) -> PeerLevelReader: ...
    @property
    def tls_counts(self) -> TlsCountReader: ...
    @property
    def changes(self) -> ChangeReader: ...
    @property
    def search(self) -> SearchReader: ...


class WriteTx(Protocol):
    """One write; whatever work raises rolls all of it back."""

    def after_commit(self, action: Callable[[], None]) -> None:
        """Call action in the event loop once this write is on the disk; never otherwise.

        Before the waiter hears of it, and in the order of commits.
        """

    @property
    def owners_generation(self) -> int:
        """Store.owners_generation as this write sees it, its own changes included."""

    @property
    def domains(self) -> DomainWriter: ...
    @property
    def accounts(self) -> AccountWriter: ...
    @property
    def aliases(self) -> AliasWriter: ...
    @property
    def access_keys(self) -> AccessKeyWriter: ...
    @property
    def annotations(self) -> AnnotationWriter: ...
    @property
    def bounces(self) -> BounceWriter: ...
    @property
    def dkim_keys(self) -> DkimKeyWriter: ...
    @property
    def known_networks(self) -> KnownNetworkWriter: ...
    @property
    def tokens(self) -> TokenWriter: ...
    @property
    def trail(self) -> TrailWriter: ...
    @property
    def mailboxes(self) -> MailboxWriter: ...
    @property
    def messages(self) -> MessageWriter: ...
    @property
    def contents(self) -> ContentWriter: ...
    @property
    def correspondents(self) -> CorrespondentWriter: ...
    @property
    def held_messages(self) -> HeldMessageWriter: ...
    @property
    def outbound(self) -> OutboundWriter: ...
    @property
    def passports(self) -> PassportWriter: ...
    @property
    def queue(self) -> QueueWriter: ...
    @property
    def receipts(self) -> ReceiptWriter: ...
    @property
    def rights(self) -> RightWriter: ...
    @property
    def sent_copies(self) -> SentCopyWriter: ...
    @property
    def sent_receipts(self) -> SentReceiptWriter: ...
    @property
    def sts_policies(self) -> StsPolicyWriter: ...
    @property
    def peer_levels(self) -> PeerLevelWriter: ...
    @property
    def tls_counts(self) -> TlsCountWriter: ...
    @property
    def changes(self) -> ChangeReader: ...
    @property
    def search(self) -> SearchReader: ...


class Listening(Protocol):
    """One listener at the doorbell."""

    def close(self) -> None:
        """Stop; silent the second time."""


class Room(Enum):
    """How much can still be stored."""

    AMPLE = "ample"
    LOW = "low"


class Reading(Awaitable[T_co], Protocol[T_co]):
    """A read under way; who does not wait for it needs not look at its failure either."""

    def cancel(self) -> bool:
        """Nobody wants it any more."""


class Preparation(Protocol):
    """Something that a thread computes for a write (store.aside)."""

    def when_done(self, call: Callable[[], None]) -> None:
        """Have call called in any thread once it is done; here and now if it is already."""


class Store(Protocol):
    """The door (store.door.SqliteStore is the embedded one)."""

    async def read(self, work: Callable[[ReadTx], T]) -> T:
        """Run work on a snapshot.  Raises StoreUnavailable; what work raises passes."""

    def begin_read(self, work: Callable[[ReadTx], T]) -> Reading[T]:
        """As read, begun before anybody waits for it: for who has something to do meanwhile."""

    async def write(
        self,
        work: Callable[[WriteTx], T],
        contents: Sequence[StagedContent] = (),
        after: Preparation | None = None,
    ) -> T:
        """Run work; return after the commit is on the disk.

        after: what must be done before work begins; no transaction waits for it.

        contents: what work may keep.  They are the store's from this call on, whatever it
        raises: what was not kept is discarded once that is certain, and the caller may
        touch none of them again.

        Cancelling the caller does not cancel the write.  Raises StoreUnavailable (no commit
        was reached), SyncFailed and CommitUnknown (there may have been one) and DiskLow;
        what work raises rolls back and passes unchanged.
        """

    def glance(self, work: Callable[[ReadTx], T]) -> T:
        """Run work in the calling thread, now; only indexed point queries of small rows."""

    def recalled_candidates(
        self, account: AccountId, criterion: TextCriterion
    ) -> Candidates | None:
        """What a read's search.candidates says, at once, from memory; None where that cannot be.

        Of messages that came since it says as little as a read does of those that are newer.
        """

    def stage(self, expected: int | None = None) -> Staging:
        """Begin receiving content; expected is the declared size in octets, if any."""

    def listen(self, account: AccountId, ring: Callable[[ModSeq], None]) -> Listening:
        """Call ring in the event loop after each commit that touched the account.

        Rings coalesce; the number only says where the account now stands.
        """

    @property
    def owners_generation(self) -> int:
        """Rises with the commit of each change of a domain, an account or an alias.

        While it stays, so does what was looked up about them after it was read.
        """

    @property
    def bounces_generation(self) -> int:
        """Rises with the commit of each address that mail of an account came back from.

        While it stays, nothing is added to what was looked up about them after it was read.
        """

    @property
    def attached_upto(self) -> int:
        """The message id up to which searches find what documents that came attached say.

        Falls where their texts are read anew.  Where it rises over one with documents, the
        bell of its account rings.
        """

    def room(self) -> Room:
        """Whether new mail may be accepted; cheap, at most a second old."""
