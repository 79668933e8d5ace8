"""One mail transaction on a connection: which commands go out, and what each reply settles.

    ENVELOPE ──all answered, somebody accepted──► CONTENT ──sent──► ENDING ──► OVER
       │                                             └──chunk refused──► DRAINING ──► OVER
       ├──nobody accepted, but 354 came──► EMPTYING ──► OVER
       └──nobody accepted──► OVER

Each recipient gets one answer, and never a second one.  With PIPELINING all commands up to
DATA go together (RFC 2920 §3.1); content is never sent before RCPT was answered.
"""

import enum
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from mailbox_server.model.outbound import Phase
from mailbox_server.model.reply import Reply


class Step(enum.Enum):
    """What a reply answers."""

    GREETING = "greeting us"
    EHLO = "answering EHLO"
    HELO = "answering HELO"
    STARTTLS = "answering STARTTLS"
    LOGIN = "answering AUTH"
    RSET = "answering RSET"
    MAIL = "answering MAIL"
    RCPT = "answering RCPT"
    DATA = "answering DATA"
    CHUNK = "taking the message"
    END = "answering the end of the message"
    QUIT = "answering QUIT"


PHASES: Final[Mapping[Step, Phase]] = {
    Step.GREETING: Phase.GREETING,
    Step.EHLO: Phase.HELLO,
    Step.HELO: Phase.HELLO,
    Step.STARTTLS: Phase.TLS,
    Step.LOGIN: Phase.LOGIN,
    Step.RSET: Phase.MAIL,
    Step.MAIL: Phase.MAIL,
    Step.RCPT: Phase.RCPT,
    Step.DATA: Phase.DATA,
    Step.CHUNK: Phase.CONTENT,
    Step.END: Phase.END,
    Step.QUIT: Phase.END,
}


class Way(enum.Enum):
    """How content goes."""

    DATA = "DATA"
    BDAT = "BDAT"


class Stage(enum.Enum):
    """How far the transaction is; the picture is above."""

    ENVELOPE = "asking"
    CONTENT = "sending content"
    DRAINING = "a chunk was refused; replies to others are outstanding"
    ENDING = "all is sent"
    EMPTYING = "ending an empty message that nobody is to have"
    OVER = "over"


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one recipient; phase END and a positive reply: the server has it."""

    phase: Phase
    reply: Reply
    is_theirs: bool = True


@dataclass(frozen=True, slots=True)
class Order:
    """One command to be sent, and what its reply will settle."""

    step: Step
    octets: bytes
    position: int = 0


class Transaction:
    """What one MAIL, its RCPTs and the content come to.

    orders: what is still to be sent before content.
    answers: by position of the recipient; None while it has none.
    needs_reset: whether the server must be told RSET before another transaction.
    """

    def __init__(self, mail: bytes, recipients: Sequence[bytes], way: Way) -> None:
        self.way = way
        self.stage = Stage.ENVELOPE
        self.answers: list[Answer | None] = [None] * len(recipients)
        self.needs_reset = False
        self.orders: deque[Order] = deque((Order(Step.MAIL, mail),))
        self.orders.extend(Order(Step.RCPT, line, at) for at, line in enumerate(recipients))
        if way is Way.DATA:
            self.orders.append(Order(Step.DATA, b"DATA\r\n"))
        self._unasked = len(recipients)
        self._accepted = 0

    def settle_rest(self, answer: Answer) -> None:
        """Give the answer to all recipients that have none."""
        self._accepted = 0
        self.answers = [answer if one is None else one for one in self.answers]

    def answered(self, step: Step, position: int, reply: Reply) -> None:
        """Take the reply to one command: granted or refused, nothing else."""
        match step:
            case Step.MAIL:
                self._mail_answered(reply)
            case Step.RCPT:
                self._rcpt_answered(reply, position)
            case Step.DATA:
                self._data_answered(reply)
            case Step.CHUNK:
                self._chunk_answered(reply)
            case _:
                self._end_answered(reply)

    def nothing_outstanding(self) -> None:
        """All commands that were sent have been answered, and no order is left."""
        if self.stage is Stage.DRAINING:
            self.stage = Stage.OVER
        elif self.stage is Stage.ENVELOPE:
            self.stage = Stage.CONTENT if self._accepted else Stage.OVER

    def content_sent(self) -> None:
        """The end of the content goes out."""
        if self.stage is Stage.CONTENT:
            self.stage = Stage.ENDING

    def refused_early(self, reply: Reply) -> None:
        """A refusal while content goes by DATA: the server will not take the rest."""
        self.settle_rest(Answer(Phase.CONTENT, reply))
        self.stage = Stage.OVER

    def _mail_answered(self, reply: Reply) -> None:
        self.needs_reset = reply.is_positive
        if not reply.is_positive:
            self.settle_rest(Answer(Phase.MAIL, reply))
            self.orders.clear()

    def _rcpt_answered(self, reply: Reply, position: int) -> None:
        self._unasked -= 1
        if self.answers[position] is None:
            if reply.is_positive:
                self._accepted += 1
            else:
                self.answers[position] = Answer(Phase.RCPT, reply)
        if not self._unasked and not self._accepted:
            self.orders.clear()

    def _data_answered(self, reply: Reply) -> None:
        if not reply.is_positive:
            self.settle_rest(Answer(Phase.DATA, reply))
        elif self._accepted:
            self.stage = Stage.CONTENT
        else:
            # 354 although nobody was accepted: an empty message must be ended (RFC 2920 §3.1).
            self.stage = Stage.EMPTYING

    def _chunk_answered(self, reply: Reply) -> None:
        if reply.is_positive:
            return
        self.settle_rest(Answer(Phase.CONTENT, reply))
        if self.stage is Stage.CONTENT:
            self.stage = Stage.DRAINING

    def _end_answered(self, reply: Reply) -> None:
        self.settle_rest(Answer(Phase.END, reply))
        self.needs_reset = self.stage is Stage.EMPTYING or (
            self.way is Way.BDAT and not reply.is_positive
        )
        self.stage = Stage.OVER
