"""Who may connect: limits in all and per network, with slow strangers shed before good peers.

Pure bookkeeping, no sockets.  Each accepted connection asks once, before any TLS, and
holds a Ticket until it is lost.  When all places are taken, somebody who has said nothing
useful yet goes for the newcomer: the oldest of the network that has most of such
connections, then who has been idle for long.  Within a network that is at its own limit,
only who had time enough and made nothing of it goes; otherwise the newcomer is refused.
Work in hand is never shed.
"""

import enum
import ipaddress
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from mailbox_server.model.address import IpAddress
from mailbox_server.model.ports import Clock
from mailbox_server.net.crowds import Crowds, Network
from mailbox_server.net.peer_address import unmapped

IpNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

LOOPBACK: Final[tuple[IpNetwork, ...]] = (
    ipaddress.IPv4Network("127.0.0.0/8"),
    ipaddress.IPv6Network("::1/128"),
)


class Phase(enum.Enum):
    """How far a connection has come."""

    GREETING = "greeting"
    """Accepted, in a TLS handshake, or before anything useful was said."""
    IDLE = "idle"
    """Nobody yet, between commands."""
    BUSY = "busy"
    """Authenticated, or in the middle of a transaction."""


@dataclass(frozen=True, slots=True)
class NetworkLimit:
    """How many connections one network may hold at once.

    ipv4_prefix, ipv6_prefix: what counts as one network, in bits (32 and 64: one address,
        one customer's LAN).
    """

    ipv4_prefix: int
    ipv6_prefix: int
    most: int


@dataclass(frozen=True, slots=True)
class AdmissionLimits:
    """The limits on connections.

    total: connections at once, of all kinds.
    networks: each is checked on its own; the last and widest is also what crowds are
        counted by.
    grace_seconds: an unauthenticated connection is not shed before it has been without
        progress for that long; greeting_seconds: one that has said nothing useful yet.
        Neither holds for members of a network more crowded than the newcomer's own.
    exempt: networks to which only total applies.
    leaving: how many that were told to go may take their time about it; others are cut.
        So many more descriptors than total may be in use, and as many again for a turn of
        the loop.
    """

    total: int = 2000
    networks: tuple[NetworkLimit, ...] = (NetworkLimit(32, 64, 50), NetworkLimit(24, 48, 200))
    grace_seconds: float = 5.0
    exempt: tuple[IpNetwork, ...] = LOOPBACK
    greeting_seconds: float = 1.0
    leaving: int = 64


class Crowded(enum.Enum):
    """Why a newcomer is refused."""

    TOTAL = "too many connections"
    NETWORK = "too many connections from your network"


class Ticket:
    """One admitted connection.

    on_shed: what to do when the place is needed for somebody else, or when all must go;
        it ends the connection and does not wait.  Set it again as the connection gets
        somebody who can say goodbye.
    on_cut: end the connection without a word, because it did not go when it was told to.
    """

    __slots__ = (
        "_admissions",
        "_crowd",
        "_keys",
        "_since",
        "ip",
        "is_shed",
        "on_cut",
        "on_shed",
        "phase",
    )

    def __init__(
        self,
        admissions: "Admissions",
        ip: IpAddress | None,
        keys: tuple[Network, ...],
        crowd: Network | None,
        on_shed: Callable[[], None],
        since: float,
    ) -> None:
        self._admissions: Admissions | None = admissions
        self._keys = keys
        self._crowd = crowd
        self._since = since
        self.ip = ip
        self.is_shed = False
        self.on_shed = on_shed
        self.on_cut = on_shed
        self.phase = Phase.GREETING

    @property
    def is_released(self) -> bool:
        """Whether the place has been given back or taken away."""
        return self.is_shed or self._admissions is None

    def enter(self, phase: Phase) -> None:
        """The connection made progress and is now in phase."""
        if self._admissions is not None and not self.is_shed:
            self._since = self._admissions.progressed(self, phase)
        self.phase = phase

    def release(self) -> None:
        """The connection is gone; more calls do nothing."""
        admissions, self._admissions = self._admissions, None
        if admissions is not None:
            admissions.forget(self)

    @property
    def is_crowded(self) -> bool:
        """Whether others may soon need the place."""
        return self._admissions is not None and self._admissions.is_crowded

    @property
    def keys(self) -> tuple[Network, ...]:
        """The networks that this connection counts for."""
        return self._keys

    @property
    def crowd(self) -> Network | None:
        """The network whose members it stands among; None without an IP address."""
        return self._crowd

    @property
    def since(self) -> float:
        """Monotonic seconds of the last progress."""
        return self._since


