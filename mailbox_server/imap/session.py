"""What one IMAP client may do now, and what commands act upon; no socket and no parsing.

A command handler is `async def handle(session, arguments) -> Outcome`.  It writes untagged
lines through respond() (a few short lines), send() (blocks of up to 64 KiB, waits while the
network is slow) or pour() (pieces of up to some MiB together, waits likewise) and returns the
tagged reply.  Errors of model.errors may leave it: imap.refusals turns them into replies.
After the handler, the conversation tells the changes that the command's row allows and then
writes the tagged line.

APPEND streams: its handler is called when the first message literal has been announced and
pulls the octets through session.literals.
"""

import enum
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from mailbox_server.auth.authenticator import Authenticator
from mailbox_server.auth.outcomes import Granted
from mailbox_server.delivery.sent_copies import SentCopies
from mailbox_server.imap.fetch.part_decoder import PartDecoder
from mailbox_server.imap.grammar.append import AppendStep
from mailbox_server.imap.grammar.lexer import TextForm
from mailbox_server.imap.grammar.sequence_sets import By
from mailbox_server.imap.known_clients import NEW_MAIL_AT_ANY_TIME
from mailbox_server.imap.limits import ImapLimits
from mailbox_server.imap.mailboxes.places import Place, reader_of
from mailbox_server.imap.repeated_commands import RepeatedCommands
from mailbox_server.imap.responses import CRLF, Outcome, untagged
from mailbox_server.imap.search.contexts import Contexts, refused
from mailbox_server.imap.search.text_turns import TextTurns
from mailbox_server.imap.telling.account_watch import AccountWatches
from mailbox_server.imap.telling.annotation_news import AnnotationNews
from mailbox_server.imap.telling.headway import Headway
from mailbox_server.imap.telling.key_resets import KeyResets, KeyWatch
from mailbox_server.imap.telling.notifications import Notifications
from mailbox_server.imap.views.selected import Access, Expunges, ModSeqs, SelectedView, Views
from mailbox_server.model.account import Account
from mailbox_server.model.address import IpAddress
from mailbox_server.model.errors import NoPermission
from mailbox_server.model.ids import ModSeq
from mailbox_server.model.ports import Clock, Entropy, Events, SystemEntropy
from mailbox_server.model.rights import READ
from mailbox_server.model.switches import ClientProgram, Deed, Switches
from mailbox_server.net.tls_ends import TlsEnds
from mailbox_server.store.ports import Listening, Store

WELCOME_SECONDS: Final = 60.0


class State(enum.Enum):
    """RFC 9051 §3."""

    __hash__ = object.__hash__

    NOT_AUTHENTICATED = "not authenticated"
    AUTHENTICATED = "authenticated"
    SELECTED = "selected"
    LOGOUT = "logout"


class Security(enum.Enum):
    """What protects the connection."""

    PLAIN = "plain"
    TLS = "tls"


class Extension(enum.Enum):
    """What ENABLE can turn on; the value is its capability name (RFC 5161)."""

    __hash__ = object.__hash__

    CONDSTORE = "CONDSTORE"
    QRESYNC = "QRESYNC"
    METADATA = "METADATA"
    METADATA_SERVER = "METADATA-SERVER"
    UTF8 = "UTF8=ACCEPT"
    REV2 = "IMAP4rev2"
    UIDONLY = "UIDONLY"


class Ended(Exception):
    """The connection is over: lost, timed out or shut down.  Handlers let it pass."""


class CommandRefused(Exception):
    """The command ends with outcome; what is behind the handler is told by raising it."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.text)
        self.outcome = outcome


class MessageLiterals(Protocol):
    """The message literals of the APPEND being handled, pulled one after the other.

        steps = arguments.steps
        while steps:
            ... all steps; for the text that a stretch may end with:
                ... refuse by returning an Outcome or raising, before accept() ...
                await literals.accept()
                async for octets in literals.blocks(): ...
            steps = await literals.next_steps() if it ended with a text else ()

    When the handler ends early, what a LITERAL+ still sends is swallowed.
    """

    @property
    def is_at_hand(self) -> bool:
        """Whether the announced literal came whole, unasked."""

    async def accept(self) -> None:
        """Ask for the announced literal; sends `+` where the client waits for it."""

    def blocks(self) -> AsyncIterator[bytes]:
        """The literal's octets as they arrive, at most 64 KiB each, size octets in all."""

    async def next_steps(self) -> tuple[AppendStep, ...]:
        """The next stretch; () at the end of the command.  Only after a literal was read.

        Raises CommandRefused where what follows cannot be read; let it pass.
        """


