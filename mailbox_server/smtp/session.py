"""One SMTP or LMTP conversation: from commands to replies, with its state and budgets.

Knows no socket: whoever drives it (conversation.Conversation) brings commands one by one,
sends the answers, and hands content blocks over.  State is forgotten where the RFCs say
so: RSET and hello end the transaction (RFC 5321 §4.1.4), TLS ends all (RFC 3207 §4.2).

     hello ──► IDLE ──MAIL──► OPEN ──RCPT──► OPEN ──DATA/BDAT──► content ──► IDLE
"""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime

from mailbox_server.delivery.arrival import Acceptance, Opening
from mailbox_server.delivery.replies import UNFORESEEN
from mailbox_server.model.account import Account
from mailbox_server.model.address import Address, Localpart
from mailbox_server.model.envelope import Recipient, TlsState
from mailbox_server.model.ports import Clock, Events
from mailbox_server.model.reply import Reply
from mailbox_server.net.tasks import TaskKeeper
from mailbox_server.smtp import replies
from mailbox_server.smtp.authorization import Authorization
from mailbox_server.smtp.budget import Budget
from mailbox_server.smtp.commands import (
    Auth,
    Bdat,
    BrokenOff,
    Burl,
    Command,
    Data,
    Foreign,
    Hello,
    Help,
    Mail,
    Malformed,
    Noop,
    Quit,
    Rcpt,
    Response,
    Rset,
    StartTls,
    Vrfy,
)
from mailbox_server.smtp.data import Problem
from mailbox_server.smtp.engine import ContentEnd
from mailbox_server.smtp.envelopes import envelope, latest_hold, wishes
from mailbox_server.smtp.extensions import SUBMISSION_PARAMETERS, Standing, offered
from mailbox_server.smtp.fetched_content import fetched
from mailbox_server.smtp.places import After, Answer, Place
from mailbox_server.smtp.policy import Policy, Transaction


@dataclass(slots=True)
class _Open:
    """The transaction under way."""

    mail: Mail
    journey: Transaction
    started: datetime
    recipients: list[Recipient] = field(default_factory=list)
    asked: int = 0
    octets: int = 0
    is_chunked: bool = False
    has_failed: bool = False
    is_broken: bool = False


