"""A store in memory, as far as logins and maildrops need one; it keeps the contract's words."""

import itertools
from array import array
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

from mailbox_server.model.account import (
    Account,
    AccountState,
    Credentials,
    HostedDomain,
    Scope,
    Token,
)
from mailbox_server.model.address import Address, Domain
from mailbox_server.model.errors import ContentDamaged, ContentMissing, MailboxMissing
from mailbox_server.model.ids import AccountId, DomainId, MailboxId, TokenId
from mailbox_server.model.mailbox import INBOX, Mailbox, Role
from mailbox_server.model.uid_set import UidSet
from mailbox_server.store.ports import Column, Copied, FlagChange, ViewRows

BEGINNING = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


class HandClock:
    """A clock turned by hand."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> datetime:
        return BEGINNING + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds


class CountedEntropy:
    """Octets that are never the same twice and always the same in the next run."""

    def __init__(self) -> None:
        self._count = itertools.count()

    def octets(self, count: int) -> bytes:
        return bytes((next(self._count) * 37 + 11) % 251 for _ in range(count))

    def below(self, limit: int) -> int:
        return next(self._count) % limit


class RecordedEvents:
    """Every event, for a look afterwards."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, dict[str, Any]]] = []
        self.faults: list[BaseException] = []

    def info(self, event: str, /, **fields: Any) -> None:
        self.seen.append((event, fields))

    def warning(self, event: str, /, **fields: Any) -> None:
        self.seen.append((event, fields))

    def fault(self, event: str, error: BaseException, /, **fields: Any) -> None:
        self.seen.append((event, fields))
        self.faults.append(error)


class _Domains:
    def __init__(self, store: "MemoryStore") -> None:
        self._store = store

    def all(self) -> list[HostedDomain]:
        return [
            HostedDomain(DomainId(i + 1), domain, None, BEGINNING)
            for i, domain in enumerate(self._store.domains)
        ]


class _Accounts:
    def __init__(self, store: "MemoryStore") -> None:
        self._store = store

    def find(self, address: Address) -> Account | None:
        wanted = address.key
        return next((a for a in self._store.accounts.values() if a.address.key == wanted), None)

    def get(self, account: AccountId) -> Account | None:
        return self._store.accounts.get(account)

    def credentials(self, account: AccountId) -> Credentials | None:
        return self._store.credentials.get(account)

    def set_credentials(self, account: AccountId, credentials: Credentials) -> None:
        self._store.credentials[account] = credentials
        self._store.touched.add(account)


class _Tokens:
    def __init__(self, store: "MemoryStore") -> None:
        self._store = store

    def all(self, account: AccountId) -> list[Token]:
        return [t for t, _ in self._store.tokens.values() if t.account == account]

    def find(self, account: AccountId, secret_digest: bytes) -> Token | None:
        return next(
            (
                t
                for t, d in self._store.tokens.values()
                if (t.account, d) == (account, secret_digest) and not t.is_certificate
            ),
            None,
        )

    def holders(self, fingerprint: bytes) -> list[Token]:
        return [
            token
            for token, digest in self._store.tokens.values()
            if token.is_certificate and digest == fingerprint
        ]

    def used(self, token: TokenId, at: datetime) -> None:
        held, digest = self._store.tokens[token]
        self._store.tokens[token] = (replace(held, last_used=at), digest)


class _Mailboxes:
    def __init__(self, store: "MemoryStore") -> None:
        self._store = store

    def find(self, account: AccountId, name: str) -> Mailbox | None:
        return next(
            (m for m in self._store.mailboxes.values() if (m.account, m.name) == (account, name)),
            None,
        )

    def by_role(self, account: AccountId, role: Role) -> Mailbox | None:
        return next(
            (m for m in self._store.mailboxes.values() if (m.account, m.role) == (account, role)),
            None,
        )

    def create(self, account: AccountId, name: str, role: Role | None = None) -> Mailbox:
        return self._store.add_mailbox(account, name, role)