class Channel(Protocol):
    """The session's way to its client; the conversation is one."""

    def write(self, octets: bytes) -> None:
        """Queue octets."""

    async def drained(self) -> None:
        """Wait while more than limits.unsent_octets wait.  Raises Ended."""

    async def pour(self, pieces: Sequence[bytes]) -> bool:
        """Send pieces, and wait likewise; whether the next should be made meanwhile."""

    async def line(self) -> bytes:
        """The client's next line as it is, without its end: a SASL response, DONE.

        Raises Ended; ArgumentsMalformed where it is too long.
        """

    async def line_or_ring(self) -> bytes | None:
        """As line(); None as soon as the selected mailbox may have changed."""

    def ring(self) -> None:
        """Wake line_or_ring()."""


@dataclass(frozen=True, slots=True)
class Services:
    """What all sessions share.

    offers_tls: whether STARTTLS can be done.
    loopback_logins: whether a peer on this machine may send its password without TLS.
    repeated: what lines that clients gave mean.
    text_turns: what text searches of all sessions wait for.
    watches: how accounts stand of which NOTIFY is told.
    switches: which capabilities are hidden from, or shown to, whom.
    hostname: the server's own name, for URLs.
    sent_copies: what submission filed, which yields to what clients file; None where nothing is.
    submission_servers: the addresses, in their key form, as which other servers log in to read
        what is to be sent (RFC 4467 §3).
    """

    store: Store
    views: Views
    authenticator: Authenticator
    clock: Clock
    events: Events
    limits: ImapLimits
    offers_tls: bool
    loopback_logins: bool
    text_turns: TextTurns = field(default_factory=TextTurns)
    watches: AccountWatches = field(default_factory=AccountWatches)
    switches: Switches = field(default_factory=Switches)
    hostname: str = "localhost"
    submission_servers: frozenset[str] = frozenset()
    key_resets: KeyResets = field(default_factory=KeyResets)
    sent_copies: SentCopies | None = None
    entropy: Entropy = field(default_factory=SystemEntropy)
    repeated: RepeatedCommands = field(default_factory=RepeatedCommands)


