"""What came back, as an operator sees and forgets it: addresses of accounts, scores of lists."""

from typing import Final

from mailbox_server.model.address import Address
from mailbox_server.model.bounce import BouncedAddress, BounceScore
from mailbox_server.model.errors import BadInput, BounceMissing
from mailbox_server.model.ids import AccountId
from mailbox_server.ops import requests
from mailbox_server.ops.request_roots import instant
from mailbox_server.ops.rows import AnyRow, BounceRow, ClearedRow
from mailbox_server.store.ports import ReadTx, Store, WriteTx

MOST: Final = 1_000
"""Rows of each kind that are listed."""


async def list_all(store: Store, asked: requests.BouncesList) -> list[AnyRow]:
    """The latest addresses, then the latest scores; of an account or list where one is named.

    Raises AddressMalformed, DomainMalformed.
    """
    address = None if asked.address is None else Address.parse(asked.address)

    def look(tx: ReadTx) -> list[AnyRow]:
        account, scope = _meant(tx, asked.of)
        rows: list[AnyRow] = []
        if asked.of is None or account is not None:
            rows += [_bounced(tx, each) for each in tx.bounces.listed(account, address, MOST)]
        rows += [_scored(each) for each in tx.bounces.scores(scope, address, MOST)]
        return rows

    return await store.read(look)


async def clear(store: Store, asked: requests.BouncesClear) -> list[AnyRow]:
    """Forget an address everywhere, or all that an account or list has; how many rows.

    Raises AddressMalformed, DomainMalformed, BadInput where neither is named, and
    BounceMissing where there is nothing to forget.
    """
    if asked.address is None and asked.of is None:
        raise BadInput("name an address, or an account or list with --of")
    address = None if asked.address is None else Address.parse(asked.address)

    def forget(tx: WriteTx) -> int:
        account, scope = _meant(tx, asked.of)
        cleared = tx.bounces.clear_scores(scope, address)
        if asked.of is None or account is not None:
            cleared += tx.bounces.clear(account, address)
        return cleared

    count = await store.write(forget)
    if not count:
        raise BounceMissing("nothing is remembered of that")
    return [ClearedRow(count)]


def _meant(tx: ReadTx | WriteTx, of: str | None) -> tuple[AccountId | None, str | None]:
    """The account and the list that an address names; both None for all of them."""
    if of is None:
        return None, None
    address = Address.parse(of)
    account = tx.accounts.find(address)
    return None if account is None else account.id, address.key


def _bounced(tx: ReadTx, bounced: BouncedAddress) -> BounceRow:
    account = tx.accounts.get(bounced.account)
    return BounceRow(
        address=str(bounced.address),
        of="?" if account is None else str(account.address),
        state="remembered",
        score=None,
        cause=bounced.cause.value,
        times=bounced.times,
        since=instant(bounced.since) or "",
        last=instant(bounced.last) or "",
        words=bounced.words,
    )


def _scored(score: BounceScore) -> BounceRow:
    return BounceRow(
        address=str(score.address),
        of=score.scope,
        state=score.state.value,
        score=f"{score.half_points / 2:g}",
        cause=score.cause.value,
        times=score.times,
        since=instant(score.since) or "",
        last=instant(score.last) or "",
        words=score.words,
    )