class Session:
    """One conversation."""

    def __init__(
        self,
        place: Place,
        policy: Policy,
        clock: Clock,
        events: Events,
        tasks: TaskKeeper,
        tls: TlsState | None,
    ) -> None:
        """tls: what protects the connection from its first octet (implicit TLS), if any."""
        self._place = place
        self._limits = place.limits
        self._policy = policy
        self._clock = clock
        self._events = events
        self._tasks = tasks
        self._tls = tls
        self._hello: Hello | None = None
        self._open: _Open | None = None
        self._chunk: Bdat | None = None
        self._seen: Acceptance | None = None
        self._budget = Budget(place, events)
        self._transactions = 0
        self._authorization: Authorization | None = None
        if place.logins is not None:
            self._authorization = Authorization(place.logins, place, clock)

    @property
    def is_greeted(self) -> bool:
        """Whether the peer has said hello."""
        return self._hello is not None

    @property
    def _account(self) -> Account | None:
        return None if self._authorization is None else self._authorization.account

    @property
    def _takes_bare_paths(self) -> bool:
        """Old scanners and printers send them; they log in, and hand in mail of their owners."""
        return self._place.dialect.is_submission and self._account is not None

    @property
    def in_transaction(self) -> bool:
        """Whether somebody logged in, or a recipient was accepted and the transaction is open.

        MAIL alone is no work in hand: anybody can say it and sit there.  Who has logged in
        is no stranger, who would go first when it gets crowded.
        """
        is_open = self._open is not None and bool(self._open.recipients)
        return is_open or self._account is not None

    @property
    def has_chunks(self) -> bool:
        """Whether the transaction under way has taken chunks, which the next one continues."""
        return self._open is not None and self._open.is_chunked

    @property
    def greeting(self) -> Reply:
        """What is said first."""
        return replies.greeting(self._place.hostname.ascii, lmtp=self._place.dialect.is_lmtp)

    # ------------------------------------------------------------ for the driver

    async def handle(self, command: Command, *, has_reply: bool = True) -> Answer:
        """Answer one command.  What nobody foresaw is a temporary failure for the peer.

        has_reply: whether the peer may have seen the reply to its content when it said this.
        """
        try:
            if has_reply and self._seen is not None:
                seen, self._seen = self._seen, None
                self._policy.confirm(seen)
            answer = self._lapsed(command) or await self._answer(command)
        except Exception as error:  # the peer must not lose mail by a bug of ours
            self._events.fault("smtp.bug", error, connection=self._place.peer.connection)
            answer = Answer((UNFORESEEN,))
            if self._authorization is not None:
                self._authorization.forget()
        return self._budget.judged(answer)

    def _lapsed(self, command: Command) -> Answer | None:
        """The last word to somebody whose login does not hold any more; the transaction ends."""
        if self._authorization is None or isinstance(command, Quit | Foreign | BrokenOff):
            return None
        answer = self._authorization.lapsed()
        if answer is not None:
            self.ended()
        return answer

    def take(self, octets: bytes) -> bool:
        """Hand on content.  True: await drained() before more."""
        if self._open is None or self._open.has_failed:
            return False
        if self._chunk is not None and not self._open.is_chunked:
            return False
        self._open.octets += len(octets)
        try:
            return self._open.journey.feed(octets)
        except Exception as error:  # said at the end of the content, where the peer listens
            self._broke(self._open, error)
            return False

    async def drained(self) -> None:
        """Wait until content is out of memory."""
        if self._open is not None:
            try:
                await self._open.journey.drained()
            except Exception as error:  # as in take
                self._broke(self._open, error)

    def _broke(self, transaction: "_Open", error: Exception) -> None:
        self._events.fault("smtp.bug", error, connection=self._place.peer.connection)
        transaction.has_failed = transaction.is_broken = True
        transaction.journey.abandon()

    async def end_content(self, end: ContentEnd) -> Answer:
        """The content, or a chunk of it, is here."""
        chunk, self._chunk = self._chunk, None
        transaction = self._open
        if chunk is not None:
            refusal = self._chunk_refusal(end)
            if refusal is not None or not end.last:
                return self._budget.judged(Answer((refusal or replies.CHUNK_OK,), may_wait=True))
        self._open = None
        if transaction is None:
            return self._budget.judged(Answer((replies.MAIL_FIRST,)))
        if transaction.is_broken:
            return self._budget.judged(Answer(self._for_each(transaction, UNFORESEEN)))
        if end.problem is not None:
            transaction.journey.abandon()
            refused = replies.FOR_PROBLEM[end.problem]
            self._refused(transaction, refused)
            return self._budget.judged(Answer(self._for_each(transaction, refused)))
        if self._authorization is not None and (lapsed := self._authorization.lapsed()):
            transaction.journey.abandon()
            return lapsed
        return self._budget.judged(Answer(await self._accept(transaction)))

    def secured(self, tls: TlsState) -> None:
        """The handshake is done: forget what was said before it (RFC 3207 §4.2)."""
        self.ended()
        self._tls = tls
        self._hello = None
        if self._authorization is not None:
            self._authorization.reset()

    def ended(self) -> None:
        """The connection is going: forget the transaction, of which nothing is stored."""
        if self._open is not None:
            self._open.journey.abandon()
            self._open = None

    # ------------------------------------------------------------ commands

    async def _answer(self, command: Command) -> Answer:
        match command:
            case Mail(is_bare=True) if not self._takes_bare_paths:
                return Answer((replies.SENDER_MALFORMED,))
            case Rcpt(is_bare=True) if not self._takes_bare_paths:
                return Answer((replies.RECIPIENT_MALFORMED,))
            case Rcpt():
                return await self._rcpt(command)
            case Mail():
                return await self._mail(command)
            case Data():
                return self._data()
            case Bdat():
                return self._bdat(command)
            case Burl():
                return await self._burl(command)
            case Hello():
                return self._say_hello(command)
            case Quit():
                self.ended()
                return Answer((replies.GOODBYE,), After.CLOSE)
            case Rset():
                self.ended()
                return self._budget.idled(Answer((replies.OK,), may_wait=True))
            case StartTls():
                return self._start_tls()
            case Noop():
                return self._budget.idled(Answer((replies.OK,)))
            case Vrfy():
                return self._budget.idled(Answer((replies.CANNOT_VERIFY,)))
            case Help():
                return self._budget.idled(Answer((replies.HELP,)))
            case Auth():
                if self._authorization is None:
                    return Answer((replies.AUTH_NOT_OFFERED,))
                return await self._authorization.begin(command, self._hello, self._tls)
            case Response(line):
                assert self._authorization is not None, "nobody was asked"
                return await self._authorization.respond(line)
            case Malformed(reply=reply):
                if self._authorization is not None and self._authorization.awaits_response:
                    return await self._authorization.break_off(reply)
                return Answer((reply,))
            case BrokenOff(reply=reply):
                self.ended()
                return Answer((reply,), After.CLOSE)
            case Foreign():
                self.ended()
                return Answer((), After.CLOSE)

    def _say_hello(self, command: Hello) -> Answer:
        dialect = self._place.dialect
        if command.verb not in dialect.hellos:
            return Answer((replies.USE_LHLO if dialect.is_lmtp else replies.NO_LHLO_HERE,))
        self.ended()
        self._hello = command
        if command.verb == "HELO":
            return self._budget.idled(Answer((Reply(250, "", (self._place.hostname.ascii,)),)))
        keywords = offered(
            Standing(
                self._limits,
                tls_on=self._tls is not None,
                tls_possible=self._place.tls_possible,
                mechanisms=()
                if self._authorization is None
                else self._authorization.mechanisms(self._tls),
                is_submission=dialect.is_submission,
                holds_until=latest_hold(self._clock.now()) if dialect.is_submission else "",
            )
        )
        return self._budget.idled(Answer((replies.hello(self._place.hostname.ascii, keywords),)))

    # ------------------------------------------------------------ transactions

    async def _mail(self, command: Mail) -> Answer:
        if self._hello is None:
            first = replies.LHLO_FIRST if self._place.dialect.is_lmtp else replies.HELLO_FIRST
            return Answer((first,))
        if self._authorization is not None:
            unfit = self._authorization.refusal(self._tls)
            if unfit is not None:
                return unfit
        if self._open is not None:
            return Answer((replies.ALREADY_MAIL,))
        self._transactions += 1
        if self._transactions > self._limits.transactions:
            return Answer((replies.TOO_MANY_TRANSACTIONS,), After.CLOSE)
        given = command.parameters
        if given.require_tls and self._tls is None:
            # RFC 8689 §2: only after REQUIRETLS was offered, which plain text never sees.
            return self._refused_mail(command, replies.PARAMETER_UNKNOWN)
        if not self._place.dialect.is_submission and SUBMISSION_PARAMETERS & set(given.given):
            return self._refused_mail(command, replies.PARAMETER_UNKNOWN)
        sender = command.path.address
        if sender is not None and not sender.is_ascii and not given.smtputf8:
            return self._refused_mail(command, replies.SENDER_NEEDS_SMTPUTF8)
        if given.size is not None and given.size > self._limits.message_octets:
            return self._refused_mail(command, replies.TOO_LARGE)
        wanted = wishes(given, self._clock.now())
        if wanted is None:
            return self._refused_mail(command, replies.HOLD_TOO_LONG)
        if wanted.leaves_too_late:
            return self._refused_mail(command, replies.HELD_TOO_LATE)
        begun = await self._policy.begin(
            Opening(
                self._place.peer,
                self._place.local_ip,
                command.path,
                given.size,
                self._account,
                wanted,
            )
        )
        if isinstance(begun, Reply):
            return self._refused_mail(command, begun)
        self._open = _Open(command, begun, self._clock.now())
        return Answer((replies.SENDER_OK,), may_wait=True)

    def _refused_mail(self, command: Mail, reply: Reply) -> Answer:
        self._events.info(
            "smtp.refused",
            connection=self._place.peer.connection,
            sender=str(command.path),
            reply=f"{reply.code} {reply.enhanced}",
        )
        return Answer((reply,), may_wait=True)

    async def _rcpt(self, command: Rcpt) -> Answer:
        transaction = self._open
        if transaction is None:
            return Answer((replies.MAIL_FIRST,), may_wait=True)
        if transaction.is_chunked:
            return Answer((replies.CHUNKS_BEGUN,), may_wait=True)
        transaction.asked += 1
        if transaction.asked > self._limits.recipients:
            if transaction.asked > 2 * self._limits.recipients:
                self.ended()
                return Answer((replies.TOO_MANY_ERRORS,), After.CLOSE)
            return Answer((replies.TOO_MANY_RECIPIENTS,), may_wait=True)
        address = command.address or Address(Localpart("postmaster"), self._place.hostname)
        if not address.is_ascii and not transaction.mail.parameters.smtputf8:
            return Answer((replies.RECIPIENT_NEEDS_SMTPUTF8,), may_wait=True)
        answer = await transaction.journey.recipient(address)
        if answer.is_positive:
            transaction.recipients.append(Recipient(address, command.notify, command.original))
        else:
            self._events.info(
                "smtp.refused",
                connection=self._place.peer.connection,
                recipient=str(address),
                reply=f"{answer.code} {answer.enhanced}",
            )
        return Answer((answer,), may_wait=True)

    def _data(self) -> Answer:
        transaction = self._open
        if transaction is None:
            return Answer((replies.MAIL_FIRST,))
        if transaction.is_chunked:
            return Answer((replies.CHUNKS_BEGUN,))
        if not transaction.recipients:
            nobody = replies.NO_VALID_RECIPIENTS if transaction.asked else replies.NO_RECIPIENTS
            return Answer((nobody,))
        transaction.journey.begin_content()
        return Answer((replies.SEND_CONTENT,), After.CONTENT)

    def _bdat(self, command: Bdat) -> Answer:
        """Nothing is said yet: a chunk is read whatever it is worth (RFC 3030 §2)."""
        self._chunk = command
        transaction = self._open
        if transaction is not None and transaction.recipients and not transaction.is_chunked:
            transaction.is_chunked = True
            transaction.journey.begin_content()
        return Answer((), may_wait=True)

    async def _burl(self, command: Burl) -> Answer:
        """The server fetches what the client would have to download and upload (RFC 4468)."""
        if not self._place.dialect.is_submission:
            return Answer((replies.NOT_OFFERED,))
        transaction = self._open
        refusal = self._chunk_refusal(ContentEnd(command.problem, last=False))
        if refusal is not None or transaction is None:
            return Answer((refusal or replies.MAIL_FIRST,))
        if not transaction.is_chunked:
            transaction.is_chunked = True
            transaction.journey.begin_content()
        try:
            transaction.octets, refusal = await fetched(
                transaction.journey, command.url, self._limits, transaction.octets
            )
        except Exception as error:  # what came of it until then must not pass for the whole
            self._broke(transaction, error)
            return Answer((UNFORESEEN,))
        if refusal is not None:
            transaction.has_failed = True
            transaction.journey.abandon()
            return Answer((refusal,))
        if not command.last:
            return Answer((replies.PART_OK,))
        self._open = None
        return Answer(await self._accept(transaction))

    def _chunk_refusal(self, end: ContentEnd) -> Reply | None:
        """Why a chunk that has been read is refused, if so."""
        transaction = self._open
        if transaction is None:
            return replies.MAIL_FIRST
        if transaction.has_failed:
            return UNFORESEEN if transaction.is_broken else replies.CHUNKS_FAILED
        if not transaction.recipients:
            return replies.NO_VALID_RECIPIENTS if transaction.asked else replies.NO_RECIPIENTS
        problem = None if end.last else end.problem
        if transaction.octets > self._limits.message_octets:
            # Chunks are counted by the engine, what URLs bring by nobody but here.
            problem = Problem.TOO_LARGE
        if problem is not None:
            transaction.has_failed = True
            transaction.journey.abandon()
            return replies.FOR_PROBLEM[problem]
        return None

    def _start_tls(self) -> Answer:
        if self._tls is not None:
            return Answer((replies.ALREADY_TLS,))
        if not self._place.tls_possible:
            return Answer((replies.NOT_OFFERED,))
        return Answer((replies.READY_FOR_TLS,), After.TLS)

    # ------------------------------------------------------------ content

    async def _accept(self, transaction: _Open) -> tuple[Reply, ...]:
        given = envelope(
            self._place,
            self._hello or Hello("HELO", ""),
            self._tls,
            transaction.mail,
            tuple(transaction.recipients),
            transaction.started,
            is_logged_in=self._account is not None,
        )
        # A task of its own: a peer that hangs up must not cancel a commit half way.
        task = self._tasks.spawn("smtp.accept", transaction.journey.accept(given))
        try:
            acceptance = await asyncio.shield(task)
        except Exception as error:  # the peer must not lose mail by a bug of ours
            self._events.fault("smtp.bug", error, connection=self._place.peer.connection)
            return self._for_each(transaction, UNFORESEEN)
        if acceptance.receipt is not None:
            self._seen = acceptance
        first = acceptance.replies[0]
        if first.is_positive:
            self._budget.progressed()
        else:
            self._refused(transaction, first)
        return acceptance.replies if self._place.dialect.is_lmtp else (first,)

    def _for_each(self, transaction: _Open, reply: Reply) -> tuple[Reply, ...]:
        if self._place.dialect.is_lmtp:
            return (reply,) * len(transaction.recipients)
        return (reply,)

    def _refused(self, transaction: _Open, reply: Reply) -> None:
        self._events.info(
            "smtp.refused",
            connection=self._place.peer.connection,
            sender=str(transaction.mail.path),
            recipients=len(transaction.recipients),
            reply=f"{reply.code} {reply.enhanced}",
        )
