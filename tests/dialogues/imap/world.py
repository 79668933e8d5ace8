"""A small house to converse in: a real store, real logins, and a clock turned by hand."""

import asyncio
import re
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from mailbox_server.auth.authenticator import Authenticator, AuthenticatorSettings
from mailbox_server.auth.crunch import Crunch, CrunchLimits
from mailbox_server.auth.passwords import HashCost, Passwords
from mailbox_server.auth.throttle import Throttle, ThrottleSettings
from mailbox_server.auth.token_secrets import secret_digest
from mailbox_server.delivery.sent_copies import SentCopies, filed_copy
from mailbox_server.imap.limits import ImapLimits
from mailbox_server.imap.session import Services
from mailbox_server.imap.telling.key_resets import KeyResets
from mailbox_server.imap.views.shared_views import SharedViews
from mailbox_server.mime.message import analyze
from mailbox_server.mime.scanner import scan
from mailbox_server.model.account import Account, Scope
from mailbox_server.model.address import Address, Domain
from mailbox_server.model.ids import MessageId, ThreadId, Uid
from mailbox_server.model.message import InternalDate, Placed, Target
from mailbox_server.model.ports import Silence, SystemEntropy
from mailbox_server.model.switches import Deed, Switches, SwitchRule
from mailbox_server.net.client_certificates import ClientCertificate
from mailbox_server.net.tasks import TaskKeeper
from mailbox_server.store.door import SqliteStore
from mailbox_server.store.ports import NewMessage, QuotaRule, WriteTx
from tests.dialogues.player.driver import StatementUnknown
from tests.small_store import SMALL_STORE

DOMAIN: Final = "example.test"
HOSTNAME: Final = "mail.house.test"
PASSWORD: Final = "secret"
MEMORY_BACKED: Final = Path("/dev/shm")
PATIENCE_SECONDS: Final = 20.0


class TurnedClock:
    """A clock that scripts turn by hand."""

    def __init__(self) -> None:
        self.at = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.at.timestamp()

    def turn(self, span: timedelta) -> None:
        self.at += span


async def no_delay(seconds: float) -> None:
    """Failed logins need not be slow here."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One kind of `given`, and what makes it true."""

    pattern: str
    make: Callable[..., object]


