"""In which order the addresses of a domain's hosts are tried, and how many of them.

At most 5 addresses in all, from at least two hosts where there are two (RFC 5321 §5.1 asks
for at least two addresses).  The families take turns, IPv6 first; a family that has been
failing lately comes last, so that a broken network costs a wait once and not for each host.
"""

from collections.abc import Sequence
from typing import Final, Literal

from mailbox_server.model.address import IpAddress
from mailbox_server.model.ports import Clock

MOST_ADDRESSES: Final = 5
_OF_THE_FIRST: Final = 3
_OF_EACH_LATER: Final = 2
_FAILURES: Final = 3
_MISTRUSTED_SECONDS: Final = 600.0

Family = Literal[4, 6]


class Families:
    """How connecting by IPv4 and by IPv6 has been going; a family is mistrusted for 10 minutes
    after 3 different addresses in a row could not be reached by it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._missed: dict[Family, set[IpAddress]] = {4: set(), 6: set()}
        self._mistrusted_until: dict[Family, float] = {}

    def reached(self, ip: IpAddress) -> None:
        """A connection came about."""
        self._missed[ip.version].clear()
        self._mistrusted_until.pop(ip.version, None)

    def missed(self, ip: IpAddress) -> None:
        """None came about: refused, no route, or no answer in time."""
        missed = self._missed[ip.version]
        if len(missed) < _FAILURES:
            missed.add(ip)
        if len(missed) >= _FAILURES:
            self._mistrusted_until[ip.version] = self._clock.monotonic() + _MISTRUSTED_SECONDS

    def is_mistrusted(self, family: Family) -> bool:
        """Whether the other family goes first now; never both."""
        other: Family = 4 if family == 6 else 6
        now = self._clock.monotonic()
        return self._mistrusted_until.get(family, now) > now and not (
            self._mistrusted_until.get(other, now) > now
        )


def in_turns(ips: Sequence[IpAddress], families: Families) -> list[IpAddress]:
    """One host's addresses: IPv6 and IPv4 by turns, or a mistrusted family last."""
    six = [ip for ip in ips if ip.version == 6]
    four = [ip for ip in ips if ip.version == 4]
    if families.is_mistrusted(6):
        return four + six
    if families.is_mistrusted(4):
        return six + four
    paired = [ip for pair in zip(six, four, strict=False) for ip in pair]
    return paired + six[len(four) :] + four[len(six) :]


def shares(hosts: Sequence[Sequence[IpAddress]], families: Families) -> list[list[IpAddress]]:
    """For each host the addresses to try in order; a host beyond the limit gets none."""
    room = MOST_ADDRESSES
    most = _OF_THE_FIRST if len(hosts) > 1 else MOST_ADDRESSES
    chosen = []
    for ips in hosts:
        share = in_turns(ips, families)[: min(most, room)]
        room -= len(share)
        chosen.append(share)
        most = _OF_EACH_LATER
    return chosen
