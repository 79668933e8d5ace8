"""By what a passport is found: the Message-ID, the addresses it names, the account.

A key is a digest of eight octets; two that collide by chance only show a stranger's message
to the operator, who may see it anyway.
"""

from collections.abc import Sequence
from hashlib import blake2b
from typing import Final

import sqlalchemy as sa

from mailbox_server.mime.address_list import read_addresses
from mailbox_server.mime.header_fields import HeaderFields
from mailbox_server.mime.references import message_id
from mailbox_server.model.address import Address
from mailbox_server.model.errors import BadInput
from mailbox_server.model.ids import AccountId, MessageId
from mailbox_server.model.passport import Evidence
from mailbox_server.store.dialect.sqlite import octets
from mailbox_server.store.passports import evidence_in
from mailbox_server.store.ports import Followed
from mailbox_server.store.prepared import Prepared
from mailbox_server.store.schema.messages import message, message_listing, passport
from mailbox_server.store.schema.trail import trail, trail_end
from mailbox_server.store.transactions import SqlTx

KEYS: Final = 100
"""Of one message."""
AUTHORS: Final = 10
"""Addresses of From that are looked at."""
_AUTHOR_OCTETS: Final = 4_096
_STEP: Final = 200
_BROUGHT: Final = frozenset(("receive", "submit", "route", "deliver", "report"))
"""How the stamps begin of messages that an account did not put into its mailbox itself."""
_NEWEST: Final = (1 << 63) - 1

_END: Final = Prepared(sa.select(trail_end.c.message))
_NEXT: Final = Prepared(
    sa.select(
        message.c.id, message.c.account, message_listing.c.listed, octets(passport.c.evidence)
    )
    .outerjoin_from(message, message_listing, message_listing.c.message == message.c.id)
    .outerjoin(passport, passport.c.message == message.c.id)
    .where(message.c.id > sa.bindparam("after"))
    .order_by(message.c.id)
    .limit(sa.bindparam("most"))
)
_STILL_THERE: Final = Prepared(
    sa.select(message.c.id).where(
        message.c.id > sa.bindparam("after"), message.c.id <= sa.bindparam("upto")
    )
)
_ADD: Final = Prepared(
    sa.insert(trail).values(key=sa.bindparam("key"), message=sa.bindparam("message"))
)
_DROP_END: Final = Prepared(sa.delete(trail_end))
_ADD_END: Final = Prepared(sa.insert(trail_end).values(message=sa.bindparam("message")))
_FOUND: Final = Prepared(
    sa.select(trail.c.message)
    .where(trail.c.key == sa.bindparam("key"), trail.c.message < sa.bindparam("before"))
    .order_by(trail.c.message.desc())
    .limit(sa.bindparam("most"))
)


class Trail:
    """TrailWriter on rows."""

    __slots__ = ("_tx",)

    def __init__(self, tx: SqlTx) -> None:
        self._tx = tx

    def named(self, message_id: str, before: MessageId | None, most: int) -> list[MessageId]:
        """Messages of that Message-ID, without its brackets, newest first, below before."""
        return self._found(_id_key(message_id), before, most)

    def with_address(
        self, address: Address, before: MessageId | None, most: int
    ) -> list[MessageId]:
        """Messages that came from or for that address, newest first, below before."""
        return self._found(_address_key(address), before, most)

    def of_account(
        self, account: AccountId, before: MessageId | None, most: int
    ) -> list[MessageId]:
        """Messages that arrived for that account, newest first, below before."""
        return self._found(_account_key(account), before, most)

    def next_step(self) -> Followed | None:
        """What is to be put in next; None where it has caught up."""
        after = self._end()
        rows = _NEXT.rows(self._tx, after=after, most=_STEP)
        if not rows:
            return None
        found = [
            (key, number)
            for number, account, listed, lines in rows
            for key in keys_of(account, listed, evidence_in(lines or b""))
        ]
        return Followed(after, rows[-1][0], tuple(sorted(found)))

    def follow(self, followed: Followed) -> None:
        """Put in what next_step found, unless somebody else has."""
        if self._end() != followed.after:
            return
        tx = self._tx
        there = {row[0] for row in _STILL_THERE.rows(tx, after=followed.after, upto=followed.upto)}
        values = [
            {"key": key, "message": number} for key, number in followed.keys if number in there
        ]
        _ADD.run_each(tx, values)
        _DROP_END.run(tx)
        _ADD_END.run(tx, message=followed.upto)

    def _end(self) -> int:
        row = _END.row(self._tx)
        return 0 if row is None else int(row[0])

    def _found(self, key: int, before: MessageId | None, most: int) -> list[MessageId]:
        rows = _FOUND.rows(self._tx, key=key, before=before or _NEWEST, most=most)
        return [MessageId(number) for (number,) in rows]


def keys_of(account: int, listed: bytes | None, evidence: Sequence[Evidence]) -> list[int]:
    """At most KEYS.

    listed: the fields that clients list by, None where they were too many to keep; such a
    message is found by its passport alone.
    """
    fields = HeaderFields(listed or b"")
    found: dict[int, None] = {}
    named = message_id(fields.first(b"message-id"))
    if named is not None:
        found[_id_key(named)] = None
    authors = read_addresses((fields.first(b"from") or b"")[:_AUTHOR_OCTETS])
    texts = [
        (each.mailbox + b"@" + each.host).decode("utf-8", "replace")
        for each in authors[:AUTHORS]
        if each.mailbox and each.host
    ]
    for stamp in evidence:
        facts = dict(stamp.facts)
        if stamp.stage.partition(".")[0] in _BROUGHT:
            found[_account_key(account)] = None
        texts.append(facts.get("reverse-path", "").removeprefix("<").removesuffix(">"))
        recipient, detail = facts.get("recipient", ""), facts.get("detail")
        texts.append(recipient)
        if detail is not None:
            # Without the detail and the separator before it.
            local, _, domain = recipient.rpartition("@")
            texts.append(f"{local[: -len(detail) - 1]}@{domain}")
    for text in dict.fromkeys(texts):
        if len(found) == KEYS:
            break
        try:
            found[_address_key(Address.parse(text))] = None
        except BadInput:
            continue
    return list(found)


def _id_key(named: str) -> int:
    return _digest(f"i{named}")


def _address_key(address: Address) -> int:
    return _digest(f"a{address.key}")


def _account_key(account: int) -> int:
    return _digest(f"c{account}")


def _digest(text: str) -> int:
    octets = blake2b(text.encode("utf-8", "replace"), digest_size=8).digest()
    return int.from_bytes(octets, "big", signed=True)
