"""The engine of one SMTP connection, the client's end: octets in and out, no sockets, no clock.

Whoever drives it calls one of `hello`, `starttls`, `login`, `begin`, `content`, `quit` when
the state allows it, writes `output()`, and feeds what comes to `receive` until `step` is None:
then nothing is outstanding.  What the server says never raises.  A reply that nobody asked
for, that cannot answer what was asked, or that is none, ends the connection: what was not
settled by then is settled as temporary trouble.

421 ends the connection wherever it comes (RFC 5321 §3.8).  Memory: one reply, the answers of
one transaction, and what the driver has not yet taken from `output()`.
"""

import base64
import binascii
import enum
from collections import deque
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from mailbox_server.model.outbound import Phase
from mailbox_server.model.reply import Reply
from mailbox_server.relay.client import own_replies
from mailbox_server.relay.client.content.form import END_MARK, ContentForm
from mailbox_server.relay.client.login import Exchange
from mailbox_server.relay.client.offer import NO_OFFER, Offer, read_offer
from mailbox_server.relay.client.reply_reader import Garbled, ReplyReader
from mailbox_server.relay.client.transaction import (
    PHASES,
    Answer,
    Stage,
    Step,
    Transaction,
    Way,
)

_MOST_CHALLENGES: Final = 10


class State(enum.Enum):
    """What goes on; the table below says what follows."""

    GREETING = "waiting to be greeted"
    GREETED = "may say EHLO"
    HELLO = "said EHLO or HELO"
    SECURING = "said STARTTLS"
    HANDSHAKE = "TLS begins; what came in clear text is forgotten"
    LOGIN = "logging in"
    READY = "may begin a transaction"
    TRANSACTION = "in a transaction"
    QUITTING = "said QUIT"
    CLOSED = "nothing more is read"


class _Verdict(enum.Enum):
    """What a reply says to a step."""

    GRANTED = "yes"
    REFUSED = "no"
    CLOSING = "the server ends the connection"
    ODD = "cannot answer the step"


# What follows when the one reply that a state waits for has come.
_NEXT: Final[Mapping[tuple[State, _Verdict], State]] = MappingProxyType(
    {
        (State.GREETING, _Verdict.GRANTED): State.GREETED,
        (State.GREETING, _Verdict.REFUSED): State.CLOSED,
        (State.HELLO, _Verdict.GRANTED): State.READY,
        (State.HELLO, _Verdict.REFUSED): State.CLOSED,
        (State.SECURING, _Verdict.GRANTED): State.HANDSHAKE,
        (State.SECURING, _Verdict.REFUSED): State.READY,
        (State.LOGIN, _Verdict.GRANTED): State.READY,
        (State.LOGIN, _Verdict.REFUSED): State.READY,
        (State.QUITTING, _Verdict.GRANTED): State.CLOSED,
        (State.QUITTING, _Verdict.REFUSED): State.CLOSED,
    }
)
_GRANTS: Final[Mapping[Step, tuple[int, int]]] = MappingProxyType(
    {
        Step.GREETING: (220, 220),
        Step.EHLO: (200, 299),
        Step.HELO: (200, 299),
        Step.STARTTLS: (220, 220),
        Step.LOGIN: (200, 299),
        Step.RSET: (200, 299),
        Step.MAIL: (200, 299),
        Step.RCPT: (200, 299),
        Step.DATA: (300, 399),
        Step.CHUNK: (200, 299),
        Step.END: (200, 299),
        Step.QUIT: (200, 299),
    }
)
_GOODBYE: Final = 221
_SHUTTING_DOWN: Final = 421
_CHALLENGE: Final = 334


