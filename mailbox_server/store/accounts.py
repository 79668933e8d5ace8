"""Accounts in rows.

UIDVALIDITY is drawn from a counter of the account, so that a mailbox deleted and created
again under its name gets a higher one however fast that happens (RFC 9051 §2.3.1.1).  The
counter starts at the second the account was opened, or where the counters of accounts
removed since had come to, whichever is higher: an address that is opened again never shows
a UIDVALIDITY that it showed before.
"""

from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

import sqlalchemy as sa

from mailbox_server.model.account import Account, AccountState, Credentials, ScramKeys, Usage
from mailbox_server.model.address import Address, Domain
from mailbox_server.model.errors import AccountMissing
from mailbox_server.model.ids import AccountId, ModSeq
from mailbox_server.model.mailbox import DEFAULT_MAILBOXES
from mailbox_server.store.aliases import refuse_taken
from mailbox_server.store.domains import domain_id
from mailbox_server.store.mailboxes import Mailboxes
from mailbox_server.store.prepared import Prepared
from mailbox_server.store.schema.accounts import (
    account,
    domain,
    known_network,
    token,
    uid_validity_floor,
)
from mailbox_server.store.schema.held_messages import held_message
from mailbox_server.store.schema.mailboxes import mailbox
from mailbox_server.store.schema.sending import correspondent, sending
from mailbox_server.store.transactions import SqlTx

# A removed account is found by nobody, though its row stays until it is purged.
_ID: Final = sa.and_(account.c.id == sa.bindparam("number"), account.c.key.is_not(None))
_COLUMNS: Final = sa.select(
    account.c.id,
    account.c.address,
    account.c.state,
    account.c.quota_octets,
    account.c.created,
    account.c.quota_messages,
    account.c.is_administrator,
    account.c.is_shared,
)
_ALL: Final = Prepared(_COLUMNS.where(account.c.key.is_not(None)).order_by(account.c.key))
_OF_DOMAIN: Final = Prepared(
    _COLUMNS.join_from(account, domain, domain.c.id == account.c.domain)
    .where(domain.c.name == sa.bindparam("name"))
    .order_by(account.c.key)
)
# The index of `domain` ends with the id, so that neither has to sort.
_OLDEST: Final = Prepared(
    _COLUMNS.where(account.c.key.is_not(None)).order_by(account.c.id).limit(sa.literal_column("1"))
)
_OLDEST_OF_DOMAIN: Final = Prepared(
    _COLUMNS.where(
        account.c.domain
        == sa.select(domain.c.id).where(domain.c.name == sa.bindparam("name")).scalar_subquery(),
        account.c.key.is_not(None),
    )
    .order_by(account.c.id)
    .limit(sa.literal_column("1"))
)
_FIND: Final = Prepared(_COLUMNS.where(account.c.key == sa.bindparam("key")))
_GET: Final = Prepared(_COLUMNS.where(_ID))
_CREDENTIALS: Final = Prepared(
    sa.select(
        account.c.password_hash,
        account.c.scram_salt,
        account.c.scram_iterations,
        account.c.scram_stored_key,
        account.c.scram_server_key,
    ).where(_ID)
)
_USAGE: Final = Prepared(sa.select(account.c.octets, account.c.messages).where(_ID))
_MODSEQ: Final = Prepared(sa.select(account.c.modseq).where(_ID))

_PROOF: Final = (
    "password_hash",
    "scram_salt",
    "scram_iterations",
    "scram_stored_key",
    "scram_server_key",
)
_OPENED: Final = (
    "domain",
    "address",
    "key",
    "state",
    "quota_octets",
    "created",
    "modseq",
    "forgotten_at",
    "octets",
    "messages",
    "uid_validity_next",
    *_PROOF,
)
_ADD: Final = (
    sa.insert(account)
    .values({name: sa.bindparam(name) for name in _OPENED})
    .returning(account.c.id)
)
_SET_CREDENTIALS: Final = (
    sa.update(account).where(_ID).values({name: sa.bindparam(name) for name in _PROOF})
)
_SET_QUOTA: Final = sa.update(account).where(_ID).values(quota_octets=sa.bindparam("most"))
_SET_MESSAGE_QUOTA: Final = (
    sa.update(account).where(_ID).values(quota_messages=sa.bindparam("most"))
)
_SET_ADMINISTRATOR: Final = (
    sa.update(account).where(_ID).values(is_administrator=sa.bindparam("is_one"))
)
_SET_SHARED: Final = sa.update(account).where(_ID).values(is_shared=sa.bindparam("is_one"))
_SET_STATE: Final = sa.update(account).where(_ID).values(state=sa.bindparam("word"))

