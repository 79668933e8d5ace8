"""From the hosts of a next hop to a connection over which mail may go.

    connect ─► greeting ─► EHLO ─► STARTTLS ─► handshake, check ─► EHLO ─► AUTH
                                      │
                                      └── where the demand allows: once more, in the clear

Hosts are tried in order, each with its addresses in order, until the limits are reached
(RFC 5321 §5.1).  What a server refuses for good before any mail was named is for good only
where all that were tried refused.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from mailbox_server.model.address import IpAddress, parse_ip
from mailbox_server.model.next_hop import Host, Login
from mailbox_server.model.outbound import Attempt, Finding, Phase
from mailbox_server.model.ports import Clock, Entropy
from mailbox_server.model.reply import Reply
from mailbox_server.model.tls_demand import TlsDemand, TlsFault, TlsLevel, TlsResult
from mailbox_server.relay.client import own_replies
from mailbox_server.relay.client.connection import Connection
from mailbox_server.relay.client.dialing import dial
from mailbox_server.relay.client.driving import Driver
from mailbox_server.relay.client.engine import Engine, State
from mailbox_server.relay.client.limits import ClientLimits
from mailbox_server.relay.client.login import choose_exchange
from mailbox_server.relay.client.outcomes import Try, finding_of, kept, policy_word
from mailbox_server.relay.client.tls.handshake import ClientTls, secure
from mailbox_server.relay.client.transaction import Answer
from mailbox_server.relay.client.wire import Wire


@dataclass(frozen=True, slots=True)
class Opening:
    """What came of the hosts.

    connection: the first that stood up to its demand.
    trouble: where there is none: the attempt to be recorded for every recipient.
    tries: every session and every dead address, in order; for TLS-RPT and what is known of
        hosts.  The last is the connection's own.
    """

    connection: Connection | None
    trouble: Attempt | None
    tries: tuple[Try, ...]


@dataclass(frozen=True, slots=True)
class _Session:
    """How one session ended: with answer None it stands.

    is_for_tls: whether it might go better with less protection.
    """

    answer: Answer | None
    result: TlsResult | None
    is_for_tls: bool = False


class Client:
    """Opens connections; one for the whole process.

    name: what EHLO says: our host name as A-labels, or an address literal.
    """

    def __init__(
        self,
        name: str,
        tls: ClientTls,
        clock: Clock,
        entropy: Entropy,
        limits: ClientLimits | None = None,
    ) -> None:
        self._name = name
        self._tls = tls
        self._clock = clock
        self._entropy = entropy
        self._limits = ClientLimits() if limits is None else limits

    async def open(self, hosts: Sequence[Host]) -> Opening:
        """Try hosts in order; never raises but when cancelled."""
        begun = self._clock.monotonic()
        tries: list[Try] = []
        ips_left, sessions_left = self._limits.ips, self._limits.sessions
        for host in hosts:
            ips = list(host.ips)
            while ips and ips_left > 0 and sessions_left > 0:
                dialed = await dial(ips[:ips_left], host.port, host.sources, self._limits)
                for one in dialed.unanswered:
                    answer = _ours(Phase.CONNECT, own_replies.no_connection(one.why))
                    trouble = self._attempt(host, one.ip, answer, None, begun)
                    tries.append(Try(host, one.ip, None, host.demand.level, None, trouble))
                    ips.remove(one.ip)
                ips_left -= len(dialed.unanswered)
                if dialed.ip is None or dialed.wire is None:
                    break
                ips.remove(dialed.ip)
                ips_left -= 1
                sessions_left -= 1
                connection = await self._converse(host, dialed.ip, dialed.wire, tries, begun)
                if connection is not None:
                    return Opening(connection, None, tuple(tries))
        return Opening(None, self._trouble(tries, begun), tuple(tries))

    # ------------------------------------------------------------ inside

    async def _converse(
        self, host: Host, ip: IpAddress, first: Wire, tries: list[Try], begun: float
    ) -> Connection | None:
        """Sessions with one address, each weaker than the one before, as the demand allows."""
        wire = first
        for number, demand in enumerate(_weaker(host)):
            if number:
                dialed = await dial((ip,), host.port, host.sources, self._limits)
                if dialed.wire is None:
                    return None
                wire = dialed.wire
            driver = Driver(Engine(), wire, self._limits)
            source = _own_ip(wire)
            try:
                session = await self._session(host, driver, demand)
                if session.answer is not None:
                    await driver.hang_up()
            except BaseException:  # cancelled: nobody will look after the connection
                driver.abort()
                raise
            tries.append(
                Try(
                    host=host,
                    ip=ip,
                    source=source,
                    level=demand.level,
                    result=session.result,
                    trouble=self._attempt(host, ip, session.answer, session.result, begun),
                )
            )
            if session.answer is None:
                tls = None if session.result is None else session.result.tls
                return Connection(host, ip, tls, driver, self._clock, self._limits)
            if not session.is_for_tls:
                return None
        return None

    async def _session(self, host: Host, driver: Driver, demand: TlsDemand) -> _Session:
        engine = driver.engine
        result: TlsResult | None = None
        if host.implicit_tls:
            result = await self._secured(driver, demand)
            if result.fault is not None:
                return _insecure(result, demand)
        await driver.settle()
        if engine.state is State.GREETED:
            engine.hello(self._name)
            await driver.settle()
        if result is None and engine.state is State.READY and demand.level is not TlsLevel.NONE:
            result = await self._starttls(driver, demand)
            if result.fault is not None and (
                demand.level is not TlsLevel.OPPORTUNISTIC or engine.state is not State.READY
            ):
                return _insecure(result, demand)
        if engine.state is not State.READY:
            return _Session(engine.failure, result)
        is_secured = result is not None and result.tls is not None
        if demand.must_require_tls and not engine.offer.has("REQUIRETLS"):
            return _Session(_ours(Phase.HELLO, own_replies.NO_REQUIRETLS), result)
        if host.login is not None:
            answer = await self._log_in(host.login, driver, is_secured=is_secured)
            if answer is not None:
                return _Session(answer, result)
        return _Session(None, result)

    async def _starttls(self, driver: Driver, demand: TlsDemand) -> TlsResult:
        """STARTTLS and what follows it; READY again where the session goes on."""
        engine = driver.engine
        if not engine.offer.has("STARTTLS"):
            return TlsResult(None, TlsFault.STARTTLS_NOT_SUPPORTED, "STARTTLS is not offered")
        driver.wire.read_once()
        engine.starttls()
        await driver.settle()
        if engine.state is not State.HANDSHAKE:
            said = engine.refusal or (engine.failure and engine.failure.reply)
            words = "" if not said else f": {said.code} {' '.join(said.lines)[:200]}"
            driver.wire.read_on()
            return TlsResult(None, TlsFault.STARTTLS_NOT_SUPPORTED, f"STARTTLS failed{words}")
        result = await self._secured(driver, demand)
        if result.fault is None:
            engine.hello(self._name)
            await driver.settle()
        return result

    async def _secured(self, driver: Driver, demand: TlsDemand) -> TlsResult:
        wire = driver.wire
        # What has come already came in clear text: nobody is to take it for an answer by TLS.
        early = wire.received()
        if driver.engine.state is State.HANDSHAKE:
            driver.engine.receive(early)
        return await secure(wire, demand, self._tls, self._clock, self._limits.handshake)

    async def _log_in(self, login: Login, driver: Driver, *, is_secured: bool) -> Answer | None:
        engine = driver.engine
        if not is_secured:
            return _ours(Phase.LOGIN, own_replies.CLEAR_LOGIN)
        exchange = choose_exchange(login, engine.offer.mechanisms, self._entropy)
        if exchange is None:
            return _ours(Phase.LOGIN, own_replies.NO_MECHANISM)
        engine.login(exchange)
        await driver.settle()
        if engine.state is not State.READY:
            return engine.failure
        refusal = engine.refusal
        if refusal is None:
            return None
        if refusal.code >= 500:
            refusal = own_replies.login_refused(refusal)
        return _ours(Phase.LOGIN, refusal)

    def _attempt(
        self,
        host: Host,
        ip: IpAddress | None,
        answer: Answer | None,
        result: TlsResult | None,
        begun: float,
    ) -> Attempt | None:
        if answer is None:
            return None
        return Attempt(
            at=self._clock.now(),
            finding=finding_of(answer),
            phase=answer.phase,
            reply=kept(answer.reply),
            is_theirs=answer.is_theirs,
            host=host.name,
            ip=ip,
            tls=None if result is None else result.tls,
            policy=policy_word(host),
            seconds=self._clock.monotonic() - begun,
        )

    def _trouble(self, tries: Sequence[Try], begun: float) -> Attempt:
        """The one of the troubles that is everybody's: what may pass, rather than what may not."""
        troubles = [one.trouble for one in tries if one.trouble is not None]
        deferred = [one for one in troubles if one.finding is Finding.DEFERRED]
        said = [one for one in deferred if one.is_theirs]
        for found in (said, deferred, troubles):
            if found:
                return replace(found[-1], seconds=self._clock.monotonic() - begun)
        return Attempt(
            at=self._clock.now(),
            finding=Finding.DEFERRED,
            phase=Phase.CONNECT,
            reply=own_replies.NO_ADDRESS,
            is_theirs=False,
        )