class Admissions:
    """The register of all connections of the process, over all listeners."""

    def __init__(self, limits: AdmissionLimits, clock: Clock) -> None:
        self._limits = limits
        self._clock = clock
        # Insertion order is the order of last progress: the first is the slowest.
        self._tickets: dict[Ticket, None] = {}
        self._networks: dict[Network, dict[Ticket, None]] = {}
        self._strangers = {Phase.GREETING: Crowds[Ticket](), Phase.IDLE: Crowds[Ticket]()}
        self._leaving: dict[Ticket, None] = {}

    def __len__(self) -> int:
        """How many connections hold a place."""
        return len(self._tickets)

    @property
    def limits(self) -> AdmissionLimits:
        """The limits in force."""
        return self._limits

    @property
    def is_crowded(self) -> bool:
        """Whether four fifths of all places are taken: time to be short with slow peers."""
        return 5 * len(self._tickets) >= 4 * self._limits.total

    @property
    def is_full(self) -> bool:
        """Whether somebody has to go for the next newcomer."""
        return len(self._tickets) >= self._limits.total

    def change_limits(self, limits: AdmissionLimits) -> None:
        """Put new limits in force; nobody who is in is sent away for it.

        Connections that are in already keep counting for the networks of the old limits.
        """
        self._limits = limits

    def admit(self, ip: IpAddress | None, on_shed: Callable[[], None]) -> Ticket | Crowded:
        """Ask for a place; ip None (a UNIX socket) counts for total only.

        May call on_shed and on_cut of other tickets before it returns.
        """
        ip = None if ip is None else unmapped(ip)
        keys = self._keys_of(ip)
        for key, most in keys:
            members = self._networks.get(key, {})
            if len(members) >= most and not self._shed_slowest(members):
                return Crowded.NETWORK
        crowd = keys[-1][0] if keys else self._crowd_of(ip)
        if self.is_full and not self._make_room(crowd):
            return Crowded.TOTAL
        networks = tuple(key for key, _ in keys)
        ticket = Ticket(self, ip, networks, crowd, on_shed, self._clock.monotonic())
        self._tickets[ticket] = None
        for network in networks:
            self._networks.setdefault(network, {})[ticket] = None
        self._strangers[Phase.GREETING].add(crowd, ticket)
        return ticket

    def progressed(self, ticket: Ticket, phase: Phase) -> float:
        """Put ticket last in the order of shedding; returns the moment."""
        for register in (self._tickets, *(self._networks[key] for key in ticket.keys)):
            del register[ticket]
            register[ticket] = None
        for strangers in self._strangers.values():
            strangers.discard(ticket.crowd, ticket)
        if phase in self._strangers:
            self._strangers[phase].add(ticket.crowd, ticket)
        return self._clock.monotonic()

    def forget(self, ticket: Ticket) -> None:
        """Give the place of ticket back; called by Ticket.release."""
        if ticket.is_shed:
            self._leaving.pop(ticket, None)
        else:
            self._take_out(ticket)

    def shed_one(self) -> bool:
        """Tell whoever is next in turn to go, because something else is scarce.

        False where all that are in have work in hand.
        """
        victim = self._strangers[Phase.GREETING].oldest_of_most_crowded
        victim = victim or self._strangers[Phase.IDLE].oldest
        if victim is not None:
            self._shed(victim)
        return victim is not None

    def _take_out(self, ticket: Ticket) -> None:
        del self._tickets[ticket]
        for key in ticket.keys:
            members = self._networks[key]
            del members[ticket]
            if not members:
                del self._networks[key]
        for strangers in self._strangers.values():
            strangers.discard(ticket.crowd, ticket)

    def _keys_of(self, ip: IpAddress | None) -> list[tuple[Network, int]]:
        if ip is None or any(ip in network for network in self._limits.exempt):
            return []
        return [(_network(ip, limit), limit.most) for limit in self._limits.networks]

    def _crowd_of(self, ip: IpAddress | None) -> Network | None:
        networks = self._limits.networks
        return None if ip is None or not networks else _network(ip, networks[-1])

    def _make_room(self, newcomer: Network | None) -> bool:
        """Shed somebody for a newcomer of that network; False where nobody may be shed."""
        now = self._clock.monotonic()
        greeting, idle = self._strangers[Phase.GREETING], self._strangers[Phase.IDLE]
        fair = greeting.size(newcomer) + idle.size(newcomer) + 1
        mute = greeting.oldest_of_most_crowded
        if mute is not None and (
            greeting.largest > fair or now - mute.since >= self._limits.greeting_seconds
        ):
            return self._shed(mute)
        if idle.largest > fair:
            return self._shed(idle.oldest_of_most_crowded)
        slow = idle.oldest
        if slow is not None and now - slow.since >= self._limits.grace_seconds:
            return self._shed(slow)
        # Everybody is new, and from everywhere: first come, first to go.
        return self._shed(mute)

    def _shed_slowest(self, candidates: Iterable[Ticket]) -> bool:
        oldest = self._clock.monotonic() - self._limits.grace_seconds
        for ticket in candidates:
            if ticket.since > oldest:
                return False  # all that follow are younger still
            if ticket.phase is not Phase.BUSY:
                return self._shed(ticket)
        return False

    def _shed(self, ticket: Ticket | None) -> bool:
        if ticket is None:
            return False
        self._take_out(ticket)
        ticket.is_shed = True
        self._leaving[ticket] = None
        ticket.on_shed()
        while len(self._leaving) > self._limits.leaving:
            laggard = next(iter(self._leaving))
            del self._leaving[laggard]
            laggard.on_cut()
        return True


def _network(ip: IpAddress, limit: NetworkLimit) -> Network:
    prefix = limit.ipv4_prefix if ip.version == 4 else limit.ipv6_prefix
    return ip.version, prefix, int(ip) >> (ip.max_prefixlen - prefix)
