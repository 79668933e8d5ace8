"""A store without its door: the repositories over one connection, driven synchronously."""

import functools
import itertools
import sqlite3
import tempfile
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, TypeVar

from mailbox_server.mime.header_fields import HeaderFields
from mailbox_server.model.address import Address, Domain
from mailbox_server.model.ids import AccountId, ContentId, MailboxId
from mailbox_server.model.mailbox import INBOX, Mailbox
from mailbox_server.model.message import Analysis, InternalDate, Placed, Target
from mailbox_server.model.ports import SystemEntropy
from mailbox_server.store.content_files import ContentFiles
from mailbox_server.store.destroyed_messages import forget_destroyed
from mailbox_server.store.dialect.sqlite import (
    BEGIN_WRITING,
    SqliteConnection,
    connect_writer,
    engine_over,
)
from mailbox_server.store.digesting import Digesting
from mailbox_server.store.integrity import INVARIANTS
from mailbox_server.store.ports import NewMessage, QuotaRule
from mailbox_server.store.prepared import Prepared
from mailbox_server.store.repositories import Repositories
from mailbox_server.store.schema import metadata
from mailbox_server.store.schema.contents import (
    CHUNK_BITS,
    CHUNK_OCTETS,
    content,
    content_chunk,
)
from mailbox_server.store.settings import StoreSettings
from mailbox_server.store.transactions import SqlTx

T = TypeVar("T")
ANN = Address.parse("ann@example.org")
BEN = Address.parse("ben@example.org")
HOST = Domain.parse("example.org")
_BROKEN: Final = {one.name: Prepared(one.broken.limit(3)) for one in INVARIANTS}


def _in_memory() -> SqliteConnection:
    driver = sqlite3.connect(":memory:", isolation_level=None, factory=SqliteConnection)
    driver.execute("PRAGMA foreign_keys = ON")
    return driver


@contextmanager
def _tables_made(driver: SqliteConnection) -> Iterator[None]:
    """All tables are in it; afterwards it is closed."""
    control = driver.control()
    with engine_over(driver).connect() as connection:
        control.execute("BEGIN")
        metadata.create_all(connection)
        control.execute("COMMIT")
        yield


# An image of a database with empty tables is read much faster than they are made.


@functools.cache
def _image_in_memory() -> bytes:
    driver = _in_memory()
    with _tables_made(driver):
        return driver.serialize()


@functools.cache
def _image_on_disk() -> bytes:
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "database"
        with _tables_made(connect_writer(path, StoreSettings())):
            pass
        return path.read_bytes()


def analysis(
    *,
    subject: str = "",
    message_id: str | None = None,
    references: Sequence[str] = (),
    listed: bytes | None = b"",
    header: str = "",
    text: str = "",
    header_octets: int = 0,
) -> Analysis:
    """An analysis with what the store looks at, and ready octets that can be told apart."""
    return Analysis(
        header_octets=header_octets,
        part_table=b"parts",
        envelope=b"envelope of " + subject.encode(),
        body=b"body",
        body_structure=b"structure",
        listed_fields=None if listed is None else HeaderFields(listed).listed(),
        sent=1_600_000_000,
        sent_day=18_518,
        preview="preview",
        has_attachment=False,
        subject_base=subject,
        message_id=message_id,
        references=tuple(references),
        search_header=header,
        search_text=text,
    )


def at_once(coroutine: Coroutine[Any, None, T]) -> T:
    """What it returns; it may let others go first, of whom there are none."""
    while True:
        try:
            coroutine.send(None)
        except StopIteration as end:
            value: T = end.value
            return value


