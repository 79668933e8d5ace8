"""Keyword sets: which keywords messages have, how they are spelled, how many a mailbox bears.

Every different set of keywords in an account is one row, so that a placement carries a
number.  Names compare without case; in an account the first spelling wins.  A mailbox may
hold KEYWORDS_A_MAILBOX different keywords, system flags not counted: what it was given is
remembered in mailbox_keyword, and counted anew from its messages when that is full.
"""

import json
from collections.abc import Collection, Iterable, Mapping
from typing import Final

import sqlalchemy as sa

from mailbox_server.model.errors import TooManyKeywords
from mailbox_server.model.ids import AccountId, MailboxId
from mailbox_server.model.keywords import KEYWORDS_A_MAILBOX, SEEN
from mailbox_server.store.prepared import Prepared
from mailbox_server.store.schema.mailboxes import keyword, keyword_set, mailbox_keyword
from mailbox_server.store.schema.messages import placement
from mailbox_server.store.transactions import SqlTx

EMPTY_SET: Final = 0

_GET: Final = Prepared(
    sa.select(keyword_set.c.id, keyword_set.c.names).where(
        keyword_set.c.id == sa.bindparam("number"),
        keyword_set.c.account == sa.bindparam("account"),
    )
)
_FIND: Final = Prepared(
    sa.select(keyword_set.c.id).where(
        keyword_set.c.account == sa.bindparam("account"),
        keyword_set.c.names == sa.bindparam("names"),
    )
)
_ADD: Final = Prepared(
    sa.insert(keyword_set)
    .values(account=sa.bindparam("account"), names=sa.bindparam("names"), seen=sa.bindparam("seen"))
    .returning(keyword_set.c.id)
)
_SPELLING: Final = Prepared(
    sa.select(keyword.c.name).where(
        keyword.c.account == sa.bindparam("account"), keyword.c.key == sa.bindparam("key")
    )
)
_ADD_SPELLING: Final = Prepared(
    sa.insert(keyword).values(
        account=sa.bindparam("account"), key=sa.bindparam("key"), name=sa.bindparam("name")
    )
)
_ADMITTED: Final = Prepared(
    sa.select(mailbox_keyword.c.key).where(mailbox_keyword.c.mailbox == sa.bindparam("mailbox"))
)
_ADMIT: Final = Prepared(
    sa.insert(mailbox_keyword).values(mailbox=sa.bindparam("mailbox"), key=sa.bindparam("key"))
)
_EXPEL: Final = Prepared(
    sa.delete(mailbox_keyword).where(
        mailbox_keyword.c.mailbox == sa.bindparam("mailbox"),
        mailbox_keyword.c.key == sa.bindparam("key"),
    )
)
_NAMES_IN_MAILBOX: Final = Prepared(
    sa.select(keyword_set.c.names).where(
        keyword_set.c.id.in_(
            sa.select(placement.c.keyword_set).where(
                placement.c.mailbox == sa.bindparam("mailbox"),
                placement.c.expunged_at.is_(None),
            )
        )
    )
)


def _is_system(name: str) -> bool:
    return name.startswith("\\")


def keys_of(names: Iterable[str]) -> set[str]:
    """What keywords are compared by; system flags are left out."""
    return {name.lower() for name in names if not _is_system(name)}


def names_of(tx: SqlTx, account: AccountId, ids: Collection[int]) -> dict[int, frozenset[str]]:
    """The keywords of each keyword set; ids that are not the account's are left out."""
    wanted = set(ids)
    found = {EMPTY_SET: frozenset[str]()} if EMPTY_SET in wanted else {}
    wanted.discard(EMPTY_SET)
    rows = _GET.rows_each(tx, [{"number": number, "account": account} for number in wanted])
    found.update((number, frozenset(json.loads(names))) for number, names in rows)
    return found


def seen_in(tx: SqlTx, account: AccountId, ids: Collection[int]) -> frozenset[int]:
    """Those of the keyword sets that hold \\Seen."""
    return frozenset(
        number for number, names in names_of(tx, account, ids).items() if SEEN in names
    )


def spelled(tx: SqlTx, account: AccountId, names: Iterable[str]) -> frozenset[str]:
    """The names as the account spells them; new ones keep the spelling they come in."""
    chosen: dict[str, str] = {}
    for name in sorted(names):
        key = name.lower()
        if key in chosen:
            continue
        if _is_system(name):
            chosen[key] = name
            continue
        row = _SPELLING.row(tx, account=account, key=key)
        if row is None:
            _ADD_SPELLING.run(tx, account=account, key=key, name=name)
        chosen[key] = name if row is None else row[0]
    return frozenset(chosen.values())


def interned(tx: SqlTx, account: AccountId, names: Collection[str]) -> int:
    """The id of the set of these names, which are spelled as the account does."""
    if not names:
        return EMPTY_SET
    text = json.dumps(sorted(names), separators=(",", ":"))
    row = _FIND.row(tx, account=account, names=text)
    if row is None:
        row = _ADD.row(tx, account=account, names=text, seen=int(SEEN in names))
    number: int = row[0]
    return number


def admit(tx: SqlTx, mailbox: MailboxId, keys: Collection[str]) -> None:
    """Note that messages in the mailbox get these keywords (keys_of).

    Raises TooManyKeywords.
    """
    if not keys:
        return
    admitted = {key for (key,) in _ADMITTED.rows(tx, mailbox=mailbox)}
    new = set(keys) - admitted
    if not new:
        return
    if len(admitted) + len(new) > KEYWORDS_A_MAILBOX:
        borne: set[str] = set()
        for (names,) in _NAMES_IN_MAILBOX.rows(tx, mailbox=mailbox):
            borne |= keys_of(json.loads(names))
        if len(borne | new) > KEYWORDS_A_MAILBOX:
            raise TooManyKeywords(f"a mailbox may hold {KEYWORDS_A_MAILBOX} keywords")
        _EXPEL.run_each(
            tx, [{"mailbox": mailbox, "key": key} for key in sorted(admitted - borne - new)]
        )
        new -= admitted
    _ADMIT.run_each(tx, [{"mailbox": mailbox, "key": key} for key in sorted(new)])


def keys_by_set(names: Mapping[int, frozenset[str]]) -> set[str]:
    """All keywords of several sets, as admit takes them."""
    return keys_of(name for each in names.values() for name in each)
