"""MTA-STS policies of other domains in rows."""

from datetime import UTC, datetime
from typing import Any, Final

import sqlalchemy as sa

from mailbox_server.model.address import Domain
from mailbox_server.model.sts_policy import KeptPolicy, StsMode, StsPolicy
from mailbox_server.store.prepared import Prepared
from mailbox_server.store.schema.transport_security import sts_policy
from mailbox_server.store.transactions import SqlTx

_SELECT: Final = sa.select(
    sts_policy.c.domain,
    sts_policy.c.identity,
    sts_policy.c.mode,
    sts_policy.c.mx,
    sts_policy.c.max_age,
    sts_policy.c.fetched,
    sts_policy.c.used,
)
_OF_DOMAIN: Final = sts_policy.c.domain == sa.bindparam("name")
_FIND: Final = Prepared(_SELECT.where(_OF_DOMAIN))
_FETCHED_BEFORE: Final = Prepared(
    _SELECT.where(sts_policy.c.fetched < sa.bindparam("instant"))
    .order_by(sts_policy.c.fetched, sts_policy.c.domain)
    .limit(sa.bindparam("most"))
)
_NEW: Final = ("domain", "identity", "mode", "mx", "max_age", "fetched", "used")
_REMOVE: Final = Prepared(sa.delete(sts_policy).where(_OF_DOMAIN))
_ADD: Final = Prepared(
    sa.insert(sts_policy).values({name: sa.bindparam(f"new_{name}") for name in _NEW})
)
_USED: Final = Prepared(
    sa.update(sts_policy).where(_OF_DOMAIN).values(used=sa.bindparam("new_used"))
)
_FORGET: Final = Prepared(
    sa.delete(sts_policy).where(
        sa.or_(
            sts_policy.c.fetched + sts_policy.c.max_age <= sa.bindparam("expired"),
            sts_policy.c.used < sa.bindparam("unused"),
        )
    )
)


class StsPolicies:
    """StsPolicyWriter on rows."""

    __slots__ = ("_tx",)

    def __init__(self, tx: SqlTx) -> None:
        self._tx = tx

    def find(self, domain: Domain) -> KeptPolicy | None:
        """The policy of a domain, expired or not."""
        row = _FIND.row(self._tx, name=domain.ascii)
        return None if row is None else _kept(row)

    def fetched_before(self, instant: datetime, most: int) -> list[KeptPolicy]:
        """Those fetched before that, the oldest fetch first, at most so many."""
        rows = _FETCHED_BEFORE.rows(self._tx, instant=int(instant.timestamp()), most=most)
        return [_kept(row) for row in rows]

    def keep(self, kept: KeptPolicy) -> None:
        """Put in the place of what was kept of that domain."""
        _REMOVE.run(self._tx, name=kept.domain.ascii)
        _ADD.run(
            self._tx,
            new_domain=kept.domain.ascii,
            new_identity=kept.identity,
            new_mode=kept.policy.mode.value,
            new_mx="\n".join(kept.policy.mx),
            new_max_age=kept.policy.max_age,
            new_fetched=int(kept.fetched.timestamp()),
            new_used=int(kept.used.timestamp()),
        )

    def used(self, domain: Domain, at: datetime) -> None:
        """Remember when mail last went there; silent where there is no policy."""
        _USED.run(self._tx, name=domain.ascii, new_used=int(at.timestamp()))

    def forget(self, expired: datetime, unused: datetime) -> int:
        """Forget those that had expired by then or were last used before; how many."""
        return _FORGET.run(
            self._tx, expired=int(expired.timestamp()), unused=int(unused.timestamp())
        )


def _kept(row: Any) -> KeptPolicy:
    name, identity, mode, mx, max_age, fetched, used = row
    patterns = tuple(mx.split("\n")) if mx else ()
    return KeptPolicy(
        Domain(name),
        identity,
        StsPolicy(StsMode(mode), patterns, max_age),
        datetime.fromtimestamp(fetched, UTC),
        datetime.fromtimestamp(used, UTC),
    )
