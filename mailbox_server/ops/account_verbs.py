"""What an operator may do with accounts, each found by the address that names it."""

import asyncio

from mailbox_server.auth.passwords import Passwords
from mailbox_server.model.account import Account, AccountState
from mailbox_server.model.address import Address, Domain
from mailbox_server.model.errors import AccountMissing, BadInput
from mailbox_server.model.ports import Clock
from mailbox_server.ops import requests
from mailbox_server.ops.request_roots import instant
from mailbox_server.ops.rows import AccountRow, AnyRow
from mailbox_server.store.ports import ReadTx, Store, WriteTx


def account_of(tx: ReadTx, text: str) -> Account:
    """The account of that address.  Raises AccountMissing, AddressMalformed."""
    account = tx.accounts.find(Address.parse(text))
    if account is None:
        raise AccountMissing(f"no account {text}")
    return account


async def add(
    store: Store, clock: Clock, passwords: Passwords, asked: requests.AccountAdd
) -> list[AnyRow]:
    """Raises AddressMalformed, BadInput, DomainMissing, AccountExists, AliasExists."""
    address, quota = Address.parse(asked.address), _quota(asked.quota_octets)
    credentials = None
    if asked.password is not None:
        credentials = await asyncio.to_thread(passwords.credentials, _password(asked.password))
    now = clock.now()
    await store.write(lambda tx: tx.accounts.add(address, credentials, quota, now))
    return [await store.read(lambda tx: _row(tx, account_of(tx, asked.address)))]


async def list_all(store: Store, asked: requests.AccountList) -> list[AnyRow]:
    """The accounts of one domain, or all.  Raises DomainMalformed."""
    domain = None if asked.domain is None else Domain.parse(asked.domain)
    return await store.read(lambda tx: [_row(tx, account) for account in tx.accounts.all(domain)])


async def set_password(
    store: Store, passwords: Passwords, asked: requests.AccountPassword
) -> list[AnyRow]:
    """Raises AccountMissing, AddressMalformed, BadInput."""
    await store.read(lambda tx: account_of(tx, asked.address))
    credentials = await asyncio.to_thread(passwords.credentials, _password(asked.password))
    await store.write(
        lambda tx: tx.accounts.set_credentials(account_of(tx, asked.address).id, credentials)
    )
    return []


async def set_quota(store: Store, asked: requests.AccountQuota) -> list[AnyRow]:
    """Raises AccountMissing, AddressMalformed, BadInput."""
    quota = _quota(asked.quota_octets)
    await store.write(lambda tx: tx.accounts.set_quota(account_of(tx, asked.address).id, quota))
    return []


async def change(store: Store, asked: requests.AccountSet) -> list[AnyRow]:
    """Set all that is not None in one write.  Raises AccountMissing, AddressMalformed, BadInput."""
    octets = None if asked.quota_octets is None else _quota(asked.quota_octets)
    messages = None if asked.quota_messages is None else _message_quota(asked.quota_messages)

    def work(tx: WriteTx) -> AccountRow:
        number = account_of(tx, asked.address).id
        if octets is not None:
            tx.accounts.set_quota(number, octets)
        if messages is not None:
            tx.accounts.set_message_quota(number, messages)
        if asked.is_administrator is not None:
            tx.accounts.set_administrator(number, is_administrator=asked.is_administrator)
        if asked.is_shared is not None:
            tx.accounts.set_shared(number, is_shared=asked.is_shared)
        return _row(tx, account_of(tx, asked.address))

    return [await store.write(work)]


async def disable(store: Store, asked: requests.AccountDisable) -> list[AnyRow]:
    """Stop or allow logins.  Raises AccountMissing, AddressMalformed."""
    state = AccountState.DISABLED if asked.disabled else AccountState.ACTIVE
    await store.write(lambda tx: tx.accounts.set_state(account_of(tx, asked.address).id, state))
    return []


async def remove(store: Store, asked: requests.AccountRemove) -> list[AnyRow]:
    """Remove an account with its mail.  Raises AccountMissing, AddressMalformed."""
    await store.write(lambda tx: tx.accounts.remove(account_of(tx, asked.address).id))
    return []


def _quota(octets: int) -> int:
    if not 0 <= octets < 1 << 62:
        raise BadInput("the quota is a number of octets from 0 (unlimited)")
    return octets


def _message_quota(messages: int) -> int:
    if not 0 <= messages < 1 << 62:
        raise BadInput("the quota is a number of messages from 0 (unlimited)")
    return messages


def _password(text: str) -> str:
    if not text:
        raise BadInput("the password is empty")
    if len(text.encode("utf-8", "surrogatepass")) > 1024:
        raise BadInput("the password is longer than 1,024 octets")
    return text


def _row(tx: ReadTx, account: Account) -> AccountRow:
    usage = tx.accounts.usage(account.id)
    return AccountRow(
        str(account.address),
        account.state.value,
        usage.messages,
        usage.octets,
        account.quota_octets,
        instant(account.created) or "",
        account.quota_messages,
        account.is_administrator,
        account.is_shared,
    )
