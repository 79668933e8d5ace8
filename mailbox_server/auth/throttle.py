"""Guessing passwords is slowed by network and by account, and the owner is not locked out.

Pure bookkeeping over a Clock.  Each attempt takes a charge before the password is looked
at, so that guesses side by side are counted too; a login that succeeds gives it back.

- A network (one IPv4 address or IPv6 /64, and more widely a /24 or /48) has a budget for a
  minute and one for a day.
- An account has a budget for strangers: networks from which nobody logged in to it lately.
  When that is spent, strangers may still use app passwords, which cannot be guessed.
- A network the account's owner was seen in (auth.known_networks) has a budget of its own
  for that account, which refills within seconds; neither strangers nor its own neighbors
  can spend it.

Every budget is a leaky bucket: burst charges at once, then one each so many seconds.  Each
table holds at most `entries` of them and forgets the longest untouched first.  Unknown
logins are counted just as known ones are.
"""

import enum
import ipaddress
from collections import OrderedDict
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import Final

from mailbox_server.auth.known_networks import KnownNetworks
from mailbox_server.model.address import IpAddress
from mailbox_server.model.ports import Clock
from mailbox_server.net.peer_address import unmapped

IpNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

_LOOPBACK: Final[tuple[IpNetwork, ...]] = (
    ipaddress.IPv4Network("127.0.0.0/8"),
    ipaddress.IPv6Network("::1/128"),
)


@dataclass(frozen=True, slots=True)
class Rate:
    """burst charges at once, then one each refill_seconds."""

    burst: int
    refill_seconds: float


@dataclass(frozen=True, slots=True)
class ThrottleSettings:
    """How fast guessing may go.

    narrow: for one address (IPv4) or /64 (IPv6); wide: for its /24 or /48.
    stranger: for one account, from all networks that never logged in to it together.
    familiar: for one account from one network that did, within known_for.
    first_delay_seconds doubles with each failure up to longest_delay_seconds.
    exempt: networks that have no budget of their own; the accounts' budgets still hold.
    """

    narrow: tuple[Rate, ...] = (Rate(10, 6.0), Rate(50, 1_728.0))
    wide: tuple[Rate, ...] = (Rate(50, 1.2), Rate(250, 345.6))
    stranger: Rate = Rate(20, 180.0)
    familiar: Rate = Rate(30, 2.0)
    known_for: timedelta = timedelta(days=30)
    first_delay_seconds: float = 0.25
    longest_delay_seconds: float = 8.0
    entries: int = 20_000
    exempt: tuple[IpNetwork, ...] = _LOOPBACK


class Gate(enum.Enum):
    """How far an attempt may go."""

    OPEN = "open"
    TOKENS_ONLY = "tokens only"
    SHUT = "shut"


class _Buckets:
    """Leaky buckets of one rate by key, bounded in number."""

    def __init__(self, rate: Rate, entries: int, clock: Clock) -> None:
        self._rate = rate
        self._entries = entries
        self._clock = clock
        self._levels: OrderedDict[object, tuple[float, float]] = OrderedDict()

    def level(self, key: object) -> float:
        """Charges not yet leaked away."""
        level, at = self._levels.get(key, (0.0, 0.0))
        return max(0.0, level - (self._clock.monotonic() - at) / self._rate.refill_seconds)

    def wait_seconds(self, key: object) -> float:
        """0 where there is room for one charge, else how long until there is."""
        return max(0.0, (self.level(key) + 1 - self._rate.burst) * self._rate.refill_seconds)

    def add(self, key: object, amount: float) -> None:
        """Charge, or give back with a negative amount."""
        level = self.level(key) + amount
        self._levels.pop(key, None)
        if level > 0:
            self._levels[key] = (level, self._clock.monotonic())
            if len(self._levels) > self._entries:
                self._levels.popitem(last=False)


@dataclass(frozen=True, slots=True)
class Charge:
    """One attempt that was let in, or not.

    retry_after_seconds: where the gate is not OPEN, when it may be again.
    """

    gate: Gate
    retry_after_seconds: float
    taken: tuple[tuple[_Buckets, object], ...]

    def give_back(self) -> None:
        """The attempt was no guess: it succeeded, broke off, or repeated an earlier one."""
        for buckets, key in self.taken:
            buckets.add(key, -1.0)


class Throttle:
    """The budgets of one process."""

    def __init__(
        self, clock: Clock, settings: ThrottleSettings, known: KnownNetworks | None = None
    ) -> None:
        """known: from where accounts were logged in to before; nothing where None."""
        self._settings = settings
        self._narrow = tuple(_Buckets(r, settings.entries, clock) for r in settings.narrow)
        self._wide = tuple(_Buckets(r, settings.entries, clock) for r in settings.wide)
        self._stranger = _Buckets(settings.stranger, settings.entries, clock)
        self._familiar = _Buckets(settings.familiar, settings.entries, clock)
        if known is None:
            known = KnownNetworks(clock, settings.known_for, settings.entries)
        self.known = known

    def enter(self, ip: IpAddress, login_key: str) -> Charge:
        """Ask for an attempt at login_key from ip; charges it where the gate is not SHUT."""
        ip = unmapped(ip)
        narrow, wide = _networks(ip)
        if self.known.has(login_key, narrow):
            return self._charge(Gate.SHUT, ((self._familiar, (login_key, narrow)),))
        networks: list[tuple[_Buckets, object]] = []
        if not any(ip in network for network in self._settings.exempt):
            networks += [(buckets, narrow) for buckets in self._narrow]
            networks += [(buckets, wide) for buckets in self._wide]
        charge = self._charge(Gate.SHUT, tuple(networks))
        if charge.gate is Gate.SHUT:
            return charge
        account = self._charge(Gate.TOKENS_ONLY, ((self._stranger, login_key),))
        return Charge(account.gate, account.retry_after_seconds, charge.taken + account.taken)

    def delay_seconds(self, charge: Charge) -> float:
        """How long to wait before telling a failure; grows with the failures before it."""
        failures = max((buckets.level(key) for buckets, key in charge.taken), default=1.0)
        doublings = min(max(failures - 1.0, 0.0), 30.0)
        delay = self._settings.first_delay_seconds * float(2.0**doublings)
        return min(delay, self._settings.longest_delay_seconds)

    def succeeded(self, charge: Charge, ip: IpAddress, login_key: str) -> None:
        """The login was right: give the charge back and remember the network."""
        charge.give_back()
        self.known.saw(login_key, _networks(unmapped(ip))[0])

    def _charge(self, spent: Gate, wanted: tuple[tuple[_Buckets, object], ...]) -> Charge:
        wait = max((buckets.wait_seconds(key) for buckets, key in wanted), default=0.0)
        if wait > 0:
            return Charge(spent, wait, ())
        for buckets, key in wanted:
            buckets.add(key, 1.0)
        return Charge(Gate.OPEN, 0.0, wanted)


# An address is asked about twice a login, and its networks take longer to make than all else.
@lru_cache(maxsize=1_024)
def _networks(ip: IpAddress) -> tuple[IpNetwork, IpNetwork]:
    """The narrow and the wide network of an address."""
    bits = (32, 24) if ip.version == 4 else (64, 48)
    narrow, wide = (ipaddress.ip_network((ip, prefix), strict=False) for prefix in bits)
    return narrow, wide