_FLOOR: Final = Prepared(sa.select(uid_validity_floor.c.next))
_REACHED: Final = Prepared(sa.select(account.c.uid_validity_next).where(_ID))
_FORGET_FLOOR: Final = sa.delete(uid_validity_floor)
_SET_FLOOR: Final = sa.insert(uid_validity_floor)
_HIDE: Final = (
    sa.update(mailbox)
    .where(mailbox.c.account == sa.bindparam("number"), mailbox.c.destroyed_at.is_(None))
    .values(
        destroyed_at=sa.bindparam("modseq"),
        destroyed_on=sa.bindparam("now"),
        highest_modseq=sa.bindparam("modseq"),
    )
)
_REMOVE_CORRESPONDENTS: Final = sa.delete(correspondent).where(
    correspondent.c.account == sa.bindparam("number")
)
_REMOVE_SENDINGS: Final = sa.delete(sending).where(sending.c.account == sa.bindparam("number"))
_REMOVE_HELD: Final = sa.delete(held_message).where(
    held_message.c.account == sa.bindparam("number")
)
_REMOVE_NETWORKS: Final = sa.delete(known_network).where(
    known_network.c.account == sa.bindparam("number")
)
_REMOVE_TOKENS: Final = sa.delete(token).where(token.c.account == sa.bindparam("number"))
_REMOVE: Final = (
    sa.update(account)
    .where(account.c.id == sa.bindparam("number"))
    .values(
        {name: sa.null() for name in ("domain", "key", *_PROOF)}
        | {"address": "", "state": AccountState.DISABLED.value}
    )
)


@lru_cache(maxsize=4_096)
def _address(text: str) -> Address:
    """Parsing costs more than finding the row."""
    return Address.parse(text)


def _account(row: Any) -> Account:
    number, address, state, quota_octets, created, quota_messages, is_administrator, is_shared = row
    return Account(
        AccountId(number),
        _address(address),
        AccountState(state),
        quota_octets,
        datetime.fromtimestamp(created, UTC),
        quota_messages,
        bool(is_administrator),
        bool(is_shared),
    )


def _proof(credentials: Credentials | None) -> dict[str, str | bytes | int | None]:
    if credentials is None:
        return dict.fromkeys(_PROOF)
    scram = credentials.scram
    return {
        "password_hash": credentials.password_hash,
        "scram_salt": None if scram is None else scram.salt,
        "scram_iterations": None if scram is None else scram.iterations,
        "scram_stored_key": None if scram is None else scram.stored_key,
        "scram_server_key": None if scram is None else scram.server_key,
    }


