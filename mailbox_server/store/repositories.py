"""All repositories over one transaction: what work gets as `tx`."""

from collections.abc import Callable

from mailbox_server.store.access_keys import AccessKeys
from mailbox_server.store.account_changes import AccountChangeLog
from mailbox_server.store.accounts import Accounts
from mailbox_server.store.aliases import Aliases
from mailbox_server.store.annotations import Annotations
from mailbox_server.store.attached_text.reading import AttachedTextReader
from mailbox_server.store.bounces import Bounces
from mailbox_server.store.content_files import ContentFiles
from mailbox_server.store.contents import ContentRepository
from mailbox_server.store.correspondents import Correspondents
from mailbox_server.store.dkim_keys import DkimKeys
from mailbox_server.store.domains import Domains
from mailbox_server.store.held_messages import HeldMessages
from mailbox_server.store.known_networks import KnownNetworks
from mailbox_server.store.mailboxes import Mailboxes
from mailbox_server.store.messages import Messages
from mailbox_server.store.outbound import OutboundQueue
from mailbox_server.store.passports import Passports
from mailbox_server.store.peer_levels import PeerLevels
from mailbox_server.store.queue import Queue
from mailbox_server.store.receipts import Receipts
from mailbox_server.store.rights import MailboxRights
from mailbox_server.store.search import Search
from mailbox_server.store.search_index.reading import IndexReader
from mailbox_server.store.sts_policies import StsPolicies
from mailbox_server.store.submitted import SentCopies, SentReceipts
from mailbox_server.store.tls_counts import TlsCounts
from mailbox_server.store.tokens import Tokens
from mailbox_server.store.trail import Trail
from mailbox_server.store.transactions import SqlTx


class Repositories:
    """One bundle a connection (ports.ReadTx, ports.WriteTx).

    sql: the transaction itself, for the store's own room.  search knows nothing without an
    index; without attached nothing is found in what is attached.
    """

    __slots__ = (
        "access_keys",
        "accounts",
        "aliases",
        "annotations",
        "bounces",
        "changes",
        "contents",
        "correspondents",
        "dkim_keys",
        "domains",
        "held_messages",
        "known_networks",
        "mailboxes",
        "messages",
        "outbound",
        "passports",
        "peer_levels",
        "queue",
        "receipts",
        "rights",
        "search",
        "sent_copies",
        "sent_receipts",
        "sql",
        "sts_policies",
        "tls_counts",
        "tokens",
        "trail",
    )

    def __init__(
        self,
        tx: SqlTx,
        files: ContentFiles,
        index: IndexReader | None = None,
        attached: AttachedTextReader | None = None,
    ) -> None:
        self.sql = tx
        self.contents = ContentRepository(tx, files)
        self.access_keys = AccessKeys(tx)
        self.accounts = Accounts(tx)
        self.aliases = Aliases(tx)
        self.annotations = Annotations(tx)
        self.bounces = Bounces(tx)
        self.changes = AccountChangeLog(tx)
        self.dkim_keys = DkimKeys(tx)
        self.correspondents = Correspondents(tx)
        self.domains = Domains(tx)
        self.held_messages = HeldMessages(tx)
        self.known_networks = KnownNetworks(tx)
        self.mailboxes = Mailboxes(tx)
        self.messages = Messages(tx, self.contents, attached)
        self.outbound = OutboundQueue(tx, self.contents)
        self.passports = Passports(tx)
        self.queue = Queue(tx, self.contents)
        self.receipts = Receipts(tx, files)
        self.search = Search(tx, index, attached)
        self.rights = MailboxRights(tx)
        self.sent_copies = SentCopies(tx)
        self.sent_receipts = SentReceipts(tx)
        self.sts_policies = StsPolicies(tx)
        self.peer_levels = PeerLevels(tx)
        self.tls_counts = TlsCounts(tx)
        self.tokens = Tokens(tx)
        self.trail = Trail(tx)

    def after_commit(self, action: Callable[[], None]) -> None:
        """Call action once this write is on the disk (ports.WriteTx)."""
        self.sql.after_commit(action)

    @property
    def owners_generation(self) -> int:
        """How often domains, accounts and aliases have changed (ports.WriteTx)."""
        return self.sql.owners
