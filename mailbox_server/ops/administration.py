"""Do what an operator asks: one function a request, all through the store's door.

The same functions serve the control socket of a running server and a verb that holds the
data folder itself.  Domain errors come back as Failure with the error's name; what we did
not foresee leaves as an exception, for the caller to log.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from mailbox_server.auth.passwords import Passwords
from mailbox_server.model.errors import MailboxServerFault, Unavailable
from mailbox_server.model.ports import Clock, Entropy
from mailbox_server.ops import (
    account_verbs,
    alias_verbs,
    bounce_verbs,
    certificate_verbs,
    domain_verbs,
    held_verbs,
    mailbox_verbs,
    message_verbs,
    queue_requests,
    queue_verbs,
    reindexing,
    requests,
    sharing_verbs,
    store_check,
    stories,
    story_requests,
    token_verbs,
    tracing,
)
from mailbox_server.ops.answers import Answer, Failure, Rows
from mailbox_server.ops.domain_verbs import Publication
from mailbox_server.ops.index_status import index_status
from mailbox_server.ops.request_roots import Request
from mailbox_server.ops.rows import AnyRow
from mailbox_server.store.attached_text.catching_up import AttachedTexts
from mailbox_server.store.dialect.trouble import reason_of
from mailbox_server.store.ports import Store
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
        request: Request,
        upload: Stream,
        download: Callable[[bytes], Awaitable[None]],
    ) -> Answer:
        """Carry out one request."""
        try:
            if isinstance(request, requests.MessageImport):
                row = await message_verbs.import_message(self.store, self.clock, request, upload)
                return Rows([row])
            if isinstance(request, requests.MessageRaw):
                await message_verbs.send_raw(self.store, request, download)
                return Rows()
            if isinstance(request, requests.StoreReindex):
                await reindexing.reindex(self.indexer, self.attached, download)
                return Rows([await index_status(self.store, self.indexer, self.attached)])
            verb: Any = _VERBS[type(request)]
            return Rows(await verb(self, request))
        except MailboxServerFault as fault:
            reason = reason_of(fault)
            sentence = f"{fault} ({reason})" if reason else str(fault)
            return Failure(type(fault).__name__, sentence, isinstance(fault, Unavailable))


# ---------------------------------------------------------------- domains


async def _domain_add(self: Administration, asked: requests.DomainAdd) -> list[AnyRow]:
    return await domain_verbs.host(self.store, self.clock, asked)


async def _domain_catch_all(self: Administration, asked: requests.DomainCatchAll) -> list[AnyRow]:
    return await domain_verbs.set_catch_all(self.store, asked)


async def _domain_list(self: Administration, _: requests.DomainList) -> list[AnyRow]:
    return await domain_verbs.list_hosted(self.store)


async def _domain_remove(self: Administration, asked: requests.DomainRemove) -> list[AnyRow]:
    return await domain_verbs.stop_hosting(self.store, asked)


async def _domain_keys(self: Administration, asked: requests.DomainKeys) -> list[AnyRow]:
    return await domain_verbs.list_keys(self.store, asked)


async def _domain_rotate_keys(
    self: Administration, asked: requests.DomainRotateKeys
) -> list[AnyRow]:
    return await domain_verbs.rotate_keys(self.store, self.clock, asked)


async def _domain_dns(self: Administration, asked: requests.DomainDns) -> list[AnyRow]:
    return await domain_verbs.tell_records(self.store, self.publication, asked)


# ---------------------------------------------------------------- accounts and aliases


async def _account_add(self: Administration, asked: requests.AccountAdd) -> list[AnyRow]:
    return await account_verbs.add(self.store, self.clock, self.passwords, asked)


async def _account_list(self: Administration, asked: requests.AccountList) -> list[AnyRow]:
    return await account_verbs.list_all(self.store, asked)


async def _account_password(self: Administration, asked: requests.AccountPassword) -> list[AnyRow]:
    return await account_verbs.set_password(self.store, self.passwords, asked)


async def _account_quota(self: Administration, asked: requests.AccountQuota) -> list[AnyRow]:
    return await account_verbs.set_quota(self.store, asked)


async def _account_set(self: Administration, asked: requests.AccountSet) -> list[AnyRow]:
    return await account_verbs.change(self.store, asked)


async def _account_disable(self: Administration, asked: requests.AccountDisable) -> list[AnyRow]:
    return await account_verbs.disable(self.store, asked)


async def _account_remove(self: Administration, asked: requests.AccountRemove) -> list[AnyRow]:
    return await account_verbs.remove(self.store, asked)


async def _alias_add(self: Administration, asked: requests.AliasAdd) -> list[AnyRow]:
    return await alias_verbs.add(self.store, self.clock, asked)


async def _alias_list(self: Administration, asked: requests.AliasList) -> list[AnyRow]:
    return await alias_verbs.list_all(self.store, asked)


async def _alias_remove(self: Administration, asked: requests.AliasRemove) -> list[AnyRow]:
    return await alias_verbs.remove(self.store, asked)


# ---------------------------------------------------------------- mailboxes and messages


async def _mailbox_list(self: Administration, asked: requests.MailboxList) -> list[AnyRow]:
    return await mailbox_verbs.list_all(self.store, asked)


async def _mailbox_rights(self: Administration, asked: requests.MailboxRights) -> list[AnyRow]:
    return [*await sharing_verbs.list_rights(self.store, asked)]


async def _mailbox_share(self: Administration, asked: requests.MailboxShare) -> list[AnyRow]:
    return [*await sharing_verbs.share(self.store, asked)]


async def _message_list(self: Administration, asked: requests.MessageList) -> list[AnyRow]:
    return await message_verbs.list_messages(self.store, asked)


async def _message_show(self: Administration, asked: requests.MessageShow) -> list[AnyRow]:
    return [await message_verbs.show_message(self.store, asked)]


async def _message_story(self: Administration, asked: story_requests.MessageStory) -> list[AnyRow]:
    return [await self.store.read(lambda tx: stories.story_of(tx, asked.id))]


async def _message_trace(self: Administration, asked: story_requests.MessageTrace) -> list[AnyRow]:
    return [*await tracing.find(self.store, self.clock, asked)]


# ---------------------------------------------------------------- the queue


async def _queue_list(self: Administration, asked: queue_requests.QueueList) -> list[AnyRow]:
    return [*await queue_verbs.list_queue(self.store, self.clock, asked)]


async def _queue_change(self: Administration, asked: queue_requests.QueueChange) -> list[AnyRow]:
    return [await queue_verbs.change_queue(self.store, self.clock, self.make_reporter, asked)]


async def _held_list(self: Administration, asked: queue_requests.HeldList) -> list[AnyRow]:
    return [*await held_verbs.list_held(self.store, asked)]


async def _held_cancel(self: Administration, asked: queue_requests.HeldCancel) -> list[AnyRow]:
    return [await held_verbs.cancel_held(self.store, self.clock, asked)]


# ---------------------------------------------------------------- tokens and the store


async def _token_add(self: Administration, asked: requests.TokenAdd) -> list[AnyRow]:
    return await token_verbs.add(self.store, self.clock, self.entropy, asked)


async def _token_list(self: Administration, asked: requests.TokenList) -> list[AnyRow]:
    return await token_verbs.list_all(self.store, asked)


async def _token_revoke(self: Administration, asked: requests.TokenRevoke) -> list[AnyRow]:
    return await token_verbs.revoke(self.store, asked)


async def _certificate_add(self: Administration, asked: requests.CertificateAdd) -> list[AnyRow]:
    token_verbs.check_name(asked.name)
    scope = token_verbs.read_scope(asked.scope)
    row, octets = await certificate_verbs.add(self.store, self.clock, asked, scope)
    if self.take_from_clients is not None:
        self.take_from_clients(octets)
    return [row]


async def _certificate_list(self: Administration, asked: requests.CertificateList) -> list[AnyRow]:
    return await certificate_verbs.list_all(self.store, asked)


async def _certificate_remove(
    self: Administration, asked: requests.CertificateRemove
) -> list[AnyRow]:
    return await certificate_verbs.remove(self.store, asked)


async def _bounces_list(self: Administration, asked: requests.BouncesList) -> list[AnyRow]:
    return await bounce_verbs.list_all(self.store, asked)


async def _bounces_clear(self: Administration, asked: requests.BouncesClear) -> list[AnyRow]:
    return await bounce_verbs.clear(self.store, asked)


async def _store_check(self: Administration, asked: requests.StoreCheck) -> list[AnyRow]:
    return await store_check.check(self.store, self.entropy, self.indexer, self.attached, asked)


async def _store_status(self: Administration, _: requests.StoreStatus) -> list[AnyRow]:
    return [await index_status(self.store, self.indexer, self.attached)]


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
        queue_requests.HeldList: _held_list,
        queue_requests.HeldCancel: _held_cancel,
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