class Messages:
    """What POP3 does with messages."""

    def __init__(self, store: "MemoryStore") -> None:
        self._store = store

    def view(self, mailbox: MailboxId) -> ViewRows:
        if mailbox not in self._store.mailboxes:
            raise MailboxMissing("gone")
        uids = sorted(uid for box, uid in self._store.placements if box == mailbox)
        nothing = array("q", [0] * len(uids))
        return ViewRows(
            self._store.mailboxes[mailbox],
            array("I", uids),
            nothing,
            nothing,
            bytes(len(uids)),
            nothing,
        )

    def rows(
        self, mailbox: MailboxId, uids: Sequence[int], columns: Sequence[Column]
    ) -> list[tuple[object, ...]]:
        assert len(uids) <= 500
        assert list(uids) == sorted(uids)
        self._store.row_calls += 1
        rows: list[tuple[object, ...]] = []
        for uid in uids:
            content = self._store.placements.get((mailbox, uid)) or self._store.tombs.get(
                (mailbox, uid)
            )
            if content is not None:
                rows.append((uid, *(self._column(content, column) for column in columns)))
        return rows

    def _column(self, content: int, column: Column) -> object:
        trace, octets = self._store.traces[content], self._store.contents[content]
        end = octets.find(b"\r\n\r\n")
        return {
            Column.SIZE: len(trace) + len(octets),
            Column.ENDS_LINE: int(not octets or octets.endswith(b"\r\n")),
            Column.TRACE: trace,
            Column.CONTENT: content,
            Column.HEADER_OCTETS: len(octets) if end < 0 else end + 4,
            Column.RECEIVED: int(self._store.received.get(content, BEGINNING).timestamp()),
        }[column]

    def change_flags(self, mailbox: MailboxId, uids: Sequence[int], change: FlagChange) -> None:
        for uid in uids:
            self._store.flags.setdefault((mailbox, uid), set()).update(change.names)
        self._store.touched.add(self._store.mailboxes[mailbox].account)

    def remove(self, mailbox: MailboxId, uids: Sequence[int]) -> UidSet:
        assert len(uids) <= 2_000
        gone = [uid for uid in uids if (mailbox, uid) in self._store.placements]
        for uid in gone:
            self._store.tombs[mailbox, uid] = self._store.placements.pop((mailbox, uid))
        self._store.touched.add(self._store.mailboxes[mailbox].account)
        return UidSet.of(gone)

    def move(self, mailbox: MailboxId, uids: Sequence[int], target: MailboxId) -> Copied:
        for uid in uids:
            content = self._store.placements.get((mailbox, uid))
            if content is not None:
                self._store.placements[target, next(self._store.uids)] = content
        self.remove(mailbox, uids)
        return Copied(1, (), ())


class _Contents:
    def __init__(self, store: "MemoryStore") -> None:
        self._store = store

    def read(self, content: int, start: int, length: int) -> bytes:
        assert length <= 1 << 20
        self._store.content_reads += 1
        if content in self._store.lost_contents:
            raise ContentMissing("gone")
        if content in self._store.damaged_contents:
            raise ContentDamaged("flipped")
        return self._store.contents[content][start : start + length]

    def small(self, contents: Collection[int]) -> dict[int, bytes]:
        there = set(contents) - self._store.lost_contents
        if there & self._store.damaged_contents:
            raise ContentDamaged("flipped")
        self._store.content_reads += len(there)
        return {content: self._store.contents[content] for content in there}


