"""Who may connect: limits in all and per network, with slow strangers shed before good peers.

Pure bookkeeping, no sockets.  Each accepted connection asks once, before any TLS, and
holds a Ticket until it is lost.  When a limit is reached, the connection that has been
longest without progress among the unauthenticated ones there is told to go, if it had
its time of grace; otherwise the newcomer is refused.  Work in hand is never shed.
"""

import enum
import ipaddress
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from mailbox_server.model.address import IpAddress
from mailbox_server.model.ports import Clock
from mailbox_server.net.peer_address import unmapped

IpNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

LOOPBACK: Final[tuple[IpNetwork, ...]] = (
    ipaddress.IPv4Network("127.0.0.0/8"),
    ipaddress.IPv6Network("::1/128"),
)


class Phase(enum.Enum):
    """How far a connection has come."""

    GREETING = "greeting"
    """Accepted, in a TLS handshake, or before its first command."""
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
    networks: each is checked on its own.
    grace_seconds: an unauthenticated connection is not shed before it has been without
        progress for that long.
    exempt: networks to which only total applies.
    """

    total: int = 2000
    networks: tuple[NetworkLimit, ...] = (NetworkLimit(32, 64, 50), NetworkLimit(24, 48, 200))
    grace_seconds: float = 5.0
    exempt: tuple[IpNetwork, ...] = LOOPBACK


class Crowded(enum.Enum):
    """Why a newcomer is refused."""

    TOTAL = "too many connections"
    NETWORK = "too many connections from your network"


class Ticket:
    """One admitted connection.

    on_shed: what to do when the place is needed for somebody else, or when all must go;
        it ends the connection and does not wait.  Set it again as the connection gets
        somebody who can say goodbye.
    """

    __slots__ = ("_admissions", "_keys", "_since", "ip", "on_shed", "phase")

    def __init__(
        self,
        admissions: "Admissions",
        ip: IpAddress | None,
        keys: tuple[IpNetwork, ...],
        on_shed: Callable[[], None],
        since: float,
    ) -> None:
        self._admissions: Admissions | None = admissions
        self._keys = keys
        self._since = since
        self.ip = ip
        self.on_shed = on_shed
        self.phase = Phase.GREETING

    @property
    def is_released(self) -> bool:
        """Whether the place has been given back or taken away."""
        return self._admissions is None

    def enter(self, phase: Phase) -> None:
        """The connection made progress and is now in phase."""
        self.phase = phase
        if self._admissions is not None:
            self._since = self._admissions.progressed(self)

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
    def keys(self) -> tuple[IpNetwork, ...]:
        """The networks that this connection counts for."""
        return self._keys

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
        self._networks: dict[IpNetwork, dict[Ticket, None]] = {}

    def __len__(self) -> int:
        """How many connections hold a ticket."""
        return len(self._tickets)

    @property
    def limits(self) -> AdmissionLimits:
        """The limits in force."""
        return self._limits

    @property
    def is_crowded(self) -> bool:
        """Whether four fifths of all places are taken: time to be short with slow peers."""
        return 5 * len(self._tickets) >= 4 * self._limits.total

    def change_limits(self, limits: AdmissionLimits) -> None:
        """Put new limits in force; nobody who is in is sent away for it.

        Connections that are in already keep counting for the networks of the old limits.
        """
        self._limits = limits

    def admit(self, ip: IpAddress | None, on_shed: Callable[[], None]) -> Ticket | Crowded:
        """Ask for a place; ip None (a UNIX socket) counts for total only.

        May call on_shed of another ticket before it returns.
        """
        keys = self._keys_of(ip)
        for key, most in keys:
            members = self._networks.get(key, {})
            if len(members) >= most and not self._shed_slowest(members):
                return Crowded.NETWORK
        if len(self._tickets) >= self._limits.total and not self._shed_slowest(self._tickets):
            return Crowded.TOTAL
        networks = tuple(key for key, _ in keys)
        ticket = Ticket(self, ip, networks, on_shed, self._clock.monotonic())
        self._tickets[ticket] = None
        for network in networks:
            self._networks.setdefault(network, {})[ticket] = None
        return ticket

    def progressed(self, ticket: Ticket) -> float:
        """Put ticket last in the order of shedding; returns the moment."""
        for register in (self._tickets, *(self._networks[key] for key in ticket.keys)):
            del register[ticket]
            register[ticket] = None
        return self._clock.monotonic()

    def forget(self, ticket: Ticket) -> None:
        """Give the place of ticket back; called by Ticket.release."""
        del self._tickets[ticket]
        for key in ticket.keys:
            members = self._networks[key]
            del members[ticket]
            if not members:
                del self._networks[key]

    def shed_all(self) -> int:
        """Tell every connection to go (shutdown); returns how many were told."""
        told = list(self._tickets)
        for ticket in told:
            ticket.on_shed()
        return len(told)

    def _keys_of(self, ip: IpAddress | None) -> list[tuple[IpNetwork, int]]:
        if ip is None:
            return []
        ip = unmapped(ip)
        if any(ip in network for network in self._limits.exempt):
            return []
        return [
            (
                ipaddress.ip_network(
                    (ip, limit.ipv4_prefix if ip.version == 4 else limit.ipv6_prefix),
                    strict=False,
                ),
                limit.most,
            )
            for limit in self._limits.networks
        ]

    def _shed_slowest(self, candidates: Iterable[Ticket]) -> bool:
        oldest = self._clock.monotonic() - self._limits.grace_seconds
        for ticket in candidates:
            if ticket.since > oldest:
                return False  # all that follow are younger still
            if ticket.phase is not Phase.BUSY:
                ticket.release()
                ticket.on_shed()
                return True
        return False
