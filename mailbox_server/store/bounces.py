"""What came back, in rows (ports.BounceWriter)."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import sqlalchemy as sa

from mailbox_server.model.address import Address
from mailbox_server.model.bounce import (
    WORDS_CHARACTERS,
    BouncedAddress,
    BounceScore,
    Cause,
    FailedForwards,
    ListMember,
    OverdueForward,
    ScoreState,
)
from mailbox_server.model.ids import AccountId
from mailbox_server.store.prepared import Prepared
from mailbox_server.store.schema.bounces import (
    bounce_score,
    bounced_address,
    failed_forward,
    list_member,
)
from mailbox_server.store.transactions import SqlTx

_NUMBERS: Final = 1 << 63
_ADDRESS: Final = (
    bounced_address.c.account,
    bounced_address.c.address,
    bounced_address.c.cause,
    bounced_address.c.words,
    bounced_address.c.since,
    bounced_address.c.last,
    bounced_address.c.times,
)
_THIS_ADDRESS: Final = sa.and_(
    bounced_address.c.account == sa.bindparam("owner"),
    bounced_address.c.key == sa.bindparam("found"),
)
_FIND: Final = Prepared(sa.select(*_ADDRESS).where(_THIS_ADDRESS))
_KEYS: Final = Prepared(
    sa.select(bounced_address.c.key)
    .where(bounced_address.c.account == sa.bindparam("owner"))
    .limit(sa.bindparam("most"))
)
_AGAIN: Final = Prepared(
    sa.update(bounced_address)
    .where(_THIS_ADDRESS)
    .values(
        cause=sa.bindparam("why"),
        words=sa.bindparam("said"),
        last=sa.bindparam("now"),
        times=bounced_address.c.times + 1,
    )
)
_FIRST: Final = Prepared(
    sa.insert(bounced_address).values(
        account=sa.bindparam("owner"),
        key=sa.bindparam("found"),
        address=sa.bindparam("shown"),
        cause=sa.bindparam("why"),
        words=sa.bindparam("said"),
        since=sa.bindparam("now"),
        last=sa.bindparam("now"),
        times=1,
    )
)
_FORGET: Final = Prepared(
    sa.delete(bounced_address).where(bounced_address.c.last < sa.bindparam("before"))
)

_THIS_FORWARD: Final = sa.and_(
    failed_forward.c.account == sa.bindparam("owner"),
    failed_forward.c.key == sa.bindparam("found"),
)
_FIND_FORWARD: Final = Prepared(
    sa.select(failed_forward.c.told, failed_forward.c.untold).where(_THIS_FORWARD)
)
_TELL_FORWARD: Final = Prepared(
    sa.update(failed_forward).where(_THIS_FORWARD).values(told=sa.bindparam("now"), untold=0)
)
_FIRST_FORWARD: Final = Prepared(
    sa.insert(failed_forward).values(
        account=sa.bindparam("owner"),
        key=sa.bindparam("found"),
        told=sa.bindparam("now"),
        untold=0,
    )
)
_COUNT_FORWARD: Final = Prepared(
    sa.update(failed_forward).where(_THIS_FORWARD).values(untold=failed_forward.c.untold + 1)
)
_OVERDUE: Final = Prepared(
    sa.select(
        failed_forward.c.account,
        failed_forward.c.key,
        failed_forward.c.told,
        failed_forward.c.untold,
    )
    .where(
        failed_forward.c.untold > 0,
        sa.or_(
            failed_forward.c.told <= sa.bindparam("before"),
            failed_forward.c.told > sa.bindparam("now"),
        ),
        sa.tuple_(failed_forward.c.account, failed_forward.c.key)
        > sa.tuple_(sa.bindparam("account"), sa.bindparam("key")),
    )
    .order_by(failed_forward.c.account, failed_forward.c.key)
    .limit(sa.bindparam("most"))
)
_TELL_OVERDUE: Final = Prepared(
    sa.update(failed_forward)
    .where(
        _THIS_FORWARD,
        failed_forward.c.told == sa.bindparam("before"),
        failed_forward.c.untold == sa.bindparam("count"),
    )
    .values(told=sa.bindparam("now"), untold=0)
)
_FORGET_FORWARDS: Final = Prepared(
    sa.delete(failed_forward).where(failed_forward.c.told < sa.bindparam("before"))
)

_SCORE: Final = (
    bounce_score.c.scope,
    bounce_score.c.address,
    bounce_score.c.half_points,
    bounce_score.c.state,
    bounce_score.c.since,
    bounce_score.c.cause,
    bounce_score.c.words,
    bounce_score.c.last,
    bounce_score.c.times,
)
_THIS_SCORE: Final = sa.and_(
    bounce_score.c.scope == sa.bindparam("within"), bounce_score.c.key == sa.bindparam("found")
)
_FIND_SCORE: Final = Prepared(sa.select(*_SCORE).where(_THIS_SCORE))
_SUSPECTS: Final = Prepared(
    sa.select(*_SCORE)
    .where(bounce_score.c.state == ScoreState.SUSPECT.value)
    .order_by(bounce_score.c.since, bounce_score.c.scope, bounce_score.c.key)
    .limit(sa.bindparam("most"))
)
_DROP_SCORE: Final = Prepared(sa.delete(bounce_score).where(_THIS_SCORE))
_SET_SCORE: Final = Prepared(
    sa.insert(bounce_score).values(
        scope=sa.bindparam("within"),
        key=sa.bindparam("found"),
        address=sa.bindparam("shown"),
        half_points=sa.bindparam("halves"),
        state=sa.bindparam("stands"),
        since=sa.bindparam("from"),
        cause=sa.bindparam("why"),
        words=sa.bindparam("said"),
        last=sa.bindparam("now"),
        times=sa.bindparam("count"),
    )
)
_FORGET_SCORES: Final = Prepared(
    sa.delete(bounce_score).where(
        bounce_score.c.last < sa.bindparam("before"),
        bounce_score.c.state != ScoreState.DISABLED.value,
    )
)


_MEMBER: Final = Prepared(
    sa.select(list_member.c.id, list_member.c.scope, list_member.c.address).where(
        list_member.c.id == sa.bindparam("number")
    )
)
_KNOWN_MEMBER: Final = Prepared(
    sa.select(list_member.c.id, list_member.c.scope, list_member.c.address).where(
        list_member.c.scope == sa.bindparam("within"), list_member.c.key == sa.bindparam("found")
    )
)
_NEW_MEMBER: Final = Prepared(
    sa.insert(list_member).values(
        id=sa.bindparam("number"),
        scope=sa.bindparam("within"),
        key=sa.bindparam("found"),
        address=sa.bindparam("shown"),
    )
)


def _for_each(
    owner: sa.Column[Any],
    key: sa.Column[Any],
    made: Callable[[sa.ColumnElement[bool]], sa.Executable],
) -> Mapping[tuple[bool, bool], Prepared]:
    """A statement by whether it is for one owner, and for one address."""
    return {
        (of_owner, of_address): Prepared(
            made(
                sa.and_(
                    owner == sa.bindparam("owner") if of_owner else sa.true(),
                    key == sa.bindparam("found") if of_address else sa.true(),
                )
            )
        )
        for of_owner in (False, True)
        for of_address in (False, True)
    }


_LISTED: Final[Mapping[tuple[bool, bool], Prepared]] = _for_each(
    bounced_address.c.account,
    bounced_address.c.key,
    lambda these: (
        sa.select(*_ADDRESS)
        .where(these)
        .order_by(bounced_address.c.last.desc(), bounced_address.c.account, bounced_address.c.key)
        .limit(sa.bindparam("most"))
    ),
)
_CLEAR: Final[Mapping[tuple[bool, bool], Prepared]] = _for_each(
    bounced_address.c.account,
    bounced_address.c.key,
    lambda these: sa.delete(bounced_address).where(these),
)
_SCORES: Final[Mapping[tuple[bool, bool], Prepared]] = _for_each(
    bounce_score.c.scope,
    bounce_score.c.key,
    lambda these: (
        sa.select(*_SCORE)
        .where(these)
        .order_by(bounce_score.c.last.desc(), bounce_score.c.scope, bounce_score.c.key)
        .limit(sa.bindparam("most"))
    ),
)
_CLEAR_SCORES: Final[Mapping[tuple[bool, bool], Prepared]] = _for_each(
    bounce_score.c.scope,
    bounce_score.c.key,
    lambda these: sa.delete(bounce_score).where(these),
)


class Bounces:
    """BounceWriter on rows."""

    __slots__ = ("_tx",)

    def __init__(self, tx: SqlTx) -> None:
        self._tx = tx

    # ------------------------------------------------------------ addresses of an account

    def find(self, account: AccountId, address: Address) -> BouncedAddress | None:
        """Whether mail of the account came back from the address; a point query."""
        row = _FIND.row(self._tx, owner=account, found=address.key)
        return None if row is None else _bounced(row)

    def keys(self, account: AccountId, most: int) -> list[str]:
        """The keys of an account's addresses, at most so many; one range of an index."""
        return [key for (key,) in _KEYS.rows(self._tx, owner=account, most=most)]

    def listed(
        self, account: AccountId | None, address: Address | None, most: int
    ) -> list[BouncedAddress]:
        """Of an account or of all, of an address or of any; the latest first."""
        found = _LISTED[account is not None, address is not None]
        rows = found.rows(self._tx, owner=account, found=_key(address), most=most)
        return [_bounced(row) for row in rows]

    def remember(
        self, account: AccountId, address: Address, cause: Cause, words: str, now: datetime
    ) -> None:
        """Mail of the account came back from the address; words are cut."""
        values = {
            "owner": account,
            "found": address.key,
            "shown": str(address),
            "why": cause.value,
            "said": words[:WORDS_CHARACTERS],
            "now": int(now.timestamp()),
        }
        self._tx.remember_bounce()
        if not _AGAIN.run(self._tx, **values):
            _FIRST.run(self._tx, **values)

    def clear(self, account: AccountId | None, address: Address | None) -> int:
        """Forget addresses of an account or of all; how many."""
        cleared = _CLEAR[account is not None, address is not None]
        self._tx.frees()
        return cleared.run(self._tx, owner=account, found=_key(address))

    # ------------------------------------------------------------ failed forwards

    def failed_forwards(self, account: AccountId, address: Address) -> FailedForwards | None:
        """What the account knows of mail not passed on to the address; a point query."""
        row = _FIND_FORWARD.row(self._tx, owner=account, found=address.key)
        return None if row is None else FailedForwards(_moment(row[0]), row[1])

    def overdue_forwards(
        self, before: datetime, now: datetime, after: OverdueForward | None, most: int
    ) -> list[OverdueForward]:
        """Failures not told, where the account was told last until before, or later than now."""
        account, key = (0, "") if after is None else (after.account, after.key)
        values = {"before": int(before.timestamp()), "now": int(now.timestamp())}
        rows = _OVERDUE.rows(self._tx, **values, account=account, key=key, most=most)
        return [
            OverdueForward(AccountId(owner), found, _moment(told), untold)
            for owner, found, told, untold in rows
        ]

    def told_overdue_forward(self, overdue: OverdueForward, now: datetime) -> bool:
        """The account is told of it now; False where it stands as it was read no more."""
        values = {"owner": overdue.account, "found": overdue.key, "count": overdue.untold}
        before, at = int(overdue.told.timestamp()), int(now.timestamp())
        return bool(_TELL_OVERDUE.run(self._tx, **values, before=before, now=at))

    def told_failed_forward(self, account: AccountId, address: Address, now: datetime) -> None:
        """The account is told now; what it was not told of before is told with it."""
        values = {"owner": account, "found": address.key, "now": int(now.timestamp())}
        if not _TELL_FORWARD.run(self._tx, **values):
            _FIRST_FORWARD.run(self._tx, **values)

    def count_failed_forward(self, account: AccountId, address: Address) -> None:
        """One message more that it is not told of; silent where it was never told of any."""
        _COUNT_FORWARD.run(self._tx, owner=account, found=address.key)

    # ------------------------------------------------------------ scores

    def score(self, scope: str, address: Address) -> BounceScore | None:
        """The score of a recipient within a scope; a point query."""
        row = _FIND_SCORE.row(self._tx, within=scope, found=address.key)
        return None if row is None else _scored(row)

    def scores(self, scope: str | None, address: Address | None, most: int) -> list[BounceScore]:
        """Of a scope or of all, of an address or of any; the latest first."""
        found = _SCORES[scope is not None, address is not None]
        rows = found.rows(self._tx, owner=scope, found=_key(address), most=most)
        return [_scored(row) for row in rows]

    def member(self, number: int) -> ListMember | None:
        """Whom a return path means by its number."""
        # Numbers of return paths have up to 63 bits, as rows have.
        row = _MEMBER.row(self._tx, number=number) if number < _NUMBERS else None
        return None if row is None else _member(row)

    def known_member(self, scope: str, address: Address) -> ListMember | None:
        """The same by its address; None where no mail with a return path of its own went there."""
        row = _KNOWN_MEMBER.row(self._tx, within=scope, found=address.key)
        return None if row is None else _member(row)

    def number_of(self, scope: str, address: Address) -> int:
        """The number of a recipient in return paths; it gets one where it has none."""
        known = self.known_member(scope, address)
        if known is not None:
            return known.number
        number = self._tx.draw("list_member")
        _NEW_MEMBER.run(
            self._tx, number=number, within=scope, found=address.key, shown=str(address)
        )
        return number

    def suspects(self, most: int) -> list[BounceScore]:
        """Who is to be probed, those that wait longest first."""
        return [_scored(row) for row in _SUSPECTS.rows(self._tx, most=most)]

    def set_score(self, score: BounceScore) -> None:
        """Put a score in place of the one before; words are cut."""
        values = {
            "within": score.scope,
            "found": score.address.key,
            "shown": str(score.address),
            "halves": score.half_points,
            "stands": score.state.value,
            "from": int(score.since.timestamp()),
            "why": score.cause.value,
            "said": score.words[:WORDS_CHARACTERS],
            "now": int(score.last.timestamp()),
            "count": score.times,
        }
        _DROP_SCORE.run(self._tx, **values)
        _SET_SCORE.run(self._tx, **values)

    def clear_scores(self, scope: str | None, address: Address | None) -> int:
        """Forget scores of a scope or of all; how many."""
        cleared = _CLEAR_SCORES[scope is not None, address is not None]
        self._tx.frees()
        return cleared.run(self._tx, owner=scope, found=_key(address))

    def forget(self, before: datetime) -> int:
        """Forget what was last told before then, but no disabled scores; how many rows."""
        self._tx.frees()
        instant = int(before.timestamp())
        forgotten = _FORGET.run(self._tx, before=instant)
        forgotten += _FORGET_FORWARDS.run(self._tx, before=instant)
        return forgotten + _FORGET_SCORES.run(self._tx, before=instant)


def _key(address: Address | None) -> str | None:
    return None if address is None else address.key


def _bounced(row: Sequence[Any]) -> BouncedAddress:
    account, address, cause, words, since, last, times = row
    return BouncedAddress(
        AccountId(account),
        Address.parse(address),
        Cause(cause),
        words,
        _moment(since),
        _moment(last),
        times,
    )


def _scored(row: Sequence[Any]) -> BounceScore:
    scope, address, half_points, state, since, cause, words, last, times = row
    return BounceScore(
        scope,
        Address.parse(address),
        half_points,
        ScoreState(state),
        _moment(since),
        Cause(cause),
        words,
        _moment(last),
        times,
    )


def _member(row: Sequence[Any]) -> ListMember:
    number, scope, address = row
    return ListMember(number, scope, Address.parse(address))


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
