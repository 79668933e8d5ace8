"""Messages that were marked destroyed though they lie somewhere still: made whole again.

The account counts them again; for JMAP they are created again, unless each placement is
\\Deleted (store.md §4.4).  What was changed while their placements did not know of each other
is settled by the newest of them.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from operator import itemgetter
from typing import Final

import sqlalchemy as sa

from mailbox_server.model.errors import TooManyKeywords
from mailbox_server.model.ids import AccountId, MailboxId, MessageId, ModSeq
from mailbox_server.model.passport import Evidence
from mailbox_server.store import uid_blocks
from mailbox_server.store.flags import same_keywords_elsewhere
from mailbox_server.store.keyword_sets import admit, keys_by_set, names_of
from mailbox_server.store.mailbox_rows import stamp_shown
from mailbox_server.store.message_blocks import LYING, block_of
from mailbox_server.store.passports import Passports
from mailbox_server.store.prepared import Prepared
from mailbox_server.store.schema.accounts import account
from mailbox_server.store.schema.messages import message, message_block, placement
from mailbox_server.store.transactions import SqlTx

STAGE: Final = "store.mended"
_FACTS: Final = (("reason", "it was marked as expunged everywhere, but lies in a mailbox"),)

_Row = tuple[int, int, int, int, int, int]
"""message, updated_at, mailbox, uid, keyword_set, deleted"""

_PRESENT: Final = Prepared(
    sa.select(account.c.id).where(
        account.c.id == sa.bindparam("account"), account.c.key.is_not(None)
    )
)
_PLACE: Final = (
    placement.c.mailbox == sa.bindparam("mailbox"),
    placement.c.uid == sa.bindparam("uid"),
    placement.c.expunged_at.is_(None),
)
_COLUMNS: Final = (
    placement.c.message,
    placement.c.updated_at,
    placement.c.mailbox,
    placement.c.uid,
    placement.c.keyword_set,
    placement.c.deleted,
)
_FOUND: Final = Prepared(sa.select(*_COLUMNS).where(*_PLACE))
_PLACES: Final = Prepared(
    sa.select(*_COLUMNS).where(
        message_block.c.messages == sa.bindparam("block"),
        *LYING,
        placement.c.message == sa.bindparam("message"),
    )
)
_REVIVE: Final = Prepared(
    sa.update(message)
    .where(message.c.id == sa.bindparam("message"), message.c.destroyed_at.is_not(None))
    .values(destroyed_at=sa.null(), destroyed_on=sa.null())
    .returning(message.c.size)
)
_CREATED_AGAIN: Final = Prepared(
    sa.update(message)
    .where(message.c.id == sa.bindparam("message"))
    .values(created_at=sa.bindparam("modseq"), gone_at=sa.null())
)
_COUNT: Final = Prepared(
    sa.update(account)
    .where(account.c.id == sa.bindparam("account"))
    .values(
        octets=account.c.octets + sa.bindparam("octets"),
        messages=account.c.messages + sa.literal_column("1"),
    )
)
_STAMP: Final = Prepared(
    sa.update(placement)
    .where(*_PLACE)
    .values(shared=sa.literal_column("1"), updated_at=sa.bindparam("modseq"))
)


def make_whole(
    tx: SqlTx, passports: Passports, owner: AccountId, found: Sequence[tuple[int, int, int]]
) -> list[MessageId]:
    """Make whole the messages of these placements (mailbox, UID, message) that are live still.

    The blocks of the account should have been mended before: by them the other placements of
    the messages are found.  Returns those that were destroyed; none of an account that is removed.
    """
    if _PRESENT.row(tx, account=owner) is None:
        return []
    asked = [{"mailbox": number, "uid": uid} for number, uid, _ in found]
    lying: dict[int, set[_Row]] = {}
    for row in _FOUND.rows_each(tx, asked):
        lying.setdefault(row[0], set()).add(row)
    whole = [
        MessageId(number)
        for number, rows in sorted(lying.items())
        if _revive(tx, owner, number, rows)
    ]
    stamp = [Evidence(datetime.fromtimestamp(tx.now, UTC), STAGE, _FACTS)]
    for each in whole:
        passports.stamp(each, stamp)
    return whole


def _revive(tx: SqlTx, owner: AccountId, number: int, found: set[_Row]) -> bool:
    row = _REVIVE.row(tx, message=number)
    if row is None:
        return False
    modseq = tx.touch(owner)
    _COUNT.run(tx, account=owner, octets=row[0])
    by_block = _PLACES.rows(tx, account=owner, block=block_of(number), message=number)
    places = sorted(found.union(by_block), key=itemgetter(1))
    for _, _, mailbox, uid, _, _ in places:
        _STAMP.run(tx, mailbox=mailbox, uid=uid, modseq=modseq)
        uid_blocks.stamp(tx, mailbox, [(uid, uid)], modseq)
        stamp_shown(tx, MailboxId(mailbox), modseq)
    if any(not row[5] for row in places):
        _CREATED_AGAIN.run(tx, message=number, modseq=modseq)
    _settle_keywords(tx, owner, places, modseq)
    return True


def _settle_keywords(tx: SqlTx, owner: AccountId, places: Sequence[_Row], modseq: ModSeq) -> None:
    """Give all placements of a message, the newest last, the keywords that it has there.

    Where a mailbox cannot take more keywords all stay as they are: mail matters more.
    """
    _, _, mailbox, uid, newest, _ = places[-1]
    if all(row[4] == newest for row in places):
        return
    keys = keys_by_set(names_of(tx, owner, {newest}))
    try:
        for number in {row[2] for row in places}:
            admit(tx, MailboxId(number), keys)
    except TooManyKeywords:
        return
    same_keywords_elsewhere(tx, owner, mailbox, uid, newest, modseq)