class World:
    """What the scripts are played in.

    logs_in: whether the drivers log clients in before the script goes on.
    certificate: what clients show in TLS.
    """

    def __init__(self, place: Path, store: SqliteStore, clock: TurnedClock) -> None:
        self.store = store
        self.clock = clock
        self.limits = ImapLimits()
        self.logs_in = True
        self.loopback_logins = True
        self.certificate: ClientCertificate | None = None
        self.faults: list[BaseException] = []
        self.tasks = TaskKeeper(lambda name, fault: self.faults.append(fault))
        self.events = Gathered(self.faults)
        self._place = place
        self._accounts: dict[str, Account] = {}
        self._clients: dict[int, str] = {}
        self._rules: list[SwitchRule] = []
        self.key_resets = KeyResets()
        self.sent_copies = SentCopies(store, clock)
        self._submission_servers: set[str] = set()
        entropy = SystemEntropy()
        self._passwords = Passwords(HashCost(memory_kib=64, passes=1), entropy)
        self._crunch = Crunch(CrunchLimits(threads=1))
        self.authenticator = Authenticator(
            store,
            self._passwords,
            self._crunch,
            Throttle(clock, ThrottleSettings()),
            clock,
            entropy,
            Silence(),
            AuthenticatorSettings(secret=b"0123456789abcdef"),
            no_delay,
        )
        self.views = SharedViews(store, self.tasks, self.events, 1 << 27)

    @classmethod
    async def open(cls) -> "World":
        """Make an empty one."""
        place = Path(tempfile.mkdtemp(dir=MEMORY_BACKED if MEMORY_BACKED.is_dir() else None))
        clock = TurnedClock()
        settings = SMALL_STORE
        faults: list[BaseException] = []
        store = await SqliteStore.open(
            place / "data", settings, clock, SystemEntropy(), Silence(), faults.append
        )
        await store.write(lambda tx: tx.domains.add(Domain.parse(DOMAIN), None, clock.now()))
        return cls(place, store, clock)

    async def close(self) -> None:
        """Leave nothing behind; what went wrong unseen comes out here."""
        await self.tasks.drain(PATIENCE_SECONDS)
        await self.store.close()
        self._crunch.close()
        shutil.rmtree(self._place)
        assert not self.faults, self.faults

    @property
    def services(self) -> Services:
        """For the sessions; ask after all `given`."""
        return Services(
            store=self.store,
            views=self.views,
            authenticator=self.authenticator,
            clock=self.clock,
            events=self.events,
            limits=self.limits,
            offers_tls=True,
            loopback_logins=self.loopback_logins,
            hostname=HOSTNAME,
            key_resets=self.key_resets,
            sent_copies=self.sent_copies,
            submission_servers=frozenset(self._submission_servers),
            switches=Switches(configured=self._rules),
        )

    def login_of(self, client: int) -> str:
        """Whom the drivers log a client in as."""
        return self._clients.get(client) or next(iter(self._accounts))

    # ------------------------------------------------------------ given

    async def given(self, statement: str) -> None:
        """Make a statement true; the README of this folder lists them."""
        for rule in (
            Rule(r"account (\w+)(?: with (\S+) of (\d+) messages?)?", self._account),
            Rule(r"account (\w+) with mailbox (.+)", self._mailbox),
            Rule(r"client (\d+) is (\w+)", self._client),
            Rule(r"clients log in themselves", self._log_in_themselves),
            Rule(r"clients come in plain text", self._plain_text),
            Rule(r"clients show a certificate of (\w+(?: and \w+)*)", self._show),
            Rule(r"(?:(expired) )?app password of (\w+) is (\S+)", self._token),
            Rule(r"a copy of message (\d+) is filed for (\w+)(?: in (\w+))?", self._filed),
            Rule(r"quota of (\w+) is (\d+)", self._quota),
            Rule(r"(\w+) may hold (\d+) messages", self._message_quota),
            Rule(r"(\w+) is an administrator", self._administrator),
            Rule(r"(\w+) is shared", self._shared),
            Rule(r"(\w+) is a submission server", self._submission_server),
            Rule(r"limit (\w+) is (\d+)", self._limit),
            Rule(r"(hide|show) (.+)", self._switch),
        ):
            found = re.fullmatch(rule.pattern, statement)
            if found is not None:
                made = rule.make(*found.groups())
                if asyncio.iscoroutine(made):
                    await made
                return
        raise StatementUnknown(statement)

    def _client(self, client: str, name: str) -> None:
        self._clients[int(client)] = name

    def _log_in_themselves(self) -> None:
        self.logs_in = False

    def _plain_text(self) -> None:
        self.logs_in = self.loopback_logins = False

    def _show(self, names: str) -> None:
        addresses = tuple(f"{name}@{DOMAIN}" for name in names.split(" and "))
        self.certificate = ClientCertificate(b"a fingerprint", addresses)

    def _limit(self, name: str, value: str) -> None:
        self.limits = replace(self.limits, **{name: int(value)})

    def _switch(self, deed: str, rule: str) -> None:
        self._rules.append(SwitchRule.parse(Deed[deed.upper()], rule))

    async def _account(self, name: str, mailbox: str | None, count: str | None) -> None:
        if name not in self._accounts:
            address = Address.parse(f"{name}@{DOMAIN}")
            credentials = self._passwords.credentials(PASSWORD)
            now = self.clock.now()
            self._accounts[name] = await self.store.write(
                lambda tx: tx.accounts.add(address, credentials, 0, now)
            )
        for number in range(1, int(count or "0") + 1):
            await self.deliver(name, mailbox or "INBOX", message(number))

    async def _token(self, expired: str | None, name: str, secret: str) -> None:
        account, now = self._accounts[name].id, self.clock.now()
        expires = now if expired else None
        digest = secret_digest(secret)
        assert digest is not None, "not the shape of an app password"
        await self.store.write(
            lambda tx: tx.tokens.add(account, "phone", Scope.ALL, digest, expires, now)
        )

    async def _filed(self, number: str, name: str, mailbox: str | None) -> None:
        """As submission does it (delivery.sent_copies)."""
        place = mailbox or "Sent"
        await self.deliver(name, place, message(int(number)))
        account, now = self._accounts[name].id, self.clock.now()
        found = await self.store.read(lambda tx: tx.mailboxes.find(account, place))
        assert found is not None
        placed = Placed(
            found.id, found.uid_validity, Uid(found.uid_next - 1), MessageId(1), ThreadId(1)
        )
        message_id = f"{number}@example.test"
        copy = filed_copy(account, message_id, placed, now)
        await self.store.write(lambda tx: tx.sent_copies.add(copy))
        self.sent_copies.filed(account, message_id, placed, b"")

    async def _quota(self, name: str, octets: str) -> None:
        account = self._accounts[name].id
        await self.store.write(lambda tx: tx.accounts.set_quota(account, int(octets)))

    async def _message_quota(self, name: str, messages: str) -> None:
        account = self._accounts[name].id
        await self.store.write(lambda tx: tx.accounts.set_message_quota(account, int(messages)))

    async def _administrator(self, name: str) -> None:
        account = self._accounts[name].id
        await self.store.write(
            lambda tx: tx.accounts.set_administrator(account, is_administrator=True)
        )

    async def _shared(self, name: str) -> None:
        account = self._accounts[name].id
        await self.store.write(lambda tx: tx.accounts.set_shared(account, is_shared=True))

    def _submission_server(self, name: str) -> None:
        self._submission_servers.add(self._accounts[name].address.key)

    async def _mailbox(self, name: str, mailbox: str) -> None:
        await self._account(name, None, None)
        account = self._accounts[name].id
        await self.store.write(lambda tx: tx.mailboxes.create(account, mailbox))

    async def deliver(self, name: str, mailbox: str, content: bytes) -> None:
        """Store a message for an account, without anybody's help."""
        account = self._accounts[name].id
        structure, header = scan(content)
        analysis = analyze(structure, header, lambda start, count: content[start : start + count])
        staging = self.store.stage(len(content))
        staging.feed(content)
        staged = await staging.finish()
        received = InternalDate(int(self.clock.now().timestamp()))

        def work(tx: WriteTx) -> None:
            place = tx.mailboxes.find(account, mailbox)
            place = place or tx.mailboxes.create(account, mailbox)
            kept = tx.contents.keep(staged)
            new = NewMessage(kept, b"", analysis, received, frozenset(), (Target(place.id),))
            tx.messages.add(account, new, QuotaRule.ENFORCE)

        await self.store.write(work)


class Gathered(Silence):
    """Events of which only faults count: a script with an unforeseen one fails."""

    def __init__(self, faults: list[BaseException]) -> None:
        self._faults = faults

    def fault(self, event: str, error: BaseException, /, **fields: object) -> None:
        self._faults.append(error)


def message(number: int) -> bytes:
    """The content of message number in `given`."""
    return (
        b"From: Bob <bob@example.test>\r\nTo: ann@example.test\r\n"
        b"Subject: message %d\r\nDate: Fri, 2 Jan 2026 03:04:05 +0000\r\n"
        b"Message-ID: <%d@example.test>\r\n\r\nThis is message %d.\r\n"
    ) % (number, number, number)
