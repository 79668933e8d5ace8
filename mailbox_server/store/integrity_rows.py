"""The invariants of accounts, mailboxes and messages: names, and selects of what breaks them."""

import json
from typing import Any, Final

import sqlalchemy as sa

from mailbox_server.model.keywords import SEEN
from mailbox_server.store.schema.accounts import account, alias, alias_target, token
from mailbox_server.store.schema.contents import content
from mailbox_server.store.schema.mailboxes import keyword_set, mailbox
from mailbox_server.store.schema.messages import (
    BLOCK_MESSAGES,
    BLOCK_UIDS,
    message,
    message_block,
    message_listing,
    message_text,
    placement,
    thread_link,
    uid_block,
)
from mailbox_server.store.schema.outbound import departure
from mailbox_server.store.schema.sharing import mailbox_right, seen_run

_LIVE: Final = placement.c.expunged_at.is_(None)
# A removed account is purged in steps; its counters say nothing meanwhile.
_PRESENT: Final = account.c.key.is_not(None)
_SEEN: Final = json.dumps(SEEN)
_seen = sa.func.coalesce(keyword_set.c.seen, 0)

# What the counters of a mailbox must say.
_counted = (
    sa.select(
        placement.c.mailbox,
        sa.func.count().label("messages"),
        sa.func.sum(1 - _seen).label("unseen"),
        sa.func.sum(placement.c.deleted).label("deleted"),
        sa.func.sum(message.c.size).label("octets"),
    )
    .join_from(placement, message, message.c.id == placement.c.message)
    .outerjoin(keyword_set, keyword_set.c.id == placement.c.keyword_set)
    .where(_LIVE)
    .group_by(placement.c.mailbox)
    .subquery()
)
_held = (
    sa.select(
        message.c.account,
        sa.func.count().label("messages"),
        sa.func.sum(message.c.size).label("octets"),
    )
    .where(message.c.destroyed_at.is_(None))
    .group_by(message.c.account)
    .subquery()
)
_names = (
    sa.select(message.c.content)
    .where(message.c.content.is_not(None))
    .union_all(sa.select(departure.c.content).where(departure.c.content.is_not(None)))
    .subquery()
)
_named = (
    sa.select(_names.c.content, sa.func.count().label("holders"))
    .group_by(_names.c.content)
    .subquery()
)
_live_places = (
    sa.select(placement.c.message, sa.func.count().label("places"))
    .where(_LIVE)
    .group_by(placement.c.message)
    .subquery()
)
_undeleted_places = (
    sa.select(placement.c.message, sa.func.count().label("places"))
    .where(_LIVE, placement.c.deleted == 0)
    .group_by(placement.c.message)
    .subquery()
)
_sets = (
    sa.select(
        placement.c.message,
        sa.func.count(sa.distinct(placement.c.keyword_set)).label("sets"),
        sa.func.count().label("places"),
        sa.func.min(placement.c.shared).label("shared"),
    )
    .where(_LIVE)
    .group_by(placement.c.message)
    .subquery()
)
_in_order = sa.select(
    placement.c.mailbox,
    placement.c.uid,
    placement.c.created_at,
    sa.func.lag(placement.c.created_at)
    .over(partition_by=placement.c.mailbox, order_by=placement.c.uid)
    .label("before"),
).subquery()
_opener = message.alias("opener")
_later = seen_run.alias("later")


def _differs(counted: Any, kept: Any) -> Any:
    return sa.func.coalesce(counted, 0) != kept


