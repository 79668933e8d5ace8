"""One connection that stands: messages go over it one after the other, many recipients each."""

from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

from mailbox_server.model.address import IpAddress
from mailbox_server.model.envelope import BodyType, Recipient, TlsState
from mailbox_server.model.errors import MailboxServerFault
from mailbox_server.model.next_hop import Host
from mailbox_server.model.outbound import Attempt, Phase
from mailbox_server.model.ports import Clock
from mailbox_server.relay.client import own_replies
from mailbox_server.relay.client.commands import (
    mail_command,
    needs_utf8,
    rcpt_command,
    refusal_of_mail,
)
from mailbox_server.relay.client.content.seven_bit import Conversion, converted, plan_conversion
from mailbox_server.relay.client.content.sources import Converted, Source, Unchanged
from mailbox_server.relay.client.content.survey import PIECE_OCTETS, survey
from mailbox_server.relay.client.driving import Driver
from mailbox_server.relay.client.engine import State
from mailbox_server.relay.client.limits import ClientLimits
from mailbox_server.relay.client.mail import Mail, MailContent
from mailbox_server.relay.client.offer import Offer
from mailbox_server.relay.client.outcomes import Outcome, finding_of, kept, policy_word
from mailbox_server.relay.client.transaction import Answer, Step, Transaction, Way

Record = Callable[[Sequence[Outcome]], Awaitable[None]]


