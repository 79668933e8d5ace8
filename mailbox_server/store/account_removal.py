"""Removing all mail that an account holds, and releasing its contents."""

from typing import Final

import sqlalchemy as sa

from mailbox_server.model.ids import AccountId, ContentId
from mailbox_server.store.contents import ContentRepository
from mailbox_server.store.prepared import Prepared
from mailbox_server.store.schema.mailboxes import (
    keyword,
    keyword_set,
    mailbox,
    mailbox_keyword,
    subscription,
)
from mailbox_server.store.schema.messages import (
    message,
    message_listing,
    message_text,
    passport,
    placement,
    thread_link,
)
from mailbox_server.store.transactions import SqlTx

_ACCOUNT: Final[sa.BindParameter[int]] = sa.bindparam("account")
_MESSAGES: Final = sa.select(message.c.id).where(message.c.account == _ACCOUNT)
_MAILBOXES: Final = sa.select(mailbox.c.id).where(mailbox.c.account == _ACCOUNT)

_CONTENTS: Final = Prepared(
    sa.select(message.c.content, sa.func.count())
    .where(message.c.account == _ACCOUNT, message.c.content.is_not(None))
    .group_by(message.c.content)
)
# Children before what they refer to.
_REMOVALS: Final = tuple(
    Prepared(statement)
    for statement in (
        sa.delete(passport).where(passport.c.message.in_(_MESSAGES)),
        sa.delete(message_text).where(message_text.c.message.in_(_MESSAGES)),
        sa.delete(message_listing).where(message_listing.c.message.in_(_MESSAGES)),
        sa.delete(placement).where(placement.c.mailbox.in_(_MAILBOXES)),
        sa.delete(message).where(message.c.account == _ACCOUNT),
        sa.delete(thread_link).where(thread_link.c.account == _ACCOUNT),
        sa.delete(mailbox_keyword).where(mailbox_keyword.c.mailbox.in_(_MAILBOXES)),
        sa.delete(keyword_set).where(keyword_set.c.account == _ACCOUNT),
        sa.delete(keyword).where(keyword.c.account == _ACCOUNT),
        sa.delete(subscription).where(subscription.c.account == _ACCOUNT),
        sa.delete(mailbox).where(mailbox.c.account == _ACCOUNT),
    )
)


def remove_holdings(tx: SqlTx, contents: ContentRepository, account: AccountId) -> None:
    """Remove the account's mailboxes, messages and what hangs on them, in one write."""
    for content, count in _CONTENTS.rows(tx, account=account):
        contents.release(ContentId(content), count)
    for removal in _REMOVALS:
        removal.run(tx, account=account)
