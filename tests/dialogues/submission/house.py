"""A house whose people send mail: a real store, real logins, and a clock turned by hand.

Everybody's password is `secret`, the domain is example.org.  Statements that a script can
make besides those of the SMTP drivers:

    given account ann [with quota 1000]     given shared account team
    given alias info for ann, bob@x.example given right p of ann in team
    given domain example.net [with catch-all ann]
    given expired token|token of scope send for ann: abcd-...   given ann is disabled
    given copies for everyone               given the store fails
    given loopback logins                   given ann keeps a message
    given reading fails
"""

import re
import shutil
import tempfile
from pathlib import Path
from typing import Final

from mailbox_server.auth.authenticator import Authenticator, AuthenticatorSettings
from mailbox_server.auth.crunch import Crunch, CrunchLimits
from mailbox_server.auth.passwords import HashCost, Passwords
from mailbox_server.auth.throttle import Throttle, ThrottleSettings
from mailbox_server.auth.token_secrets import secret_digest
from mailbox_server.checks.dkim.keys import SigningKey
from mailbox_server.checks.dkim.signing import Signer
from mailbox_server.delivery.bounces.report import ReportRules
from mailbox_server.delivery.bounces.reporting import Reporter
from mailbox_server.delivery.bounces.scoring import ScoreRules
from mailbox_server.delivery.return_path_keys import ReturnPathKeys
from mailbox_server.delivery.routing import RoutingRules
from mailbox_server.delivery.sent_copies import SentCopies
from mailbox_server.delivery.submitting.means import Means
from mailbox_server.delivery.submitting.releases import Releases
from mailbox_server.delivery.submitting.rules import SubmissionRules
from mailbox_server.delivery.submitting.submitter import Submitter
from mailbox_server.delivery.verp import PathSigner
from mailbox_server.mime.message import analyze
from mailbox_server.mime.scanner import scan
from mailbox_server.model.account import Account, AccountState, Credentials, Scope
from mailbox_server.model.address import Address, Domain
from mailbox_server.model.errors import StoreUnavailable
from mailbox_server.model.ids import ContentId
from mailbox_server.model.mailbox import INBOX
from mailbox_server.model.message import InternalDate, Target
from mailbox_server.model.outbound import Departure, Outbound
from mailbox_server.model.ports import Silence, SystemEntropy
from mailbox_server.net.tasks import TaskKeeper
from mailbox_server.smtp.places import Logins
from mailbox_server.store.door import SqliteStore
from mailbox_server.store.ports import Column, NewMessage, QueueFilter, QuotaRule, WriteTx
from mailbox_server.store.workers import Workers
from tests.dialogues.player.driver import StatementUnknown
from tests.small_store import SMALL_STORE
from tests.unit.delivery.house import HOSTNAME, HandClock, KeptEvents

KEPT: Final = b"From: ann@example.org\r\nSubject: kept\r\n\r\nwords\r\n"
KEY: Final = b"k" * 32
DOMAIN: Final = "example.org"
PASSWORD: Final = "secret"
MEMORY_BACKED: Final = Path("/dev/shm")
_PASSWORDS: Final = Passwords(HashCost(memory_kib=8, passes=1, lanes=1), SystemEntropy())


async def _no_delay(seconds: float) -> None:
    """Failed logins need not be slow here."""