class Session:
    """One client's conversation.

    services, connection (the id in the log), peer and security say where we are; account and
    selected are set by login and SELECT.  tls_ends: what TLS says of both ends, if there is TLS.

    state: which commands are allowed.  enabled: what ENABLE turned on; see enable() for what
        follows from it.
    tag: of the command under way, for responses that name it.
    headway: how far it has come.
    contexts: searches in the selected mailbox whose results are kept up to date.
    annotations, notifications: what is told of beside the selected mailbox.
    program: what the client said of itself with ID, None until it did.
    decided: which capabilities are hidden or shown to who is there, as far as that is known.
    part_decoder: for FETCH BINARY of large parts.
    is_compressed: COMPRESS was done; holds from behind its tagged reply (RFC 4978 §3).
    wants_tls: shake hands after the tagged reply.  farewell: say BYE after the tagged reply, or
        instead of it where Ended is raised.
    """

    def __init__(
        self,
        services: Services,
        channel: Channel,
        literals: MessageLiterals,
        *,
        connection: str,
        peer: IpAddress,
        security: Security,
    ) -> None:
        self.services = services
        self.channel = channel
        self.literals = literals
        self.connection = connection
        self.peer = peer
        self.security = security
        self.tls_ends: TlsEnds | None = None
        self.state = State.NOT_AUTHENTICATED
        self.selected: SelectedView | None = None
        self._have_enabled(frozenset())
        self.tag = b""
        self.headway = Headway(services.limits.progress_seconds)
        self.contexts = Contexts(services)
        self.annotations = AnnotationNews()
        self.notifications = Notifications(services)
        self.decided: Mapping[str, Deed] = {}
        self.failed_logins = 0
        self.strangers = 0
        self.program: ClientProgram | None = None
        self.is_compressed = False
        self.part_decoder = PartDecoder()
        self.key_watch = KeyWatch(services.key_resets)
        self.wants_tls = False
        self.farewell: Outcome | None = None
        self._granted: Granted | None = None
        self._listening: Listening | None = None
        self._account_changed, self._looked_at = False, 0.0
        self._decide()

    @property
    def store(self) -> Store:
        """The store, by the door that commands are to use."""
        return self.notifications.store

    @property
    def limits(self) -> ImapLimits:
        """The connection's limits."""
        return self.services.limits

    @property
    def account(self) -> Account:
        """Who is logged in; only for commands of the authenticated states."""
        if self._granted is None:
            raise LookupError("nobody is logged in")
        return self._granted.account

    @property
    def view(self) -> SelectedView:
        """The selected mailbox; only for commands of the selected state.

        Raises NoPermission where it is somebody else's, who lets nobody read it any more.
        """
        if self.selected is None:
            raise LookupError("no mailbox is selected")
        if READ not in self.selected.rights:
            raise NoPermission("the right to read it was taken")
        return self.selected

    @property
    def writable_view(self) -> SelectedView | None:
        """The selected mailbox where it was selected to be changed, else None."""
        return self.view if self.view.access is Access.READ_WRITE else None

    @property
    def is_confidential(self) -> bool:
        """Whether a password may be sent: inside TLS, or from this machine where allowed."""
        return self.security is Security.TLS or (
            self.services.loopback_logins and self.peer.is_loopback
        )

    @property
    def url_mechanisms(self) -> bytes:
        """The response code that tells how URLs are authorized; b"" where it must not be seen.

        RFC 4467 §8, §10.
        """
        is_hidden = self.decided.get("URLAUTH") is Deed.HIDE
        return b"URLMECH INTERNAL" if self.is_confidential and not is_hidden else b""

    def introduce(self, program: ClientProgram) -> None:
        """The client said what it is."""
        self.program = program
        self._decide()

    def _decide(self) -> None:
        account = None if self._granted is None else self._granted.account.address
        decided = dict(self.services.switches.decisions(account, self.program))
        if decided.get("CONDSTORE") is Deed.HIDE:
            # The one cannot be had without the other (RFC 7162 §3.2.3).
            decided["QRESYNC"] = Deed.HIDE
        self.decided = decided

    @property
    def hears_mail_at_any_time(self) -> bool:
        """Whether EXISTS may come behind any command that allows it."""
        return self.decided.get(NEW_MAIL_AT_ANY_TIME) is not Deed.HIDE

    def log_in(self, granted: Granted) -> None:
        """Who is there."""
        self._granted, self.state = granted, State.AUTHENTICATED
        self._decide()
        self._looked_at = self.services.clock.monotonic()
        self._listening = self.store.listen(granted.account.id, self._account_rang)

    def _account_rang(self, modseq: ModSeq) -> None:
        self._account_changed = True
        # Both are to know, whether or not the other one does.
        if self.notifications.rang(modseq) | self.annotations.rang():
            self.channel.ring()

    def is_still_welcome(self) -> bool:
        """Whether the login would still be granted; cheap to ask every few seconds.

        Looks when the account changed, and once a minute because a ring may be lost.
        """
        now = self.services.clock.monotonic()
        is_due = self._account_changed or now - self._looked_at > WELCOME_SECONDS
        if self._granted is None or not is_due:
            return True
        self._account_changed = False
        self._looked_at = now
        return self.services.authenticator.stands(self._granted)

    async def close(self) -> None:
        """The connection is over: let go of everything."""
        if self._listening is not None:
            self._listening.close()
        self.notifications.end()
        await self.deselect()

    async def log_off(self) -> None:
        """Nobody is there any more; nothing of the account's time stays (RFC 8437 §4)."""
        await self.close()
        self._granted, self._listening, self.state = None, None, State.NOT_AUTHENTICATED
        self._decide()
        self._account_changed = False
        self.annotations = AnnotationNews()
        self._have_enabled(frozenset())
        self.part_decoder = PartDecoder()
        self.is_compressed = False

    def log_out(self) -> None:
        """After the tagged reply the connection ends."""
        self.state = State.LOGOUT

    # ------------------------------------------------------------ speaking

    def respond(self, line: bytes) -> None:
        """Write `* line`; a few short ones, for what does not grow with the mailbox."""
        self.channel.write(untagged(line))

    async def send(self, octets: bytes) -> None:
        """Write ready octets, CRLF included, and wait while the network is behind."""
        self.channel.write(octets)
        await self.channel.drained()

    async def pour(self, pieces: Sequence[bytes]) -> bool:
        """The same of all pieces at hand; whether the next should be made meanwhile."""
        return await self.channel.pour(pieces)

    async def ask(self, challenge: bytes = b"") -> bytes:
        """Write `+ challenge` and return the client's line.

        The space stays even where the challenge is empty: Thunderbird waits for it.
        """
        self.channel.write(b"+ " + challenge + CRLF)
        return await self.channel.line()

    # ------------------------------------------------------------ what is enabled

    def enable(self, extension: Extension) -> None:
        """From now on:

        is_rev2: whether the client has chosen IMAP4rev2, where that differs (RFC 9051 Appendix E).
        text_form: how text beyond ASCII is written, by the client too.
        modseqs: whether FETCH lines carry MODSEQ.  expunges: how expunges are told.
        named_by: how responses name messages, by UID alone with UIDONLY (RFC 9586).
        """
        self._have_enabled(self.enabled | {extension})

    def _have_enabled(self, enabled: frozenset[Extension]) -> None:
        self.enabled = enabled
        self.is_rev2 = Extension.REV2 in enabled
        self.text_form = TextForm.UTF8 if self.is_rev2 else TextForm.SEVEN_BIT
        if Extension.UTF8 in enabled:
            self.text_form = TextForm.UTF8_ONLY
        self.modseqs = ModSeqs.SHOWN if Extension.CONDSTORE in enabled else ModSeqs.HIDDEN
        by_uid = not enabled.isdisjoint((Extension.QRESYNC, Extension.UIDONLY))
        self.expunges = Expunges.BY_UID if by_uid else Expunges.BY_NUMBER
        self.named_by = By.UID if Extension.UIDONLY in enabled else By.NUMBER

    def enable_rev2(self) -> None:
        """From now on nothing is \\Recent, and all else is of IMAP4rev2."""
        self.enable(Extension.REV2)
        if self.selected is not None:
            self.selected.tells_recent = False

    def enable_uid_only(self) -> None:
        """From now on no message has a number; searches by number are not kept up to date."""
        self.enable(Extension.UIDONLY)
        if self.selected is not None:
            self.selected.named_by = By.UID
        for tag in self.contexts.forget_numbers():
            self.channel.write(refused(tag, "Message numbers are not told any more"))

    def highest_modseq_code(self, modseq: ModSeq | None) -> bytes:
        """The response code of a command that expunged, where QRESYNC asks for one.

        RFC 7162 §3.2.7; modseq: of the last expunge, None where nothing went.
        """
        if modseq is None or Extension.QRESYNC not in self.enabled:
            return b""
        return b"HIGHESTMODSEQ %d" % modseq

    def enable_condstore(self) -> None:
        """A CONDSTORE enabling command was seen (RFC 7162 §3.1).

        Where that happens in a selected mailbox, the client is told its HIGHESTMODSEQ.
        Nothing comes of it where CONDSTORE is switched off.
        """
        if Extension.CONDSTORE in self.enabled:
            return
        if self.decided.get("CONDSTORE") is Deed.HIDE:
            return
        self.enable(Extension.CONDSTORE)
        if self.selected is not None:
            modseq = self.selected.mailbox.highest_modseq
            self.respond(b"OK [HIGHESTMODSEQ %d] Modseqs from now on" % modseq)

    # ------------------------------------------------------------ the selected mailbox

    async def hold(self) -> None:
        """The selected mailbox is about to be looked at.

        Of somebody else's, this is when one's rights are looked up (RFC 4314 §5.1.1).
        Raises StoreUnavailable, MailboxMissing.
        """
        view = self.selected
        if view is None:
            return
        await view.hold()
        reader = view.reader
        if reader is not None:
            view.may_do(self.store.glance(lambda tx: tx.rights.held(view.mailbox, reader)))

    def release(self) -> None:
        """The selected mailbox is not looked at until it is held again."""
        if self.selected is not None:
            self.selected.release()

    async def select(self, found: Place, access: Access) -> SelectedView:
        """Open a mailbox as the selected one; the one before must be deselected."""
        view = await self.services.views.open(
            found.owner,
            found.mailbox.id,
            access,
            self.channel.ring,
            reader_of(found.mailbox, self.account),
        )
        view.rights = found.rights
        view.tells_recent = not self.is_rev2
        view.named_by = self.named_by
        self.key_watch.begin(self.account.id, found.mailbox.id, self.channel.ring)
        self.selected, self.state = view, State.SELECTED
        return view

    async def deselect(self) -> None:
        """Let go of the selected mailbox, if any."""
        selected, self.selected = self.selected, None
        self.contexts.clear()
        self.key_watch.end()
        if selected is None:
            return
        if self.state is State.SELECTED:
            self.state = State.AUTHENTICATED
        notifications, number = self.notifications, selected.mailbox.id
        if notifications.reaches_elsewhere and (
            selected.has_untold or notifications.is_ahead_of(number, selected.told_modseq)
        ):
            notifications.left(
                number,
                messages=selected.count,
                uid_next=selected.stand().last + 1,
                modseq=selected.told_modseq,
            )
        await selected.close()
