"""TlsTally: counts sessions by policy and day, for the reports of RFC 8460.

Counts are gathered in memory and written together; a crash loses those of the last minute,
which reports can bear.  No domain can make it grow without end: beyond 100 ways to fail on
one day the rest of a domain's failures are counted without their circumstances.
"""

from collections import Counter
from dataclasses import replace
from typing import Final

from mailbox_server.model.address import IpAddress
from mailbox_server.model.ports import Clock
from mailbox_server.model.tls_count import TlsCase, TlsCount
from mailbox_server.model.tls_demand import TlsDemand, TlsFault, TlsLevel, TlsPolicy, TlsResult
from mailbox_server.store.ports import Store

WAYS_TO_FAIL: Final = 100
_CASES: Final = 20_000
"""Held in memory at most; more are let go."""
_DETAIL_CHARACTERS: Final = 200
_REPORTED: Final = (TlsPolicy.NO_POLICY, TlsPolicy.STS, TlsPolicy.TLSA)


class TlsTally:
    """Counts what domains may hear of; tls_witness.Witness."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._sessions: Counter[TlsCase] = Counter()
        self._ways: Counter[tuple[object, str]] = Counter()

    def __len__(self) -> int:
        """How many cases wait to be written."""
        return len(self._sessions)

    def session(
        self,
        domain: str,
        host: str,
        demand: TlsDemand,
        result: TlsResult,
        source: IpAddress | None,
        ip: IpAddress,
    ) -> None:
        """Count one session whose TLS was tried.

        Not those under an operator's own rule, or a message's: they say nothing of the domain's.
        """
        if demand.policy not in _REPORTED:
            return
        fault, detail = result.fault, result.detail
        if fault is None and demand.policy is TlsPolicy.STS and _is_outside(demand):
            # Only in mode testing there is a session at all.
            fault, detail = TlsFault.VALIDATION_FAILURE, "the host is not in the policy"
        case = TlsCase(self._clock.now().date(), domain, demand.policy, demand.wording)
        if fault is not None:
            case = replace(
                case,
                fault=fault,
                source="" if source is None else str(source),
                host=host,
                ip=str(ip),
                detail=_one_line(detail),
            )
        self._count(case)

    def failed(
        self,
        domain: str,
        policy: TlsPolicy,
        wording: tuple[str, ...],
        fault: TlsFault,
        host: str,
        detail: str,
    ) -> None:
        """Count what failed before there was a session."""
        day = self._clock.now().date()
        self._count(
            TlsCase(day, domain, policy, wording, fault, host=host, detail=_one_line(detail))
        )

    async def settle(self, store: Store) -> None:
        """Write down what was counted.  Raises StoreUnavailable, and has it all still."""
        self._ways = Counter(
            {key: ways for key, ways in self._ways.items() if key[0] == self._clock.now().date()}
        )
        if not self._sessions:
            return
        taken, self._sessions = self._sessions, Counter()
        counts = [TlsCount(case, sessions) for case, sessions in taken.items()]
        try:
            await store.write(lambda tx: tx.tls_counts.add(counts))
        except BaseException:  # whatever it was, the counts are for the next time
            self._sessions.update(taken)
            raise

    def _count(self, case: TlsCase) -> None:
        if case.fault is not None and case not in self._sessions:
            key = (case.day, case.domain)
            self._ways[key] += 1
            if self._ways[key] > WAYS_TO_FAIL:
                case = replace(case, source="", host="", ip="", detail="")
        if case in self._sessions or len(self._sessions) < _CASES:
            self._sessions[case] += 1


def _is_outside(demand: TlsDemand) -> bool:
    return demand.level is TlsLevel.OPPORTUNISTIC


def _one_line(text: str) -> str:
    printable = "".join(c if c.isprintable() else " " for c in text[: 4 * _DETAIL_CHARACTERS])
    return " ".join(printable.split())[:_DETAIL_CHARACTERS]
