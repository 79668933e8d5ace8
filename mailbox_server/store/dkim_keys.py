"""Signing keys of hosted domains in rows (RFC 6376)."""

from datetime import UTC, datetime
from typing import Any, Final

import sqlalchemy as sa

from mailbox_server.model.address import Domain
from mailbox_server.model.dkim_key import DkimKey, KeyAlgorithm, KeyState, NewDkimKey
from mailbox_server.model.errors import DkimKeyExists
from mailbox_server.model.ids import DkimKeyId
from mailbox_server.store.domains import domain_id
from mailbox_server.store.prepared import Prepared
from mailbox_server.store.schema.accounts import domain
from mailbox_server.store.schema.dkim_keys import dkim_key
from mailbox_server.store.transactions import SqlTx

_COLUMNS: Final = (
    dkim_key.c.id,
    domain.c.name,
    dkim_key.c.selector,
    dkim_key.c.algorithm,
    dkim_key.c.private,
    dkim_key.c.public,
    dkim_key.c.state,
    dkim_key.c.created,
    dkim_key.c.since,
    dkim_key.c.seen,
)
_SELECT: Final = sa.select(*_COLUMNS).join_from(dkim_key, domain, domain.c.id == dkim_key.c.domain)
_OF_DOMAIN: Final = domain.c.name == sa.bindparam("name")
_OF_KEY: Final = dkim_key.c.id == sa.bindparam("number")
_ALL: Final = Prepared(_SELECT.order_by(domain.c.name, dkim_key.c.id))
_ALL_OF: Final = Prepared(_SELECT.where(_OF_DOMAIN).order_by(dkim_key.c.id))
_SIGNING: Final = Prepared(
    _SELECT.where(_OF_DOMAIN, dkim_key.c.state == KeyState.SIGNING.value).order_by(
        dkim_key.c.algorithm.desc(), dkim_key.c.id
    )
)
_IS_TAKEN: Final = Prepared(
    sa.select(dkim_key.c.id).where(
        dkim_key.c.domain == sa.bindparam("host"), dkim_key.c.selector == sa.bindparam("selector")
    )
)
_NEW: Final = ("domain", "selector", "algorithm", "private", "public", "state", "created", "since")
_ADD: Final = Prepared(
    sa.insert(dkim_key)
    .values({name: sa.bindparam(f"new_{name}") for name in _NEW})
    .returning(dkim_key.c.id)
)
_SET_STATE: Final = Prepared(
    sa.update(dkim_key)
    .where(_OF_KEY)
    .values(state=sa.bindparam("new_state"), since=sa.bindparam("new_since"))
)
_SAW: Final = Prepared(sa.update(dkim_key).where(_OF_KEY).values(seen=sa.bindparam("new_seen")))
_REMOVE: Final = Prepared(sa.delete(dkim_key).where(_OF_KEY))


def _instant(moment: datetime) -> int:
    return int(moment.timestamp())


def _moment(instant: int) -> datetime:
    return datetime.fromtimestamp(instant, UTC)


def _key(row: Any) -> DkimKey:
    number, name, selector, algorithm, private, public, state, created, since, seen = row
    return DkimKey(
        DkimKeyId(number),
        Domain(name),
        selector,
        KeyAlgorithm(algorithm),
        private,
        public,
        KeyState(state),
        _moment(created),
        _moment(since),
        None if seen is None else _moment(seen),
    )


class DkimKeys:
    """DkimKeyWriter on rows."""

    __slots__ = ("_tx",)

    def __init__(self, tx: SqlTx) -> None:
        self._tx = tx

    def all(self, domain: Domain | None = None) -> list[DkimKey]:
        """The keys of a domain, or all there are: by domain, then as they were made."""
        if domain is None:
            return [_key(row) for row in _ALL.rows(self._tx)]
        return [_key(row) for row in _ALL_OF.rows(self._tx, name=domain.ascii)]

    def signing(self, domain: Domain) -> list[DkimKey]:
        """What a domain signs with now, RSA first; a few rows by an index."""
        return [_key(row) for row in _SIGNING.rows(self._tx, name=domain.ascii)]

    def add(self, new: NewDkimKey, state: KeyState, now: datetime) -> DkimKey:
        """Keep a key pair.  Raises DomainMissing, DkimKeyExists (the selector is taken)."""
        host = domain_id(self._tx, new.domain)
        if _IS_TAKEN.rows(self._tx, host=host, selector=new.selector):
            raise DkimKeyExists(f"{new.domain} has a key {new.selector} already")
        at = _instant(now)
        self._tx.change_owners()
        ((number,),) = _ADD.rows(
            self._tx,
            new_domain=host,
            new_selector=new.selector,
            new_algorithm=new.algorithm.value,
            new_private=new.private,
            new_public=new.public,
            new_state=state.value,
            new_created=at,
            new_since=at,
        )
        return DkimKey(
            DkimKeyId(number),
            new.domain,
            new.selector,
            new.algorithm,
            new.private,
            new.public,
            state,
            _moment(at),
            _moment(at),
            None,
        )

    def set_state(self, key: DkimKeyId, state: KeyState, now: datetime) -> None:
        """Bring a key to another state; silent where it is gone."""
        self._tx.change_owners()
        _SET_STATE.run(self._tx, number=key, new_state=state.value, new_since=_instant(now))

    def saw(self, key: DkimKeyId, at: datetime | None) -> None:
        """Remember since when its record stands in the DNS; silent where the key is gone."""
        _SAW.run(self._tx, number=key, new_seen=None if at is None else _instant(at))

    def remove(self, key: DkimKeyId) -> None:
        """Forget a key pair; silent where it is gone."""
        self._tx.change_owners()
        _REMOVE.run(self._tx, number=key)