class SubmissionHouse:
    """All that stands behind the sessions of one script or test."""

    def __init__(self, place: Path, store: SqliteStore, clock: HandClock) -> None:
        self.store = store
        self.clock = clock
        self.entropy = SystemEntropy()
        self.events = KeptEvents()
        self.task_faults: list[tuple[str, BaseException]] = []
        self.tasks = TaskKeeper(lambda name, error: self.task_faults.append((name, error)))
        self.rules = SubmissionRules(RoutingRules(HOSTNAME))
        self.keys: dict[str, list[SigningKey]] = {}
        self._place = place
        self.sent_copies = SentCopies(store, clock)
        self.paths = PathSigner(ReturnPathKeys(b"secret", "verp"))
        self._crunch = Crunch(CrunchLimits(threads=1))
        self._loopback = False
        self.submitter = Submitter(
            Means(
                store=store,
                rules=self.rules,
                clock=clock,
                entropy=self.entropy,
                events=self.events,
                signer=Signer(
                    lambda domain: self.keys.get(domain.ascii, ()), clock, Workers("signing", 1)
                ),
                sent_copies=self.sent_copies,
                paths=self.paths,
                reporter=Reporter(
                    store=store,
                    rules=ReportRules(HOSTNAME),
                    routing=self.rules.routing,
                    scores=ScoreRules(),
                    signer=None,
                    clock=clock,
                    entropy=self.entropy,
                    events=self.events,
                ),
            )
        )
        self.releases = Releases(self.submitter)
        self.authenticator = Authenticator(
            store,
            _PASSWORDS,
            self._crunch,
            Throttle(clock, ThrottleSettings()),
            clock,
            self.entropy,
            self.events,
            AuthenticatorSettings(secret=b"0123456789abcdef"),
            _no_delay,
        )

    @classmethod
    async def open(cls) -> "SubmissionHouse":
        """One with ann and bob."""
        place = Path(tempfile.mkdtemp(dir=MEMORY_BACKED if MEMORY_BACKED.is_dir() else None))
        clock = HandClock()
        faults: list[BaseException] = []
        store = await SqliteStore.open(
            place / "data", SMALL_STORE, clock, SystemEntropy(), Silence(), faults.append
        )
        house = cls(place, store, clock)
        await house.store.write(lambda tx: tx.domains.add(Domain.parse(DOMAIN), None, clock.now()))
        for name in ("ann", "bob"):
            await house.add_account(name)
        return house

    async def close(self) -> None:
        """Leave nothing behind."""
        await self.tasks.drain(5)
        await self.store.close()
        self._crunch.close()
        self.submitter.means.signer.close()
        shutil.rmtree(self._place)

    @property
    def policy(self) -> Submitter:
        """For the sessions."""
        return self.submitter

    @property
    def logins(self) -> Logins:
        """For the sessions."""
        return Logins(self.authenticator, self._loopback)

    def keep(self, rules: SubmissionRules) -> None:
        """Put other rules in force."""
        self.rules = rules
        self.submitter.change_rules(rules)

    # ------------------------------------------------------------ what is so

    async def add_account(self, name: str, quota: int = 0) -> Account:
        """One with a password."""
        credentials, address, now = _credentials(), _address(name), self.clock.now()
        return await self.store.write(lambda tx: tx.accounts.add(address, credentials, quota, now))

    async def account(self, name: str) -> Account:
        """The account of that name."""
        found = await self.store.read(lambda tx: tx.accounts.find(_address(name)))
        assert found is not None, name
        return found

    async def given(self, statement: str) -> None:
        """Make it true.  Raises StatementUnknown."""
        now = self.clock.now()
        if found := re.fullmatch(r"(shared )?account (\S+)(?: with quota (\d+))?", statement):
            account = await self.add_account(found[2], int(found[3] or 0))
            if found[1]:
                await self._write(lambda tx: tx.accounts.set_shared(account.id, is_shared=True))
        elif found := re.fullmatch(r"alias (\S+) for (.+)", statement):
            targets = [_address(each) for each in found[2].split(", ")]
            await self._write(lambda tx: tx.aliases.add(_address(found[1]), targets, now))
        elif found := re.fullmatch(r"domain (\S+)(?: with catch-all (\S+))?", statement):
            catch_all = None if found[2] is None else _address(found[2])
            await self._write(lambda tx: tx.domains.add(Domain.parse(found[1]), catch_all, now))
        elif found := re.fullmatch(r"right (\w+) of (\S+) in (\S+)", statement):
            await self._grant(found[1], found[2], found[3])
        elif found := re.fullmatch(r"(expired )?token of scope (\w+) for (\S+): (\S+)", statement):
            owner, digest = await self.account(found[3]), secret_digest(found[4])
            assert digest is not None, "not the shape of an app password"
            scope, expires = Scope(found[2]), now if found[1] else None
            await self._write(
                lambda tx: tx.tokens.add(owner.id, "phone", scope, digest, expires, now)
            )
        elif found := re.fullmatch(r"(\S+) is (disabled|enabled)", statement):
            owner = await self.account(found[1])
            active, disabled = AccountState.ACTIVE, AccountState.DISABLED
            state = disabled if found[2] == "disabled" else active
            await self._write(lambda tx: tx.accounts.set_state(owner.id, state))
        elif found := re.fullmatch(r"(\S+) keeps a message", statement):
            await self.keep_message(found[1])
        elif statement == "copies for everyone":
            self.keep(SubmissionRules(self.rules.routing, copies_all=True))
        elif statement == "loopback logins":
            self._loopback = True
        elif statement == "reading fails":

            async def unread(*_: object) -> None:
                raise StoreUnavailable("the disk is on fire")

            self.store.read = unread  # type: ignore[method-assign, assignment]
        elif statement == "the store fails":

            async def fail(*_: object) -> None:
                raise StoreUnavailable("the disk is on fire")

            self.store.write = fail  # type: ignore[method-assign, assignment]
        else:
            raise StatementUnknown(statement)

    async def _write(self, work: object) -> None:
        await self.store.write(work)  # type: ignore[arg-type]

    async def keep_message(self, name: str) -> None:
        """One in the INBOX, whose access key is KEY."""
        owner = await self.account(name)
        structure, header = scan(KEPT)
        analysis = analyze(structure, header, lambda start, count: KEPT[start : start + count])
        staging = self.store.stage(len(KEPT))
        staging.feed(KEPT)
        staged = await staging.finish()

        def work(tx: WriteTx) -> None:
            content = tx.contents.keep(staged)
            new = NewMessage(content, b"", analysis, InternalDate(0), frozenset(), (Target(None),))
            (placed,) = tx.messages.add(owner.id, new, QuotaRule.ENFORCE)
            tx.access_keys.set(owner.id, placed.mailbox, KEY)

        await self.store.write(work, [staged])

    async def _grant(self, rights: str, holder: str, owner: str) -> None:
        whom, whose = await self.account(holder), await self.account(owner)

        def work(tx: WriteTx) -> None:
            inbox = tx.mailboxes.find(whose.id, INBOX)
            assert inbox is not None
            tx.rights.set(inbox, whom.id, frozenset(rights), is_negative=False)

        await self._write(work)

    # ------------------------------------------------------------ what came of it

    async def queued(self) -> list[tuple[Departure, Outbound]]:
        """Every open job, with what it shares."""

        def look(tx: WriteTx) -> list[tuple[Departure, Outbound]]:
            found = []
            for each in tx.queue.listed(QueueFilter(), None, 1_000):
                departure = tx.outbound.departure(each.departure)
                assert departure is not None and each.job is not None
                found.append((departure, each.job))
            return found

        return await self.store.read(look)  # type: ignore[arg-type]

    async def content(self, departure: Departure) -> bytes:
        """The octets of a departure without its trace."""
        return await self.store.read(lambda tx: tx.contents.read(departure.content, 0, 1 << 20))

    async def mail(self, name: str, mailbox: str = INBOX) -> list[bytes]:
        """What lies in a mailbox, trace and content of each."""
        owner = await self.account(name)

        def look(tx: WriteTx) -> list[bytes]:
            place = tx.mailboxes.find(owner.id, mailbox)
            if place is None:
                return []
            found = []
            columns = (Column.CONTENT, Column.TRACE)
            uids = list(range(1, place.uid_next))
            for _, number, trace in tx.messages.rows(place.id, uids, columns):
                assert isinstance(number, int) and isinstance(trace, bytes)
                found.append(trace + tx.contents.read(ContentId(number), 0, 1 << 20))
            return found

        return await self.store.read(look)  # type: ignore[arg-type]


def _credentials() -> Credentials:
    return _PASSWORDS.credentials(PASSWORD)


def _address(name: str) -> Address:
    return Address.parse(name if "@" in name else f"{name}@{DOMAIN}")
