"""How well sessions with each domain's hosts were protected last, in rows."""

from datetime import UTC, datetime
from typing import Final

import sqlalchemy as sa

from mailbox_server.model.tls_demand import TlsLevel
from mailbox_server.store.prepared import Prepared
from mailbox_server.store.schema.transport_security import peer_level
from mailbox_server.store.transactions import SqlTx

_OF_DOMAIN: Final = peer_level.c.domain == sa.bindparam("name")
_FIND: Final = Prepared(
    sa.select(peer_level.c.level, peer_level.c.seen, peer_level.c.told).where(_OF_DOMAIN)
)
_REMOVE: Final = Prepared(sa.delete(peer_level).where(_OF_DOMAIN))
_ADD: Final = Prepared(
    sa.insert(peer_level).values(
        domain=sa.bindparam("new_domain"),
        level=sa.bindparam("new_level"),
        seen=sa.bindparam("new_seen"),
        told=sa.bindparam("new_told"),
    )
)
_FORGET: Final = Prepared(sa.delete(peer_level).where(peer_level.c.seen < sa.bindparam("instant")))


class PeerLevels:
    """PeerLevelWriter on rows."""

    __slots__ = ("_tx",)

    def __init__(self, tx: SqlTx) -> None:
        self._tx = tx

    def level(self, domain: str) -> tuple[TlsLevel, datetime, datetime | None] | None:
        """The level, when it was seen, and when its fall was last told."""
        row = _FIND.row(self._tx, name=domain)
        if row is None:
            return None
        level, seen, told = row
        return (
            TlsLevel(level),
            datetime.fromtimestamp(seen, UTC),
            None if told is None else datetime.fromtimestamp(told, UTC),
        )

    def note(self, domain: str, level: TlsLevel, seen: datetime, told: datetime | None) -> None:
        """Put in the place of what was known of that domain."""
        _REMOVE.run(self._tx, name=domain)
        _ADD.run(
            self._tx,
            new_domain=domain,
            new_level=level.value,
            new_seen=int(seen.timestamp()),
            new_told=None if told is None else int(told.timestamp()),
        )

    def forget(self, before: datetime) -> int:
        """Forget those last seen before that; how many."""
        return _FORGET.run(self._tx, instant=int(before.timestamp()))