class Workbench:
    """One database, one clock; work runs at once in a transaction of its own."""

    def __init__(self, path: Path | None, files: Path) -> None:
        self.now = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
        if path is None:
            self._driver = _in_memory()
            self._driver.deserialize(_image_in_memory())
        else:
            if not path.exists():
                path.write_bytes(_image_on_disk())
            self._driver = connect_writer(path, StoreSettings())
        self._control = self._driver.control()
        self._connection = engine_over(self._driver).connect()
        self._driver.guarded = True
        self.sql = SqlTx(self._connection)
        self.tx = Repositories(self.sql, ContentFiles(files, SystemEntropy()))
        self._numbers = itertools.count(1)

    def close(self) -> None:
        """Close the database."""
        self._driver.close()

    def turn(self, **by: float) -> None:
        """Turn the clock."""
        self.now += timedelta(**by)

    def write(self, work: Callable[[Repositories], T]) -> T:
        """Run work; what it raises rolls back."""
        self._control.execute(BEGIN_WRITING)
        self.sql.start(int(self.now.timestamp()))
        try:
            value = work(self.tx)
        except BaseException:
            self._control.execute("ROLLBACK")
            raise
        self._control.execute("COMMIT")
        return value

    def read(self, work: Callable[[Repositories], T]) -> T:
        """Run work and change nothing."""
        self._control.execute("BEGIN")
        self._control.execute("PRAGMA query_only = ON")
        try:
            return work(self.tx)
        finally:
            self._control.execute("PRAGMA query_only = OFF")
            self._control.execute("COMMIT")

    def forget_destroyed(self, before: datetime) -> int:
        """Forget messages destroyed before then; how many.  None may be found to lie still."""
        done = at_once(forget_destroyed(self.as_store(), before))
        assert not done.mended
        return done.messages

    def as_store(self) -> Any:
        """The store's read and write, each done at once."""
        bench = self

        class Door:
            async def read(self, work: Callable[[Repositories], T]) -> T:
                return bench.read(work)

            async def write(self, work: Callable[[Repositories], T]) -> T:
                return bench.write(work)

        return Door()

    @contextmanager
    def counted(self) -> Iterator[Callable[[], int]]:
        """How many steps of its machine the database takes meanwhile, by tens."""
        taken = 0

        def step() -> int:
            nonlocal taken
            taken += 1
            return 0

        self._driver.set_progress_handler(step, 10)
        try:
            yield lambda: taken
        finally:
            self._driver.set_progress_handler(None, 10)

    def broken(self) -> list[tuple[str, object]]:
        """What breaks an invariant; empty in a sound store."""
        return self.read(
            lambda tx: [
                (name, row) for name, query in _BROKEN.items() for row in query.rows(tx.sql)
            ]
        )

    # ------------------------------------------------------------ things to begin with

    def open_account(self, address: Address = ANN, quota_octets: int = 0) -> AccountId:
        """An account in a domain that is hosted when it was not."""
        domain = address.domain
        assert isinstance(domain, Domain)

        def work(tx: Repositories) -> AccountId:
            if tx.domains.find(domain) is None:
                tx.domains.add(domain, None, self.now)
            return tx.accounts.add(address, None, quota_octets, self.now).id

        return self.write(work)

    def mailbox(self, account: AccountId, name: str = INBOX) -> Mailbox:
        """The mailbox of that name as it is now; made where it is missing."""
        found = self.read(lambda tx: tx.mailboxes.find(account, name))
        if found is None:
            found = self.write(lambda tx: tx.mailboxes.create(account, name))
        return found

    def content(self, octets: bytes) -> ContentId:
        """Content in rows, as ContentRepository.keep makes it.  Call it within a write."""
        digesting = Digesting()
        digesting.feed(octets)
        number = self.sql.draw("content")
        self.sql.connection.execute(
            content.insert().values(
                id=number,
                size=len(octets),
                digest=digesting.digest(),
                checksums=digesting.checksums(),
                ends_line=int(digesting.ends_line),
                holders=0,
            )
        )
        for start in range(0, len(octets), CHUNK_OCTETS):
            self.sql.connection.execute(
                content_chunk.insert().values(
                    id=(number << CHUNK_BITS) + start // CHUNK_OCTETS,
                    octets=octets[start : start + CHUNK_OCTETS],
                )
            )
        return ContentId(number)

    def deliver(
        self,
        account: AccountId,
        *mailboxes: MailboxId,
        what: Analysis | None = None,
        octets: bytes | None = None,
        trace: bytes = b"Return-Path: <>\r\n",
        keywords: Sequence[str] = (),
        deleted: bool = False,
        quota: QuotaRule = QuotaRule.ENFORCE,
    ) -> tuple[Placed, ...]:
        """Store a message of its own id, by default in INBOX."""
        number = next(self._numbers)
        chosen = mailboxes or (self.mailbox(account).id,)
        new = what or analysis(subject=f"subject {number}", message_id=f"{number}@example.org")

        def work(tx: Repositories) -> tuple[Placed, ...]:
            own = b"Subject: subject %d\r\n\r\n" % number
            kept = self.content(own if octets is None else octets)
            message = NewMessage(
                kept,
                trace,
                new,
                InternalDate(1_700_000_000 + number, 60),
                frozenset(keywords),
                tuple(Target(mailbox, deleted) for mailbox in chosen),
            )
            return tx.messages.add(account, message, quota)

        return self.write(work)

    def flags(self, mailbox: MailboxId) -> dict[int, frozenset[str]]:
        """The flags of each live placement by UID, `\\Deleted` among them."""
        return self.read(lambda tx: flags_of(tx, mailbox))


def flags_of(tx: Repositories, mailbox: MailboxId) -> dict[int, frozenset[str]]:
    """What Workbench.flags finds, within a read."""
    view = tx.messages.view(mailbox)
    sets = tx.messages.keyword_sets(view.mailbox.account, view.keyword_sets)
    return {
        uid: sets[number] | ({"\\Deleted"} if deleted else frozenset())
        for uid, number, deleted in zip(view.uids, view.keyword_sets, view.deleted, strict=True)
    }
