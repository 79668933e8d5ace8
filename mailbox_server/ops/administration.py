"""Do what an operator asks: one function a request, all through the store's door.

The same functions serve the control socket of a running server and a verb that holds the
data folder itself.  Domain errors come back as Failure with the error's name; what we did
not foresee leaves as an exception, for the caller to log.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from mailbox_server.auth.passwords import Passwords
from mailbox_server.checks.dkim.key_keeper import make_pair
from mailbox_server.model.account import Account, AccountState, Alias, HostedDomain
from mailbox_server.model.address import Address, Domain
from mailbox_server.model.dkim_key import KeyState
from mailbox_server.model.errors import (
    AccountMissing,
    AliasMissing,
    BadInput,
    MailboxServerFault,
    Unavailable,
)
from mailbox_server.model.ids import mailbox_object_id
from mailbox_server.model.ports import Clock, Entropy
from mailbox_server.ops import (
    bounce_verbs,
    certificate_verbs,
    domain_verbs,
    message_verbs,
    queue_requests,
    queue_verbs,
    reindexing,
    requests,
    sharing_verbs,
    stories,
    story_requests,
    token_verbs,
    tracing,
)
from mailbox_server.ops.domain_verbs import Publication
from mailbox_server.ops.targets import (
    missing,
    refuse_brackets,
    refuse_elsewhere,
    refuse_loop,
)
from mailbox_server.store.attached_text.catching_up import AttachedTexts
from mailbox_server.store.dialect.trouble import reason_of
from mailbox_server.store.integrity import violations
from mailbox_server.store.ports import ReadTx, Store, WriteTx
from mailbox_server.store.scrub import damaged_contents
from mailbox_server.store.search_index.catching_up import SearchIndexer

Stream = AsyncIterator[bytes]


@dataclass(frozen=True, slots=True)
class Administration:
    """The operator's hands on the store.

    upload is the stream behind a request that carries octets; download is called with each
    block of a request that returns octets and may wait.

    make_reporter: gives who writes the reports that an operator's commands owe to senders.
    take_from_clients: has the handshakes of a running server take a certificate (DER).
    """

    store: Store
    passwords: Passwords
    clock: Clock
    entropy: Entropy
    indexer: SearchIndexer
    attached: AttachedTexts
    make_reporter: queue_verbs.MakeReporter
    publication: Publication
    take_from_clients: Callable[[bytes], None] | None = None

    async def perform(
        self,
        request: requests.Request,
        upload: Stream,
        download: Callable[[bytes], Awaitable[None]],
    ) -> requests.Answer:
        """Carry out one request."""
        try:
            if isinstance(request, requests.MessageImport):
                row = await message_verbs.import_message(self.store, self.clock, request, upload)
                return requests.Rows([row])
            if isinstance(request, requests.MessageRaw):
                await message_verbs.send_raw(self.store, request, download)
                return requests.Rows()
            if isinstance(request, requests.StoreReindex):
                return requests.Rows(
                    [await reindexing.reindex(self.indexer, self.attached, download)]
                )
            verb: Any = _VERBS[type(request)]
            return requests.Rows(await verb(self, request))
        except MailboxServerFault as fault:
            reason = reason_of(fault)
            sentence = f"{fault} ({reason})" if reason else str(fault)
            return requests.Failure(type(fault).__name__, sentence, isinstance(fault, Unavailable))


def account_of(tx: ReadTx, text: str) -> Account:
    """The account of that address.  Raises AccountMissing, AddressMalformed."""
    account = tx.accounts.find(Address.parse(text))
    if account is None:
        raise AccountMissing(f"no account {text}")
    return account


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


# ---------------------------------------------------------------- domains


def _domain_row(hosted: HostedDomain, unknown: Sequence[str] = ()) -> requests.DomainRow:
    return requests.DomainRow(
        hosted.domain.unicode,
        None if hosted.catch_all is None else str(hosted.catch_all),
        requests.instant(hosted.created) or "",
        list(unknown),
    )


async def _domain_add(self: Administration, asked: requests.DomainAdd) -> list[requests.AnyRow]:
    domain = Domain.parse(asked.domain)
    targets = [] if asked.catch_all is None else [Address.parse(asked.catch_all)]
    now = self.clock.now()
    keys = await asyncio.to_thread(make_pair, domain, now)

    def add(tx: WriteTx) -> requests.DomainRow:
        refuse_elsewhere(tx, targets, domain)
        unknown = missing(tx, targets)
        row = _domain_row(tx.domains.add(domain, next(iter(targets), None), now), unknown)
        for key in keys:
            tx.dkim_keys.add(key, KeyState.SIGNING, now)
        return row

    return [await self.store.write(add)]


async def _domain_catch_all(
    self: Administration, asked: requests.DomainCatchAll
) -> list[requests.AnyRow]:
    domain = Domain.parse(asked.domain)
    targets = [] if asked.catch_all is None else [Address.parse(asked.catch_all)]

    def change(tx: WriteTx) -> requests.DomainRow:
        refuse_elsewhere(tx, targets)
        # Asked while there is none: an old catch-all would catch the new one's address too.
        tx.domains.set_catch_all(domain, None)
        unknown = missing(tx, targets)
        tx.domains.set_catch_all(domain, next(iter(targets), None))
        found = tx.domains.find(domain)
        assert found is not None
        return _domain_row(found, unknown)

    return [await self.store.write(change)]


async def _domain_list(self: Administration, _: requests.DomainList) -> list[requests.AnyRow]:
    return [_domain_row(hosted) for hosted in await self.store.read(lambda tx: tx.domains.all())]


async def _domain_remove(
    self: Administration, asked: requests.DomainRemove
) -> list[requests.AnyRow]:
    domain = Domain.parse(asked.domain)
    await self.store.write(lambda tx: tx.domains.remove(domain))
    return []


async def _domain_keys(self: Administration, asked: requests.DomainKeys) -> list[requests.AnyRow]:
    return await domain_verbs.list_keys(self.store, asked)


async def _domain_rotate_keys(
    self: Administration, asked: requests.DomainRotateKeys
) -> list[requests.AnyRow]:
    return await domain_verbs.rotate_keys(self.store, self.clock, asked)


async def _domain_dns(self: Administration, asked: requests.DomainDns) -> list[requests.AnyRow]:
    return await domain_verbs.tell_records(self.store, self.publication, asked)


# ---------------------------------------------------------------- accounts


def _account_row(tx: ReadTx, account: Account) -> requests.AccountRow:
    usage = tx.accounts.usage(account.id)
    return requests.AccountRow(
        str(account.address),
        account.state.value,
        usage.messages,
        usage.octets,
        account.quota_octets,
        requests.instant(account.created) or "",
        account.quota_messages,
        account.is_administrator,
        account.is_shared,
    )


async def _account_add(self: Administration, asked: requests.AccountAdd) -> list[requests.AnyRow]:
    address, quota = Address.parse(asked.address), _quota(asked.quota_octets)
    credentials = None
    if asked.password is not None:
        credentials = await asyncio.to_thread(self.passwords.credentials, _password(asked.password))
    now = self.clock.now()
    await self.store.write(lambda tx: tx.accounts.add(address, credentials, quota, now))
    return [await self.store.read(lambda tx: _account_row(tx, account_of(tx, asked.address)))]


async def _account_list(self: Administration, asked: requests.AccountList) -> list[requests.AnyRow]:
    domain = None if asked.domain is None else Domain.parse(asked.domain)
    return await self.store.read(
        lambda tx: [_account_row(tx, account) for account in tx.accounts.all(domain)]
    )


async def _account_password(
    self: Administration, asked: requests.AccountPassword
) -> list[requests.AnyRow]:
    await self.store.read(lambda tx: account_of(tx, asked.address))
    credentials = await asyncio.to_thread(self.passwords.credentials, _password(asked.password))
    await self.store.write(
        lambda tx: tx.accounts.set_credentials(account_of(tx, asked.address).id, credentials)
    )
    return []


async def _account_quota(
    self: Administration, asked: requests.AccountQuota
) -> list[requests.AnyRow]:
    quota = _quota(asked.quota_octets)
    await self.store.write(
        lambda tx: tx.accounts.set_quota(account_of(tx, asked.address).id, quota)
    )
    return []


async def _account_set(self: Administration, asked: requests.AccountSet) -> list[requests.AnyRow]:
    octets = None if asked.quota_octets is None else _quota(asked.quota_octets)
    messages = None if asked.quota_messages is None else _message_quota(asked.quota_messages)

    def work(tx: WriteTx) -> requests.AccountRow:
        number = account_of(tx, asked.address).id
        if octets is not None:
            tx.accounts.set_quota(number, octets)
        if messages is not None:
            tx.accounts.set_message_quota(number, messages)
        if asked.is_administrator is not None:
            tx.accounts.set_administrator(number, is_administrator=asked.is_administrator)
        if asked.is_shared is not None:
            tx.accounts.set_shared(number, is_shared=asked.is_shared)
        return _account_row(tx, account_of(tx, asked.address))

    return [await self.store.write(work)]


async def _account_disable(
    self: Administration, asked: requests.AccountDisable
) -> list[requests.AnyRow]:
    state = AccountState.DISABLED if asked.disabled else AccountState.ACTIVE
    await self.store.write(
        lambda tx: tx.accounts.set_state(account_of(tx, asked.address).id, state)
    )
    return []


async def _account_remove(
    self: Administration, asked: requests.AccountRemove
) -> list[requests.AnyRow]:
    await self.store.write(lambda tx: tx.accounts.remove(account_of(tx, asked.address).id))
    return []


# ---------------------------------------------------------------- aliases


def _alias_row(alias: Alias, unknown: Sequence[str] = ()) -> requests.AliasRow:
    return requests.AliasRow(
        str(alias.address),
        [str(target) for target in alias.targets],
        requests.instant(alias.created) or "",
        list(unknown),
    )


async def _alias_add(self: Administration, asked: requests.AliasAdd) -> list[requests.AnyRow]:
    address = Address.parse(asked.address)
    targets = list(dict.fromkeys(Address.parse(target) for target in asked.targets))
    if not targets:
        raise BadInput("an alias needs at least one target")
    now = self.clock.now()

    def add(tx: WriteTx) -> requests.AliasRow:
        refuse_brackets(targets)
        refuse_loop(tx, address, targets)
        return _alias_row(tx.aliases.add(address, targets, now), missing(tx, targets))

    return [await self.store.write(add)]


async def _alias_list(self: Administration, asked: requests.AliasList) -> list[requests.AnyRow]:
    domain = None if asked.domain is None else Domain.parse(asked.domain)
    return [_alias_row(a) for a in await self.store.read(lambda tx: tx.aliases.all(domain))]


async def _alias_remove(self: Administration, asked: requests.AliasRemove) -> list[requests.AnyRow]:
    address = Address.parse(asked.address)

    def remove(tx: WriteTx) -> None:
        alias = tx.aliases.find(address)
        if alias is None:
            raise AliasMissing(f"no alias {address}")
        tx.aliases.remove(alias.id)

    await self.store.write(remove)
    return []


# ---------------------------------------------------------------- mailboxes and messages


async def _mailbox_list(self: Administration, asked: requests.MailboxList) -> list[requests.AnyRow]:
    def rows(tx: ReadTx) -> list[requests.AnyRow]:
        found: list[requests.AnyRow] = []
        for mailbox in tx.mailboxes.all(account_of(tx, asked.address).id):
            status = tx.mailboxes.status(mailbox.id, counts_recent=False)
            found.append(
                requests.MailboxRow(
                    mailbox_object_id(mailbox.id),
                    mailbox.name,
                    mailbox.role.value.lower() if mailbox.role else None,
                    status.messages,
                    status.unseen,
                    status.octets,
                    mailbox.uid_next,
                    mailbox.subscribed,
                )
            )
        return found

    return await self.store.read(rows)


async def _mailbox_rights(
    self: Administration, asked: requests.MailboxRights
) -> list[requests.AnyRow]:
    return [*await sharing_verbs.list_rights(self.store, asked)]


async def _mailbox_share(
    self: Administration, asked: requests.MailboxShare
) -> list[requests.AnyRow]:
    return [*await sharing_verbs.share(self.store, asked)]


async def _message_list(self: Administration, asked: requests.MessageList) -> list[requests.AnyRow]:
    return await message_verbs.list_messages(self.store, asked)


async def _message_show(self: Administration, asked: requests.MessageShow) -> list[requests.AnyRow]:
    return [await message_verbs.show_message(self.store, asked)]


async def _message_story(
    self: Administration, asked: story_requests.MessageStory
) -> list[requests.AnyRow]:
    return [await self.store.read(lambda tx: stories.story_of(tx, asked.id))]


async def _message_trace(
    self: Administration, asked: story_requests.MessageTrace
) -> list[requests.AnyRow]:
    return [*await tracing.find(self.store, self.clock, asked)]


# ---------------------------------------------------------------- the queue


async def _queue_list(
    self: Administration, asked: queue_requests.QueueList
) -> list[requests.AnyRow]:
    return [*await queue_verbs.list_queue(self.store, self.clock, asked)]


async def _queue_change(
    self: Administration, asked: queue_requests.QueueChange
) -> list[requests.AnyRow]:
    return [await queue_verbs.change_queue(self.store, self.clock, self.make_reporter, asked)]


# ---------------------------------------------------------------- tokens and the store


async def _token_add(self: Administration, asked: requests.TokenAdd) -> list[requests.AnyRow]:
    return await token_verbs.add(self.store, self.clock, self.entropy, account_of, asked)


async def _token_list(self: Administration, asked: requests.TokenList) -> list[requests.AnyRow]:
    return await token_verbs.list_all(self.store, account_of, asked)


async def _token_revoke(self: Administration, asked: requests.TokenRevoke) -> list[requests.AnyRow]:
    return await token_verbs.revoke(self.store, account_of, asked)


async def _certificate_add(
    self: Administration, asked: requests.CertificateAdd
) -> list[requests.AnyRow]:
    token_verbs.check_name(asked.name)
    scope = token_verbs.read_scope(asked.scope)
    row, octets = await certificate_verbs.add(self.store, self.clock, account_of, asked, scope)
    if self.take_from_clients is not None:
        self.take_from_clients(octets)
    return [row]


async def _certificate_list(
    self: Administration, asked: requests.CertificateList
) -> list[requests.AnyRow]:
    return await certificate_verbs.list_all(self.store, account_of, asked)


async def _certificate_remove(
    self: Administration, asked: requests.CertificateRemove
) -> list[requests.AnyRow]:
    return await certificate_verbs.remove(self.store, account_of, asked)


async def _bounces_list(self: Administration, asked: requests.BouncesList) -> list[requests.AnyRow]:
    return await bounce_verbs.list_all(self.store, asked)


async def _bounces_clear(
    self: Administration, asked: requests.BouncesClear
) -> list[requests.AnyRow]:
    return await bounce_verbs.clear(self.store, asked)


async def _store_check(self: Administration, asked: requests.StoreCheck) -> list[requests.AnyRow]:
    found: list[requests.AnyRow] = [
        requests.FindingRow(violation.invariant, violation.row)
        for violation in await violations(self.store)
    ]
    if asked.deep:
        async for content in damaged_contents(self.store):
            found.append(requests.FindingRow("contents match their digests", f"content {content}"))
    sampled = await self.indexer.sample(self.entropy)
    for trial in sampled.wrong:
        detail = f"message {trial.message}, {trial.criterion.scope.value}"
        found.append(requests.FindingRow("the search index finds what a scan finds", detail))
    tried, missed = await self.attached.sample(self.entropy)
    if missed:
        detail = f"{missed} of {tried} were not"
        found.append(requests.FindingRow("what is in attached documents is found", detail))
    return found


async def _store_status(self: Administration, _: requests.StoreStatus) -> list[requests.AnyRow]:
    return [reindexing.row_of(await self.indexer.state(), await self.attached.state())]


_VERBS: Final = MappingProxyType(
    {
        requests.DomainAdd: _domain_add,
        requests.DomainCatchAll: _domain_catch_all,
        requests.DomainList: _domain_list,
        requests.DomainRemove: _domain_remove,
        requests.DomainKeys: _domain_keys,
        requests.DomainRotateKeys: _domain_rotate_keys,
        requests.DomainDns: _domain_dns,
        requests.AccountAdd: _account_add,
        requests.AccountList: _account_list,
        requests.AccountPassword: _account_password,
        requests.AccountQuota: _account_quota,
        requests.AccountSet: _account_set,
        requests.AccountDisable: _account_disable,
        requests.AccountRemove: _account_remove,
        requests.AliasAdd: _alias_add,
        requests.AliasList: _alias_list,
        requests.AliasRemove: _alias_remove,
        requests.MailboxList: _mailbox_list,
        requests.MailboxRights: _mailbox_rights,
        requests.MailboxShare: _mailbox_share,
        requests.MessageList: _message_list,
        requests.MessageShow: _message_show,
        story_requests.MessageStory: _message_story,
        story_requests.MessageTrace: _message_trace,
        queue_requests.QueueList: _queue_list,
        queue_requests.QueueChange: _queue_change,
        requests.TokenAdd: _token_add,
        requests.TokenList: _token_list,
        requests.TokenRevoke: _token_revoke,
        requests.CertificateAdd: _certificate_add,
        requests.CertificateList: _certificate_list,
        requests.CertificateRemove: _certificate_remove,
        requests.BouncesList: _bounces_list,
        requests.BouncesClear: _bounces_clear,
        requests.StoreCheck: _store_check,
        requests.StoreStatus: _store_status,
    }
)