class Connection:
    """A greeted server with the protection that was asked for; used by one task at a time.

    host, ip: where it goes.  tls: None in the clear.  transactions: begun so far.
    """

    def __init__(
        self,
        host: Host,
        ip: IpAddress,
        tls: TlsState | None,
        driver: Driver,
        clock: Clock,
        limits: ClientLimits,
    ) -> None:
        self.host = host
        self.ip = ip
        self.tls = tls
        self.transactions = 0
        self._driver = driver
        self._clock = clock
        self._limits = limits
        self._recipients = limits.recipients

    @property
    def offer(self) -> Offer:
        """What the server offers."""
        return self._driver.engine.offer

    @property
    def is_usable(self) -> bool:
        """Whether another message may go over it; looks at what has come meanwhile."""
        self._driver.take_received()
        most = self.offer.mail_max
        is_open = self._driver.engine.state is State.READY
        return is_open and (most is None or self.transactions < most)

    async def send(
        self,
        mail: Mail,
        recipients: Sequence[Recipient],
        content: MailContent,
        record: Record,
    ) -> tuple[int, ...]:
        """Send one message; record gets each recipient's one outcome, after each transaction.

        One record a transaction is enough.  Before the reply to the whole content nobody has
        the message, and that reply is one for all whom RCPT accepted; of whom RCPT refused for
        good, a crash in between makes us ask once more and be refused once more.

        Several transactions are used where the server takes only so many recipients in one.
        Returns the positions of those who have no outcome, as the connection ended before it
        was their turn: they may be tried at once over another one.  That is never said of
        all of them by the first transaction of a connection.

        Raises what record raises; the connection is of no more use then, nor when cancelled.
        """
        waiting = deque(range(len(recipients)))
        try:
            await self._send(mail, recipients, content, record, waiting)
        except BaseException:  # whatever it was, nobody knows what is outstanding
            self._driver.abort()
            raise
        return tuple(waiting)

    async def quit(self) -> None:
        """Take leave and end the connection; takes a few seconds at most."""
        await self._driver.hang_up()

    def abort(self) -> None:
        """End the connection at once."""
        self._driver.abort()

    # ------------------------------------------------------------ inside

    async def _send(
        self,
        mail: Mail,
        recipients: Sequence[Recipient],
        content: MailContent,
        record: Record,
        waiting: deque[int],
    ) -> None:
        begun = self._clock.monotonic()
        settled = self._refused_here(mail, recipients, waiting)
        conversion: Conversion | None = None
        if waiting and self._is_too_plain_for(mail):
            shape = await self._shape(mail, content)
            if isinstance(shape, Answer):
                settled += [(at, shape) for at in waiting]
                waiting.clear()
            else:
                conversion = shape
        if settled:
            await record([self._outcome(recipients, at, one, begun) for at, one in settled])
        while waiting and self.is_usable:
            batch = self._batch(recipients, waiting)
            begun = self._clock.monotonic()
            answers = await self._transact(
                mail, [recipients[at] for at in batch], content, conversion
            )
            settled, again = self._sorted(batch, answers)
            waiting.extendleft(reversed(again))
            if settled:
                await record([self._outcome(recipients, at, one, begun) for at, one in settled])
        if waiting and not self.transactions:
            # It ended before its first message: trying at once over another one might go on so.
            ended = self._driver.engine.failure
            answer = ended or Answer(Phase.MAIL, own_replies.ENDED, is_theirs=False)
            settled = [(at, answer) for at in waiting]
            waiting.clear()
            await record([self._outcome(recipients, at, one, begun) for at, one in settled])

    def _is_too_plain_for(self, mail: Mail) -> bool:
        """Whether the server may not be able to take what the message may hold."""
        offer = self.offer
        if mail.smtputf8 and not offer.has("SMTPUTF8"):
            return True
        return mail.body is BodyType.EIGHT_BIT_MIME and not offer.has("8BITMIME")

    async def _shape(self, mail: Mail, content: MailContent) -> Conversion | Answer | None:
        """How the message must be changed for this server, or why it cannot be given to it."""
        try:
            found = await survey(content, mail.size)
            if found.is_ascii:
                return None
            if found.headers and mail.smtputf8 and not self.offer.has("SMTPUTF8"):
                return Answer(Phase.CONTENT, own_replies.NO_SMTPUTF8, is_theirs=False)
            if self.offer.has("8BITMIME"):
                return None
            plan = await plan_conversion(found, content)
        except MailboxServerFault:
            return Answer(Phase.CONTENT, own_replies.CONTENT_TROUBLE, is_theirs=False)
        return plan or Answer(Phase.CONTENT, own_replies.NO_8BITMIME, is_theirs=False)

    def _refused_here(
        self, mail: Mail, recipients: Sequence[Recipient], waiting: deque[int]
    ) -> list[tuple[int, Answer]]:
        """Take out of waiting whom this server cannot be told of, each with the reason."""
        now = self._clock.now()
        refusal = refusal_of_mail(mail, self.offer, now, is_secured=self.tls is not None)
        settled: list[tuple[int, Answer]] = []
        if refusal is not None:
            answer = Answer(Phase.MAIL, refusal, is_theirs=False)
            settled = [(at, answer) for at in waiting]
        else:
            answer = Answer(Phase.RCPT, own_replies.NO_SMTPUTF8, is_theirs=False)
            settled = [
                (at, answer) for at in waiting if needs_utf8(recipients[at].address, self.offer)
            ]
        gone = {at for at, _ in settled}
        left = [at for at in waiting if at not in gone]
        waiting.clear()
        waiting.extend(left)
        return settled

    def _batch(self, recipients: Sequence[Recipient], waiting: deque[int]) -> list[int]:
        """Take as many out of waiting as go into the next transaction (RFC 9422 §4)."""
        most = min(self._recipients, self.offer.rcpt_max or self._recipients)
        most_domains = self.offer.rcpt_domain_max
        batch: list[int] = []
        passed_over: list[int] = []
        domains: set[str] = set()
        while waiting and len(batch) < most:
            at = waiting.popleft()
            domain = recipients[at].address.domain.ascii
            if most_domains is not None and len(domains | {domain}) > most_domains:
                passed_over.append(at)
                continue
            domains.add(domain)
            batch.append(at)
        waiting.extendleft(reversed(passed_over))
        return batch

    def _sorted(
        self, batch: Sequence[int], answers: Sequence[Answer]
    ) -> tuple[list[tuple[int, Answer]], list[int]]:
        """Who is settled, and who is to be asked again in another transaction."""
        pairs = list(zip(batch, answers, strict=True))
        if self.transactions > 1 and all(_is_stale(answer) for answer in answers):
            return [], list(batch)
        crowded = [at for at, answer in pairs if _is_crowded(answer)]
        if not crowded or len(crowded) == len(batch):
            return pairs, []
        self._recipients = max(1, len(batch) - len(crowded))
        again = set(crowded)
        return [(at, answer) for at, answer in pairs if at not in again], crowded

    async def _transact(
        self,
        mail: Mail,
        recipients: Sequence[Recipient],
        content: MailContent,
        conversion: Conversion | None,
    ) -> list[Answer]:
        driver, engine = self._driver, self._driver.engine
        self.transactions += 1
        # Without PIPELINING each chunk would cost a round trip.
        in_chunks = self.offer.has("PIPELINING") or mail.size <= PIECE_OCTETS
        way = Way.BDAT if self.offer.has("CHUNKING") and in_chunks else Way.DATA
        transaction = engine.begin(
            mail_command(mail, self.offer, self._clock.now(), tells_size=conversion is None),
            [rcpt_command(one, mail, self.offer) for one in recipients],
            way,
        )
        await driver.settle()
        if engine.is_sending:
            source: Source = Unchanged(content, mail.size)
            if conversion is not None:
                source = Converted(converted(content, conversion))
            await self._stream(source, transaction)
            await driver.settle()
        missing = Answer(Phase.CONTENT, own_replies.ENDED, is_theirs=False)
        return [missing if one is None else one for one in transaction.answers]

    async def _stream(self, source: Source, transaction: Transaction) -> None:
        """Send the content piece by piece; stop where the server does not want the rest."""
        driver, engine = self._driver, self._driver.engine
        while engine.is_sending:
            if not engine.wants_content:
                await driver.settle()
                continue
            try:
                piece, is_last = await source.next_piece()
            except MailboxServerFault:
                # What was begun cannot be ended: break off, so that nothing is delivered.
                answer = Answer(Phase.CONTENT, own_replies.CONTENT_TROUBLE, is_theirs=False)
                transaction.settle_rest(answer)
                driver.abort()
                return
            # Meanwhile the server may have said that it will not take it.
            driver.take_received(while_what=Step.CHUNK.value)
            if not engine.wants_content:
                return
            engine.content(piece, is_last=is_last)
            driver.flush()
            await driver.drained()

    def _outcome(
        self, recipients: Sequence[Recipient], position: int, answer: Answer, begun: float
    ) -> Outcome:
        return Outcome(
            position, recipients[position], self._attempt(answer, self._clock.now(), begun)
        )

    def _attempt(self, answer: Answer, at: datetime, begun: float) -> Attempt:
        return Attempt(
            at=at,
            finding=finding_of(answer),
            phase=answer.phase,
            reply=kept(answer.reply),
            is_theirs=answer.is_theirs,
            host=self.host.name,
            ip=self.ip,
            tls=self.tls,
            policy=policy_word(self.host),
            passes_dsn=self.offer.has("DSN"),
            keeps_time=self.offer.has("DELIVERBY"),
            seconds=self._clock.monotonic() - begun,
        )


def _is_stale(answer: Answer) -> bool:
    """Whether the server had ended the connection before it heard of the transaction."""
    if answer.phase is not Phase.MAIL:
        return False
    return not answer.is_theirs or answer.reply.code == 421


def _is_crowded(answer: Answer) -> bool:
    """Whether RCPT was refused only because others came before it (RFC 5321 §4.5.3.1.10)."""
    reply = answer.reply
    if answer.phase is not Phase.RCPT or not answer.is_theirs or reply.code not in (452, 552):
        return False
    return reply.enhanced in ("", f"{reply.code // 100}.5.3")