ROW_INVARIANTS: Final[tuple[tuple[str, sa.Select[Any]], ...]] = (
    (
        "UIDs lie below uid_next",
        sa.select(mailbox.c.id, mailbox.c.uid_next, placement.c.uid)
        .join_from(mailbox, placement, placement.c.mailbox == mailbox.c.id)
        .where(sa.or_(placement.c.uid >= mailbox.c.uid_next, placement.c.uid < 1)),
    ),
    (
        "UIDs ascend as placements are made",
        sa.select(_in_order.c.mailbox, _in_order.c.uid).where(
            _in_order.c.created_at < _in_order.c.before
        ),
    ),
    (
        "UIDs and UIDVALIDITY fit in 32 bits and are counted up",
        sa.select(mailbox.c.id, mailbox.c.uid_validity, mailbox.c.uid_next)
        .join_from(mailbox, account, account.c.id == mailbox.c.account)
        .where(
            sa.or_(
                mailbox.c.uid_validity < 1,
                mailbox.c.uid_validity >= account.c.uid_validity_next,
                mailbox.c.uid_next < 1,
                mailbox.c.uid_next > 2**32,
                mailbox.c.recent_from > mailbox.c.uid_next,
            )
        ),
    ),
    (
        "no two mailboxes of an account ever have the same UIDVALIDITY",
        sa.select(mailbox.c.account, mailbox.c.uid_validity, sa.func.count())
        .group_by(mailbox.c.account, mailbox.c.uid_validity)
        .having(sa.func.count() > 1),
    ),
    (
        "no placement's modseq is above its mailbox's highest",
        sa.select(placement.c.mailbox, placement.c.uid, placement.c.updated_at)
        .join_from(placement, mailbox, mailbox.c.id == placement.c.mailbox)
        .where(
            sa.or_(
                placement.c.updated_at > mailbox.c.highest_modseq,
                placement.c.created_at > placement.c.updated_at,
                placement.c.created_at < 1,
            )
        ),
    ),
    (
        "placements are found by their blocks of UIDs",
        sa.select(placement.c.mailbox, placement.c.uid, placement.c.updated_at)
        .outerjoin_from(
            placement,
            uid_block,
            sa.and_(
                uid_block.c.mailbox == placement.c.mailbox,
                uid_block.c.first == placement.c.uid - placement.c.uid % BLOCK_UIDS,
            ),
        )
        .where(
            sa.or_(
                sa.func.coalesce(uid_block.c.updated_at, 0) < placement.c.updated_at,
                sa.and_(placement.c.deleted == 1, _LIVE, uid_block.c.deleted == 0),
                sa.and_(
                    placement.c.expunged_on.is_not(None),
                    sa.func.coalesce(uid_block.c.expunged_on, placement.c.expunged_on + 1)
                    > placement.c.expunged_on,
                ),
            )
        ),
    ),
    (
        "live placements are found by the blocks of their messages",
        sa.select(placement.c.mailbox, placement.c.uid, placement.c.message)
        .join_from(placement, mailbox, mailbox.c.id == placement.c.mailbox)
        .outerjoin(
            message_block,
            sa.and_(
                message_block.c.mailbox == placement.c.mailbox,
                message_block.c.first == placement.c.uid - placement.c.uid % BLOCK_UIDS,
                message_block.c.messages
                == placement.c.message - placement.c.message % BLOCK_MESSAGES,
                message_block.c.account == mailbox.c.account,
            ),
        )
        .where(_LIVE, message_block.c.mailbox.is_(None)),
    ),
    (
        "no blocks of messages are noted where nothing is live",
        sa.select(message_block.c.mailbox, message_block.c.first, message_block.c.messages)
        .join_from(message_block, mailbox, mailbox.c.id == message_block.c.mailbox)
        .join(account, account.c.id == mailbox.c.account)
        .where(
            _PRESENT,
            ~sa.exists().where(
                placement.c.mailbox == message_block.c.mailbox,
                placement.c.uid.between(
                    message_block.c.first, message_block.c.first + (BLOCK_UIDS - 1)
                ),
                _LIVE,
            ),
        ),
    ),
    (
        "no mailbox's modseq is above its account's",
        sa.select(mailbox.c.id, mailbox.c.highest_modseq, mailbox.c.updated_at)
        .join_from(mailbox, account, account.c.id == mailbox.c.account)
        .where(
            sa.or_(
                mailbox.c.highest_modseq > account.c.modseq,
                mailbox.c.updated_at > account.c.modseq,
                mailbox.c.forgotten_at > mailbox.c.highest_modseq,
                mailbox.c.created_at > mailbox.c.highest_modseq,
                mailbox.c.counts_at > mailbox.c.highest_modseq,
            )
        ),
    ),
    (
        "nothing is forgotten that has not happened",
        sa.select(account.c.id, account.c.forgotten_at, account.c.modseq).where(
            account.c.forgotten_at > account.c.modseq
        ),
    ),
    (
        "tombstones are whole",
        sa.select(placement.c.mailbox, placement.c.uid, placement.c.expunged_at).where(
            sa.or_(
                placement.c.expunged_at.is_(None) != placement.c.expunged_on.is_(None),
                placement.c.expunged_at != placement.c.updated_at,
            )
        ),
    ),
    (
        "every placement has a mailbox and, until its account has forgotten the expunge, a "
        "message; a live one's is not destroyed, and of the same account",
        sa.select(placement.c.mailbox, placement.c.uid, placement.c.message)
        .outerjoin_from(placement, mailbox, mailbox.c.id == placement.c.mailbox)
        .outerjoin(account, account.c.id == mailbox.c.account)
        .outerjoin(message, message.c.id == placement.c.message)
        .where(
            sa.or_(
                mailbox.c.id.is_(None),
                sa.and_(
                    message.c.id.is_(None),
                    sa.or_(_LIVE, placement.c.expunged_at > account.c.forgotten_at),
                ),
                sa.and_(
                    _LIVE,
                    sa.or_(
                        message.c.destroyed_at.is_not(None),
                        message.c.account != mailbox.c.account,
                    ),
                ),
            ),
        ),
    ),
    (
        "every message has content, listing and text until it is forgotten",
        sa.select(message.c.id, message.c.content, message.c.destroyed_at)
        .outerjoin_from(message, content, content.c.id == message.c.content)
        .outerjoin(message_listing, message_listing.c.message == message.c.id)
        .outerjoin(message_text, message_text.c.message == message.c.id)
        .where(
            sa.or_(
                sa.and_(message.c.content.is_(None), message.c.destroyed_at.is_(None)),
                sa.and_(message.c.content.is_not(None), content.c.id.is_(None)),
                message.c.content.is_(None) != message_listing.c.message.is_(None),
                message.c.content.is_(None) != message_text.c.message.is_(None),
                message.c.destroyed_at.is_(None) != message.c.destroyed_on.is_(None),
            )
        ),
    ),
    (
        "a message is as large as its trace and its content",
        sa.select(message.c.id, message.c.size, content.c.size)
        .join_from(message, content, content.c.id == message.c.content)
        .join(message_listing, message_listing.c.message == message.c.id)
        .where(message.c.size != content.c.size + sa.func.length(message_listing.c.trace)),
    ),
    (
        "a placement counts as large as its message is",
        sa.select(placement.c.mailbox, placement.c.uid, placement.c.size, message.c.size)
        .join_from(placement, message, message.c.id == placement.c.message)
        .where(placement.c.size != message.c.size),
    ),
    (
        "a message is listed with its own size",
        sa.select(message.c.id, message.c.size, message_listing.c.size)
        .join_from(message, message_listing, message_listing.c.message == message.c.id)
        .where(message.c.size != message_listing.c.size),
    ),
    (
        "a message is destroyed exactly when it has no live placement",
        sa.select(message.c.id, message.c.destroyed_at, _live_places.c.places)
        .outerjoin_from(message, _live_places, _live_places.c.message == message.c.id)
        .where(message.c.destroyed_at.is_(None) != _live_places.c.places.is_not(None)),
    ),
    (
        "a message is gone exactly when all its live placements are \\Deleted",
        sa.select(message.c.id, message.c.gone_at, _undeleted_places.c.places)
        .outerjoin_from(message, _undeleted_places, _undeleted_places.c.message == message.c.id)
        .where(
            sa.or_(
                message.c.gone_at.is_(None) != _undeleted_places.c.places.is_not(None),
                message.c.gone_at < message.c.created_at,
            )
        ),
    ),
    (
        "contents are held by as many as name them",
        sa.select(content.c.id, content.c.holders, _named.c.holders)
        .outerjoin_from(content, _named, _named.c.content == content.c.id)
        .where(_differs(_named.c.holders, content.c.holders)),
    ),
    (
        "mailbox counters are what a count says",
        sa.select(mailbox.c.id, mailbox.c.messages, _counted.c.messages)
        .join_from(mailbox, account, account.c.id == mailbox.c.account)
        .outerjoin(_counted, _counted.c.mailbox == mailbox.c.id)
        .where(
            _PRESENT,
            sa.or_(
                _differs(_counted.c.messages, mailbox.c.messages),
                _differs(_counted.c.unseen, mailbox.c.unseen),
                _differs(_counted.c.deleted, mailbox.c.deleted),
                _differs(_counted.c.octets, mailbox.c.octets),
            ),
        ),
    ),
    (
        "account usage is what a count says",
        sa.select(account.c.id, account.c.messages, _held.c.messages)
        .outerjoin_from(account, _held, _held.c.account == account.c.id)
        .where(
            _PRESENT,
            sa.or_(
                _differs(_held.c.messages, account.c.messages),
                _differs(_held.c.octets, account.c.octets),
            ),
        ),
    ),
    (
        "all live placements of a message have the same keywords and know of each other",
        sa.select(_sets.c.message, _sets.c.sets, _sets.c.places, _sets.c.shared).where(
            sa.or_(
                _sets.c.sets != 1,
                sa.and_(_sets.c.places > 1, _sets.c.shared == 0),
            )
        ),
    ),
    (
        "every keyword set is one of its account",
        sa.select(placement.c.mailbox, placement.c.uid, placement.c.keyword_set)
        .join_from(placement, mailbox, mailbox.c.id == placement.c.mailbox)
        .outerjoin(keyword_set, keyword_set.c.id == placement.c.keyword_set)
        .where(
            _LIVE,
            placement.c.keyword_set != 0,
            sa.or_(keyword_set.c.id.is_(None), keyword_set.c.account != mailbox.c.account),
        ),
    ),
    (
        "keyword sets know whether they hold \\Seen",
        sa.select(keyword_set.c.id, keyword_set.c.names).where(
            sa.case(
                (sa.func.replace(keyword_set.c.names, _SEEN, "") != keyword_set.c.names, 1),
                else_=0,
            )
            != keyword_set.c.seen
        ),
    ),
    (
        "a thread was opened by a message of the account, not by a later one",
        sa.select(message.c.id, message.c.thread)
        .outerjoin_from(message, _opener, _opener.c.id == message.c.thread)
        .where(
            sa.or_(
                message.c.thread < 1,
                message.c.thread > message.c.id,
                _opener.c.account != message.c.account,
                _opener.c.thread != _opener.c.id,
            )
        ),
    ),
    (
        "thread links lead to threads of the account",
        sa.select(thread_link.c.account, thread_link.c.thread)
        .join_from(thread_link, message, message.c.id == thread_link.c.thread)
        .where(message.c.account != thread_link.c.account),
    ),
    (
        "every account has one INBOX",
        sa.select(account.c.id, sa.func.count(mailbox.c.id))
        .outerjoin_from(
            account,
            mailbox,
            sa.and_(
                mailbox.c.account == account.c.id,
                mailbox.c.name == "INBOX",
                mailbox.c.role == "Inbox",
                mailbox.c.destroyed_at.is_(None),
            ),
        )
        .where(_PRESENT)
        .group_by(account.c.id)
        .having(sa.func.count(mailbox.c.id) != 1),
    ),
    (
        "a removed account is found by nothing",
        sa.select(account.c.id, account.c.key, account.c.domain, mailbox.c.id)
        .outerjoin_from(
            account,
            mailbox,
            sa.and_(mailbox.c.account == account.c.id, mailbox.c.destroyed_at.is_(None)),
        )
        .where(
            sa.or_(
                account.c.key.is_(None) != account.c.domain.is_(None),
                sa.and_(account.c.key.is_(None), mailbox.c.id.is_not(None)),
            )
        ),
    ),
    (
        "no role is given twice in an account",
        sa.select(mailbox.c.account, mailbox.c.role, sa.func.count())
        .where(mailbox.c.destroyed_at.is_(None), mailbox.c.role.is_not(None))
        .group_by(mailbox.c.account, mailbox.c.role)
        .having(sa.func.count() > 1),
    ),
    (
        "no address is both account and alias",
        sa.select(account.c.key).join_from(account, alias, alias.c.key == account.c.key),
    ),
    (
        "every alias has targets",
        sa.select(alias.c.id, alias.c.address)
        .outerjoin_from(alias, alias_target, alias_target.c.alias == alias.c.id)
        .where(alias_target.c.alias.is_(None)),
    ),
    (
        "an owner has no entry in the list of its own mailbox",
        sa.select(mailbox.c.id, mailbox.c.account)
        .join_from(mailbox, mailbox_right, mailbox_right.c.mailbox == mailbox.c.id)
        .where(mailbox_right.c.holder == mailbox.c.account),
    ),
    (
        "what a reader has seen lies in runs that do not overlap",
        sa.select(seen_run.c.mailbox, seen_run.c.reader, seen_run.c.first).where(
            sa.or_(
                seen_run.c.last < seen_run.c.first,
                sa.exists().where(
                    _later.c.mailbox == seen_run.c.mailbox,
                    _later.c.reader == seen_run.c.reader,
                    _later.c.first > seen_run.c.first,
                    _later.c.first <= seen_run.c.last,
                ),
            )
        ),
    ),
    (
        "what a reader has seen has a modseq not above its mailbox's highest",
        sa.select(seen_run.c.mailbox, seen_run.c.reader, seen_run.c.first)
        .join_from(seen_run, mailbox, mailbox.c.id == seen_run.c.mailbox)
        .where(seen_run.c.modseq > mailbox.c.highest_modseq),
    ),
    (
        "token digests are SHA-256",
        sa.select(token.c.id).where(sa.func.length(token.c.secret_digest) != 32),
    ),
)
