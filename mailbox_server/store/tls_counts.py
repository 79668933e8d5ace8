"""Sessions counted for the reports of RFC 8460, in rows."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any, Final

import sqlalchemy as sa

from mailbox_server.model.tls_count import TlsCase, TlsCount
from mailbox_server.model.tls_demand import TlsFault, TlsPolicy
from mailbox_server.store.prepared import Prepared
from mailbox_server.store.schema.transport_security import tls_count
from mailbox_server.store.transactions import SqlTx

_EPOCH: Final = date(1970, 1, 1)
_CASE: Final = ("day", "domain", "policy", "wording", "fault", "source", "host", "ip", "detail")
_DAYS: Final = Prepared(sa.select(tls_count.c.day).distinct().order_by(tls_count.c.day))
_OF_DAY: Final = tls_count.c.day == sa.bindparam("number")
_DOMAINS: Final = Prepared(
    sa.select(tls_count.c.domain)
    .where(_OF_DAY, tls_count.c.domain > sa.bindparam("after"))
    .distinct()
    .order_by(tls_count.c.domain)
    .limit(sa.bindparam("most"))
)
_OF_DOMAIN: Final = tls_count.c.domain == sa.bindparam("name")
_OF: Final = Prepared(
    sa.select(*(tls_count.c[name] for name in _CASE), tls_count.c.sessions)
    .where(_OF_DAY, _OF_DOMAIN)
    .order_by(tls_count.c.fault != "", tls_count.c.sessions.desc(), tls_count.c.id)
    .limit(sa.bindparam("most"))
)
_AGAIN: Final = Prepared(
    sa.update(tls_count)
    .where(*(tls_count.c[name] == sa.bindparam(f"case_{name}") for name in _CASE))
    .values(sessions=tls_count.c.sessions + sa.bindparam("more"))
)
_FIRST: Final = Prepared(
    sa.insert(tls_count).values(
        {name: sa.bindparam(f"case_{name}") for name in _CASE} | {"sessions": sa.bindparam("more")}
    )
)
_FORGET: Final = Prepared(sa.delete(tls_count).where(_OF_DAY, _OF_DOMAIN))
_FORGET_BEFORE: Final = Prepared(sa.delete(tls_count).where(tls_count.c.day < sa.bindparam("end")))


class TlsCounts:
    """TlsCountWriter on rows."""

    __slots__ = ("_tx",)

    def __init__(self, tx: SqlTx) -> None:
        self._tx = tx

    def days(self) -> list[date]:
        """Days with any counts, the oldest first."""
        return [_EPOCH + timedelta(days=number) for (number,) in _DAYS.rows(self._tx)]

    def domains(self, day: date, after: str, most: int) -> list[str]:
        """Domains with counts of that day, by name, behind after."""
        rows = _DOMAINS.rows(self._tx, number=_number(day), after=after, most=most)
        return [name for (name,) in rows]

    def of(self, day: date, domain: str, most: int) -> list[TlsCount]:
        """Counts of a domain and day: successes first, then the most frequent failures."""
        rows = _OF.rows(self._tx, number=_number(day), name=domain, most=most)
        return [_count(row) for row in rows]

    def add(self, counts: Sequence[TlsCount]) -> None:
        """Count them to what was counted before."""
        for count in counts:
            case = count.case
            values = {
                "case_day": _number(case.day),
                "case_domain": case.domain,
                "case_policy": case.policy.value,
                "case_wording": "\n".join(case.wording),
                "case_fault": "" if case.fault is None else case.fault.value,
                "case_source": case.source,
                "case_host": case.host,
                "case_ip": case.ip,
                "case_detail": case.detail,
                "more": count.sessions,
            }
            if not _AGAIN.run(self._tx, **values):
                _FIRST.run(self._tx, **values)

    def forget(self, day: date, domain: str) -> None:
        """Forget a domain's counts of one day."""
        _FORGET.run(self._tx, number=_number(day), name=domain)

    def forget_before(self, day: date) -> int:
        """Forget all counts of days before that; how many rows."""
        return _FORGET_BEFORE.run(self._tx, end=_number(day))


def _number(day: date) -> int:
    return (day - _EPOCH).days


def _count(row: Any) -> TlsCount:
    number, domain, policy, wording, fault, source, host, ip, detail, sessions = row
    case = TlsCase(
        _EPOCH + timedelta(days=number),
        domain,
        TlsPolicy(policy),
        tuple(wording.split("\n")) if wording else (),
        TlsFault(fault) if fault else None,
        source,
        host,
        ip,
        detail,
    )
    return TlsCount(case, sessions)