class MemoryStore:
    """Accounts, tokens and messages in dictionaries; broken makes everything fail with it."""

    def __init__(self) -> None:
        self.domains: list[Domain] = []
        self.accounts: dict[AccountId, Account] = {}
        self.credentials: dict[AccountId, Credentials] = {}
        self.tokens: dict[TokenId, tuple[Token, bytes]] = {}
        self.mailboxes: dict[MailboxId, Mailbox] = {}
        self.placements: dict[tuple[MailboxId, int], int] = {}
        self.tombs: dict[tuple[MailboxId, int], int] = {}
        self.flags: dict[tuple[MailboxId, int], set[str]] = {}
        self.contents: dict[int, bytes] = {}
        self.traces: dict[int, bytes] = {}
        self.received: dict[int, datetime] = {}
        self.lost_contents: set[int] = set()
        self.damaged_contents: set[int] = set()
        self.uids = itertools.count(101)
        self.touched: set[AccountId] = set()
        self.reads = self.writes = self.row_calls = self.content_reads = 0
        self.broken: Exception | None = None
        self.broken_writes: Exception | None = None
        self._ids = itertools.count(1)
        self._rings: list[tuple[AccountId, Callable[[Any], None]]] = []
        self._owners: object = None
        self._generation = 0
        self._tx = SimpleNamespace(
            domains=_Domains(self),
            accounts=_Accounts(self),
            tokens=_Tokens(self),
            mailboxes=_Mailboxes(self),
            messages=Messages(self),
            contents=_Contents(self),
        )

    # What tests put in

    def add_account(self, address: str, credentials: Credentials | None) -> Account:
        parsed = Address.parse(address)
        if parsed.domain not in self.domains:
            self.domains.append(parsed.domain)
        account = Account(AccountId(next(self._ids)), parsed, AccountState.ACTIVE, 0, BEGINNING)
        self.accounts[account.id] = account
        if credentials is not None:
            self.credentials[account.id] = credentials
        self.add_mailbox(account.id, INBOX, Role.INBOX)
        return account

    def add_mailbox(self, account: AccountId, name: str, role: Role | None) -> Mailbox:
        number = MailboxId(next(self._ids))
        mailbox = Mailbox(number, account, name, role, 4_000 + number, 1, 1, True)
        self.mailboxes[number] = mailbox
        return mailbox

    def add_token(
        self, account: Account, digest: bytes, scope: Scope, expires: datetime | None = None
    ) -> Token:
        token = Token(
            TokenId(next(self._ids)), account.id, "phone", scope, BEGINNING, expires, None
        )
        self.tokens[token.id] = (token, digest)
        return token

    def add_certificate(
        self, account: Account, fingerprint: bytes, scope: Scope, expires: datetime | None = None
    ) -> Token:
        token = replace(self.add_token(account, fingerprint, scope, expires), is_certificate=True)
        self.tokens[token.id] = (token, fingerprint)
        return token

    def set_state(self, account: Account, state: AccountState) -> None:
        self.accounts[account.id] = replace(account, state=state)
        self.ring(account.id)

    def add_message(self, account: Account, octets: bytes, trace: bytes = b"") -> int:
        inbox = self.inbox(account)
        content = next(self._ids)
        self.contents[content], self.traces[content] = octets, trace
        uid = next(self.uids)
        self.placements[inbox.id, uid] = content
        return uid

    def age(self, account: Account, uid: int, days: int) -> None:
        content = self.placements[self.inbox(account).id, uid]
        self.received[content] = BEGINNING - timedelta(days=days)

    def inbox(self, account: Account) -> Mailbox:
        found = self._tx.mailboxes.find(account.id, INBOX)
        assert isinstance(found, Mailbox)
        return found

    def uids_in(self, account: Account, name: str = INBOX) -> list[int]:
        found = self._tx.mailboxes.find(account.id, name)
        return sorted(uid for box, uid in self.placements if found and box == found.id)

    def ring(self, account: AccountId) -> None:
        for listened, ring in tuple(self._rings):
            if listened == account:
                ring(1)

    # The contract

    @property
    def owners_generation(self) -> int:
        owners = (list(self.domains), dict(self.accounts), dict(self.credentials))
        if owners != self._owners:
            self._owners = owners
            self._generation += 1
        return self._generation

    def _run(self, work: Callable[[Any], Any]) -> Any:
        if self.broken is not None:
            raise self.broken
        return work(self._tx)

    def glance(self, work: Callable[[Any], Any]) -> Any:
        return self._run(work)

    async def read(self, work: Callable[[Any], Any]) -> Any:
        self.reads += 1
        return self._run(work)

    async def write(self, work: Callable[[Any], Any]) -> Any:
        self.writes += 1
        if self.broken_writes is not None:
            raise self.broken_writes
        value = self._run(work)
        touched, self.touched = self.touched, set()
        for account in touched:
            self.ring(account)
        return value

    def listen(self, account: AccountId, ring: Callable[[Any], None]) -> Any:
        entry = (account, ring)
        self._rings.append(entry)
        return SimpleNamespace(close=lambda: entry in self._rings and self._rings.remove(entry))
