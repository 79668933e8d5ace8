"""The store's contract: what every room may ask of it, in the words of the domain.

`await store.read(work)` and `await store.write(work)` run work, a plain synchronous
function of a transaction, on a database thread.  work never waits, touches nothing but its
transaction, may be run again from its start, and returns values.  A write is answered
after its commit has reached the disk; every account it touched took exactly one new modseq
in it and the doorbell has been rung.

Repositories raise the errors of model.errors; an id is always checked against its account
where one is given.
"""

from mailbox_server.store.ports.access_keys import AccessKeyReader, AccessKeyWriter
from mailbox_server.store.ports.annotations import AnnotationReader, AnnotationWriter
from mailbox_server.store.ports.bounces import BounceReader, BounceWriter
from mailbox_server.store.ports.changes import AccountChanges, ChangeReader
from mailbox_server.store.ports.contents import (
    ContentReader,
    ContentWriter,
    PassportReader,
    PassportWriter,
    Receipt,
    ReceiptReader,
    ReceiptWriter,
    StagedContent,
    Staging,
)
from mailbox_server.store.ports.correspondents import (
    SPAN,
    CorrespondentReader,
    CorrespondentWriter,
    Sending,
)
from mailbox_server.store.ports.dkim_keys import DkimKeyReader, DkimKeyWriter
from mailbox_server.store.ports.door import (
    Listening,
    Reading,
    ReadTx,
    Room,
    Store,
    WriteTx,
)
from mailbox_server.store.ports.held_messages import HeldMessageReader, HeldMessageWriter
from mailbox_server.store.ports.mailboxes import (
    MailboxReader,
    MailboxWriter,
    MovedMailboxes,
    Unpurged,
)
from mailbox_server.store.ports.messages import (
    ChangedPlacement,
    Changes,
    Column,
    Copied,
    Copier,
    Edit,
    Expunged,
    FlagChange,
    FlagMoves,
    FlagOutcome,
    MessageFacts,
    MessageReader,
    MessageWriter,
    NewMessage,
    QuotaRule,
    TextCriterion,
    TextScope,
    ViewRows,
)
from mailbox_server.store.ports.outbound import (
    DEPARTURES,
    RETRIES,
    Due,
    OutboundReader,
    OutboundWriter,
    QueueFilter,
    QueueReader,
    QueueWriter,
    Recorded,
    Rooms,
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
from mailbox_server.store.ports.rights import ANYONE, RightReader, RightWriter, SharedMailbox
from mailbox_server.store.ports.search import (
    Candidates,
    Scored,
    SearchReader,
    WordCandidates,
    WordMatch,
    WordScope,
    WordTerm,
)
from mailbox_server.store.ports.trail import Followed, TrailReader, TrailWriter
from mailbox_server.store.ports.transport_security import (
    PeerLevelReader,
    PeerLevelWriter,
    StsPolicyReader,
    StsPolicyWriter,
    TlsCountReader,
    TlsCountWriter,
)

__all__ = [
    "ANYONE",
    "DEPARTURES",
    "RETRIES",
    "SPAN",
    "AccessKeyReader",
    "AccessKeyWriter",
    "AccountChanges",
    "AccountReader",
    "AccountWriter",
    "AliasReader",
    "AliasWriter",
    "AnnotationReader",
    "AnnotationWriter",
    "BounceReader",
    "BounceWriter",
    "Candidates",
    "ChangeReader",
    "ChangedPlacement",
    "Changes",
    "Column",
    "ContentReader",
    "ContentWriter",
    "Copied",
    "Copier",
    "CorrespondentReader",
    "CorrespondentWriter",
    "DkimKeyReader",
    "DkimKeyWriter",
    "DomainReader",
    "DomainWriter",
    "Due",
    "Edit",
    "Expunged",
    "FlagChange",
    "FlagMoves",
    "FlagOutcome",
    "Followed",
    "HeldMessageReader",
    "HeldMessageWriter",
    "KnownNetworkReader",
    "KnownNetworkWriter",
    "Listening",
    "MailboxReader",
    "MailboxWriter",
    "MessageFacts",
    "MessageReader",
    "MessageWriter",
    "MovedMailboxes",
    "NewMessage",
    "OutboundReader",
    "OutboundWriter",
    "PassportReader",
    "PassportWriter",
    "PeerLevelReader",
    "PeerLevelWriter",
    "QueueFilter",
    "QueueReader",
    "QueueWriter",
    "QuotaRule",
    "ReadTx",
    "Reading",
    "Receipt",
    "ReceiptReader",
    "ReceiptWriter",
    "Recorded",
    "RightReader",
    "RightWriter",
    "Room",
    "Rooms",
    "Scored",
    "SearchReader",
    "Sending",
    "SharedMailbox",
    "StagedContent",
    "Staging",
    "Store",
    "StsPolicyReader",
    "StsPolicyWriter",
    "TextCriterion",
    "TextScope",
    "TlsCountReader",
    "TlsCountWriter",
    "TokenReader",
    "TokenWriter",
    "TrailReader",
    "TrailWriter",
    "Unpurged",
    "ViewRows",
    "WordCandidates",
    "WordMatch",
    "WordScope",
    "WordTerm",
    "WriteTx",
]