class Engine:
    """One connection.

    offer: of the last EHLO.  failure: why the connection ended, None while it has not or was
        ended by QUIT.  refusal: the reply that refused STARTTLS or AUTH last.
    injected: octets of clear text that came after the reply to STARTTLS and were dropped.
    """

    def __init__(self) -> None:
        self.state = State.GREETING
        self.offer: Offer = NO_OFFER
        self.failure: Answer | None = None
        self.refusal: Reply | None = None
        self.injected = 0
        self._reader = ReplyReader()
        self._output: list[bytes] = []
        self._awaited: deque[tuple[Step, int]] = deque(((Step.GREETING, 0),))
        self._name = ""
        self._exchange: Exchange | None = None
        self._challenges = 0
        self._transaction: Transaction | None = None
        self._form = ContentForm(dots=True)
        self._needs_reset = False
        self._owes_farewell = False

    # ------------------------------------------------------------ asked by the driver

    @property
    def step(self) -> Step | None:
        """What the next reply answers; None where nothing is outstanding."""
        return self._awaited[0][0] if self._awaited else None

    @property
    def outstanding(self) -> int:
        """How many replies are to come."""
        return len(self._awaited)

    @property
    def wants_content(self) -> bool:
        """Whether content may be given now."""
        transaction = self._transaction
        if transaction is None or transaction.stage is not Stage.CONTENT:
            return False
        return not self._awaited or self.offer.has("PIPELINING")

    @property
    def is_sending(self) -> bool:
        """Whether content is due, now or after replies that are outstanding."""
        transaction = self._transaction
        return transaction is not None and transaction.stage is Stage.CONTENT

    def output(self) -> bytes:
        """What is to be written now; it is forgotten here."""
        octets = b"".join(self._output)
        self._output.clear()
        return octets

    # ------------------------------------------------------------ told by the driver

    def hello(self, name: str) -> None:
        """Say EHLO; HELO follows by itself where the server knows no EHLO."""
        assert self.state in (State.GREETED, State.HANDSHAKE)
        self._name = name
        self.offer = NO_OFFER
        self.state = State.HELLO
        self._send(Step.EHLO, f"EHLO {name}\r\n".encode("ascii"))

    def starttls(self) -> None:
        """Ask for TLS; on HANDSHAKE the driver does it and says EHLO again."""
        assert self.state is State.READY
        self.refusal = None
        self.state = State.SECURING
        self._send(Step.STARTTLS, b"STARTTLS\r\n")

    def login(self, exchange: Exchange) -> None:
        """Log in; afterwards refusal is None where it succeeded."""
        assert self.state is State.READY
        self.refusal = None
        self._exchange = exchange
        self._challenges = 0
        self.state = State.LOGIN
        initial = exchange.initial()
        words = [b"AUTH", exchange.name.encode("ascii")]
        if initial is not None:
            words.append(base64.b64encode(initial) or b"=")
        self._send(Step.LOGIN, b" ".join(words) + b"\r\n")

    def begin(self, mail: bytes, recipients: Sequence[bytes], way: Way) -> Transaction:
        """Begin a transaction with complete command lines; the answers appear in the result."""
        assert self.state is State.READY
        self.state = State.TRANSACTION
        self._form = ContentForm(dots=way is Way.DATA)
        self._transaction = transaction = Transaction(mail, recipients, way)
        if self._needs_reset:
            self._send(Step.RSET, b"RSET\r\n")
        self._advance()
        return transaction

    def content(self, octets: bytes, *, is_last: bool) -> None:
        """Give a piece of the content, where wants_content says so."""
        transaction = self._transaction
        assert transaction is not None and transaction.stage is Stage.CONTENT
        formed = self._form.feed(octets)
        if is_last:
            formed += self._form.finish()
        if transaction.way is Way.DATA:
            self._output.append(formed)
            if is_last:
                self._send(Step.END, END_MARK)
        elif is_last:
            self._send(Step.END, b"BDAT %d LAST\r\n%b" % (len(formed), formed))
        elif formed:
            self._send(Step.CHUNK, b"BDAT %d\r\n%b" % (len(formed), formed))
        if is_last:
            transaction.content_sent()

    def quit(self) -> None:
        """Take leave, where the state allows it; else do nothing.

        After 421 no answer is awaited; but some servers wait for this before they close.
        """
        if self.state in (State.GREETED, State.READY):
            self.state = State.QUITTING
            self._send(Step.QUIT, b"QUIT\r\n")
        elif self._owes_farewell:
            self._owes_farewell = False
            self._output.append(b"QUIT\r\n")

    def lost(self, reply: Reply) -> None:
        """The connection is gone, or too slow: settle what is not settled with our words."""
        if self.state is not State.CLOSED:
            self._close(Answer(self._phase, reply, is_theirs=False))

    # ------------------------------------------------------------ said by the server

    def receive(self, octets: bytes) -> None:
        """Take what the server sent."""
        if self.state is State.CLOSED:
            return
        if self.state is State.HANDSHAKE:
            self.injected += len(octets)
            return
        self._reader.feed(octets)
        while (found := self._reader.next_reply()) is not None:
            if isinstance(found, Garbled):
                self._break(found.detail)
            else:
                self._take(found)
            if self.state in (State.CLOSED, State.HANDSHAKE):
                self.injected += self._reader.forget()
                return

    def _take(self, reply: Reply) -> None:
        if not self._awaited:
            self._take_unasked(reply)
            return
        step, position = self._awaited[0]
        verdict = _verdict(step, reply.code)
        if verdict is _Verdict.CLOSING:
            transaction = self._transaction
            # Within content it would be content.
            self._owes_farewell = transaction is None or transaction.stage is Stage.ENVELOPE
            self._close(Answer(self._phase, reply))
            return
        if step is Step.LOGIN and reply.code == _CHALLENGE:
            self._challenged(reply)
            return
        if verdict is _Verdict.ODD:
            self._break(f"{reply.code} while {step.value}")
            return
        self._awaited.popleft()
        if self.state is State.TRANSACTION:
            self._go_on(step, position, reply)
        else:
            self._follow(step, verdict, reply)

    def _take_unasked(self, reply: Reply) -> None:
        transaction = self._transaction
        if reply.code == _SHUTTING_DOWN:
            self._close(Answer(self._phase, reply))
        elif transaction is not None and transaction.stage is Stage.CONTENT and reply.code >= 400:
            transaction.refused_early(reply)
            self._close(Answer(Phase.CONTENT, reply))
        else:
            self._break(f"{reply.code} although nothing was asked")

    def _follow(self, step: Step, verdict: _Verdict, reply: Reply) -> None:
        """The states before and after transactions, where one reply decides."""
        granted = verdict is _Verdict.GRANTED
        if step is Step.EHLO and not granted and reply.code >= 500:
            self._send(Step.HELO, f"HELO {self._name}\r\n".encode("ascii"))
            return
        if step is Step.EHLO and granted:
            self.offer = read_offer(reply)
        if step in (Step.STARTTLS, Step.LOGIN):
            self.refusal = None if granted else reply
        if step is Step.LOGIN and granted:
            self._check_proof(reply)
        self.state = _NEXT[self.state, verdict]
        if self.state is State.CLOSED and step is not Step.QUIT:
            self.failure = Answer(PHASES[step], reply)

    def _go_on(self, step: Step, position: int, reply: Reply) -> None:
        transaction = self._transaction
        assert transaction is not None
        if step is Step.RSET:
            if not reply.is_positive:
                self._break(f"{reply.code} while {step.value}")
                return
        else:
            transaction.answered(step, position, reply)
        if transaction.stage is Stage.EMPTYING and step is Step.DATA:
            self._send(Step.END, END_MARK)
        self._advance()
        if not self._awaited and not transaction.orders:
            transaction.nothing_outstanding()
        if transaction.stage is Stage.OVER:
            self._needs_reset = transaction.needs_reset
            self._transaction = None
            self.state = State.READY

    # ------------------------------------------------------------ inside

    def _advance(self) -> None:
        """Send what may be sent: all that is left with PIPELINING, else one command."""
        transaction = self._transaction
        assert transaction is not None
        orders = transaction.orders
        if self.offer.has("PIPELINING"):
            for order in orders:
                self._send(order.step, order.octets, order.position)
            orders.clear()
        elif orders and not self._awaited:
            order = orders.popleft()
            self._send(order.step, order.octets, order.position)

    def _send(self, step: Step, octets: bytes, position: int = 0) -> None:
        self._output.append(octets)
        self._awaited.append((step, position))

    def _challenged(self, reply: Reply) -> None:
        assert self._exchange is not None
        self._challenges += 1
        challenge = _decoded(reply.lines[0])
        answer = None
        if challenge is not None and self._challenges <= _MOST_CHALLENGES:
            answer = self._exchange.respond(challenge)
        elif self._challenges > _MOST_CHALLENGES + 1:
            self._break("challenges without end")
            return
        self._output.append(b"*\r\n" if answer is None else base64.b64encode(answer) + b"\r\n")

    def _check_proof(self, reply: Reply) -> None:
        """Some servers put their proof into the last reply instead of a challenge."""
        exchange = self._exchange
        assert exchange is not None
        if not exchange.is_proved:
            proof = _decoded(reply.lines[0])
            if proof is not None:
                exchange.respond(proof)
        if not exchange.is_proved:
            self.refusal = own_replies.SECURITY_MISSING

    @property
    def _phase(self) -> Phase:
        transaction = self._transaction
        if transaction is not None and transaction.stage is Stage.ENDING:
            return Phase.END
        if self._awaited:
            return PHASES[self._awaited[0][0]]
        if transaction is not None and transaction.stage is Stage.CONTENT:
            return Phase.CONTENT
        return Phase.HELLO if self.state in (State.GREETED, State.HANDSHAKE) else Phase.MAIL

    def _break(self, how: str) -> None:
        self._close(Answer(self._phase, own_replies.out_of_step(how), is_theirs=False))

    def _close(self, answer: Answer) -> None:
        if self._transaction is not None:
            self._transaction.settle_rest(answer)
            self._transaction.orders.clear()
            self._transaction.stage = Stage.OVER
            self._transaction = None
        self._awaited.clear()
        self._output.clear()
        self._reader.forget()
        self.failure = answer
        self.state = State.CLOSED


def _verdict(step: Step, code: int) -> _Verdict:
    if code == _SHUTTING_DOWN and step is not Step.QUIT:
        return _Verdict.CLOSING
    if code >= 400:
        return _Verdict.REFUSED
    least, most = _GRANTS[step]
    if not least <= code <= most or (code == _GOODBYE and step is not Step.QUIT):
        return _Verdict.ODD
    return _Verdict.GRANTED


def _decoded(text: str) -> bytes | None:
    try:
        return base64.b64decode(text.strip().encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        return None