def _weaker(host: Host) -> tuple[TlsDemand, ...]:
    """The host's demand, and what may be tried with less where a session fails for TLS."""
    demand = host.demand
    want = replace(demand, level=TlsLevel.OPPORTUNISTIC, associations=())
    clear = () if host.implicit_tls else (replace(want, level=TlsLevel.NONE),)
    if demand.must_require_tls or host.login is not None:
        return (demand,)
    if demand.level is TlsLevel.OPPORTUNISTIC:
        return (demand, *clear)
    if demand.is_testing and demand.level is not TlsLevel.NONE:
        return (demand, want, *clear)
    return (demand,)


def _insecure(result: TlsResult, demand: TlsDemand) -> _Session:
    assert result.fault is not None
    words = f"{result.fault.value} ({result.detail})" if result.detail else result.fault.value
    if demand.must_require_tls and result.fault is not TlsFault.VALIDATION_FAILURE:
        # For good, as RFC 8689 §4.2.1 asks; a handshake that broke off may go better later.
        answer = _ours(Phase.TLS, own_replies.NO_ENCRYPTION)
    else:
        answer = _ours(Phase.TLS, own_replies.no_tls(words))
    return _Session(answer, result, is_for_tls=True)


def _ours(phase: Phase, reply: Reply) -> Answer:
    return Answer(phase, reply, is_theirs=False)


def _own_ip(wire: Wire) -> IpAddress | None:
    name = wire.transport.get_extra_info("sockname")
    return parse_ip(name[0]) if isinstance(name, tuple) and name else None