class Accounts:
    """AccountWriter on rows."""

    __slots__ = ("_tx",)

    def __init__(self, tx: SqlTx) -> None:
        self._tx = tx

    def find(self, address: Address) -> Account | None:
        """The account of that address, or None."""
        row = _FIND.row(self._tx, key=address.key)
        return None if row is None else _account(row)

    def get(self, account: AccountId) -> Account | None:
        """The account of that id, or None when it was removed."""
        row = _GET.row(self._tx, number=account)
        return None if row is None else _account(row)

    def all(self, domain: Domain | None = None) -> list[Account]:
        """Accounts by address."""
        if domain is None:
            return [_account(row) for row in _ALL.rows(self._tx)]
        return [_account(row) for row in _OF_DOMAIN.rows(self._tx, name=domain.ascii)]

    def oldest(self, domain: Domain | None = None) -> Account | None:
        """The account that was opened first, or None; a point query."""
        if domain is None:
            row = _OLDEST.row(self._tx)
        else:
            row = _OLDEST_OF_DOMAIN.row(self._tx, name=domain.ascii)
        return None if row is None else _account(row)

    def credentials(self, account: AccountId) -> Credentials | None:
        """The stored proof of the password; None where it has none."""
        row = _CREDENTIALS.row(self._tx, number=account)
        if row is None or row[0] is None:
            return None
        password_hash, salt, iterations, stored_key, server_key = row
        scram = None if salt is None else ScramKeys(salt, iterations, stored_key, server_key)
        return Credentials(password_hash, scram)

    def usage(self, account: AccountId) -> Usage:
        """What the account holds; one row, not a count.  Raises AccountMissing."""
        row = _USAGE.row(self._tx, number=account)
        if row is None:
            raise AccountMissing("there is no such account")
        return Usage(*row)

    def modseq(self, account: AccountId) -> ModSeq:
        """The account's present modseq.  Raises AccountMissing."""
        row = _MODSEQ.row(self._tx, number=account)
        if row is None:
            raise AccountMissing("there is no such account")
        return ModSeq(row[0])

    def add(
        self, address: Address, credentials: Credentials | None, quota_octets: int, now: datetime
    ) -> Account:
        """Open an account with the default mailboxes, subscribed.

        Raises DomainMissing, AccountExists, AliasExists.
        """
        host = domain_id(self._tx, address.domain)
        refuse_taken(self._tx, address)
        created = int(now.timestamp())
        floor = _FLOOR.row(self._tx)
        values = {
            "domain": host,
            "address": str(address),
            "key": address.key,
            "state": AccountState.ACTIVE.value,
            "quota_octets": quota_octets,
            "created": created,
            "modseq": 0,
            "forgotten_at": 0,
            "octets": 0,
            "messages": 0,
            "uid_validity_next": max(created, 1, 0 if floor is None else floor[0]),
            **_proof(credentials),
        }
        self._tx.change_owners()
        ((number,),) = self._tx.rows(_ADD, values)
        mailboxes = Mailboxes(self._tx)
        for name, role in DEFAULT_MAILBOXES:
            mailboxes.subscribe(number, name)
            mailboxes.create(number, name, role)
        return _account(
            (number, str(address), AccountState.ACTIVE.value, quota_octets, created, 0, 0, 0)
        )

    def set_credentials(self, account: AccountId, credentials: Credentials) -> None:
        """Replace the password's proof.  Raises AccountMissing."""
        self._tx.touch(account)  # wakes its sessions, which look at their login anew
        self._change(_SET_CREDENTIALS, {"number": account, **_proof(credentials)})

    def set_quota(self, account: AccountId, quota_octets: int) -> None:
        """0 is unlimited.  Raises AccountMissing."""
        self._change(_SET_QUOTA, {"number": account, "most": quota_octets})

    def set_message_quota(self, account: AccountId, messages: int) -> None:
        """How many messages it may hold; 0 is unlimited.  Raises AccountMissing."""
        self._change(_SET_MESSAGE_QUOTA, {"number": account, "most": messages})

    def set_administrator(self, account: AccountId, *, is_administrator: bool) -> None:
        """Whether it may set every account's quota.  Raises AccountMissing."""
        self._tx.touch(account)  # wakes its sessions, which look at their login anew
        self._change(_SET_ADMINISTRATOR, {"number": account, "is_one": int(is_administrator)})

    def set_shared(self, account: AccountId, *, is_shared: bool) -> None:
        """Whether it is of several people.  Raises AccountMissing."""
        self._tx.touch(account)  # wakes its sessions, which look at their login anew
        self._change(_SET_SHARED, {"number": account, "is_one": int(is_shared)})

    def set_state(self, account: AccountId, state: AccountState) -> None:
        """Enable or disable logins.  Raises AccountMissing."""
        self._tx.touch(account)  # wakes its sessions, which look at their login anew
        self._change(_SET_STATE, {"number": account, "word": state.value})

    def _change(self, statement: sa.Update, values: dict[str, Any]) -> None:
        self._tx.change_owners()
        if not self._tx.connection.execute(statement, values).rowcount:
            raise AccountMissing("there is no such account")

    def remove(self, account: AccountId) -> None:
        """Remove the account: from now on nobody finds it or anything it holds.

        purge_removed deletes its rows in steps.  Raises AccountMissing.
        """
        tx = self._tx
        tx.frees()
        modseq = tx.touch(account)  # wakes its sessions
        (reached,) = _REACHED.row(tx, number=account)
        floor = _FLOOR.row(tx)
        tx.change_owners()
        tx.connection.execute(_FORGET_FLOOR)
        tx.connection.execute(
            _SET_FLOOR, {"id": 1, "next": max(reached, 0 if floor is None else floor[0])}
        )
        tx.connection.execute(_HIDE, {"number": account, "now": tx.now, "modseq": modseq})
        tx.connection.execute(_REMOVE_TOKENS, {"number": account})
        for statement in (
            _REMOVE_NETWORKS,
            _REMOVE_CORRESPONDENTS,
            _REMOVE_SENDINGS,
            _REMOVE_HELD,
        ):
            tx.connection.execute(statement, {"number": account})
        tx.connection.execute(_REMOVE, {"number": account})
