"""The store in which every point of the sweep begins: five accounts, ann with mail to act on."""

import base64
import random
import shutil
from collections.abc import Callable, Coroutine, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TypeVar

from mailbox_server.auth.passwords import HashCost, Passwords
from mailbox_server.mime.message import analyze
from mailbox_server.mime.scanner import scan
from mailbox_server.model.account import Account, Credentials
from mailbox_server.model.address import Address, Domain
from mailbox_server.model.ids import AccountId
from mailbox_server.model.message import InternalDate, Target
from mailbox_server.model.ports import Silence, SystemClock, SystemEntropy
from mailbox_server.store.door import SqliteStore
from mailbox_server.store.ports import NewMessage, QuotaRule, WriteTx
from mailbox_server.store.settings import MIB, StoreSettings
from tests.bench.smtp_generator import message
from tests.e2e.appliance import DOMAIN
from tests.faults.world import Box, Letter, World, letter, world_of

T = TypeVar("T")

PEOPLE: Final = ("ann", "ben", "cat", "dan", "eve")
PASSWORD: Final = "secret"
LARGE_OCTETS: Final = 600_000
"""Above the boundary from which contents are files."""

_HOLDINGS: Final = (
    ("INBOX", 2_000, ()),
    ("INBOX", 9_000, ("\\Seen",)),
    ("INBOX", LARGE_OCTETS, ()),
    ("INBOX", 2_000, ("\\Flagged", "work")),
    ("INBOX", 100_000, ()),
    ("Work", 2_000, ()),
    ("Work", 2_000, ("\\Seen",)),
    ("Work/Old", 2_000, ()),
)
# No reserve: the checker must not take room that the next life measures.
_SETTINGS: Final = StoreSettings(reserve_octets=0, low_room_octets=0, log_octets=MIB, readers=1)


def attached(mark: str, octets: int, chance: random.Random) -> bytes:
    """A distinct message that large, nearly all of it an attachment: little text to search."""
    whole = message(mark, 0, chance)
    head, _, _ = whole.partition(b"Content-Type: ")
    size = max(octets - len(head) - 300, 0) * 56 // 78
    lines = base64.encodebytes(chance.randbytes(size)).replace(b"\n", b"\r\n")
    return (
        head + b'Content-Type: multipart/mixed; boundary="=-"\r\n\r\n'
        b"--=-\r\nContent-Type: text/plain\r\n\r\nPlease see the attachment.\r\n"
        b"--=-\r\nContent-Type: application/octet-stream\r\n"
        b'Content-Disposition: attachment; filename="it"\r\n'
        b"Content-Transfer-Encoding: base64\r\n\r\n" + lines + b"\r\n--=---\r\n"
    )


async def inside(data: Path, work: Callable[[SqliteStore], Coroutine[Any, Any, T]]) -> T:
    """Open the store of a folder, as a restart without a hand does, and work in it."""
    faults: list[BaseException] = []
    store = await SqliteStore.open(
        data, _SETTINGS, SystemClock(), SystemEntropy(), Silence(), faults.append
    )
    try:
        value = await work(store)
    finally:
        await store.close()
    assert not faults, faults
    return value


async def make(place: Path) -> World:
    """Make the template in a folder; it is left as a killed process leaves it, log unfolded."""
    return await inside(place.with_suffix(".open"), lambda store: _fill(store, place))


async def furnish(
    store: SqliteStore, passwords: Mapping[str, str], domain_name: str = DOMAIN
) -> dict[str, AccountId]:
    """Host the domain, and open an account for each name, its password cheap to verify."""
    domain = Domain.parse(domain_name)
    await store.write(lambda tx: tx.domains.add(domain, None, datetime.now(UTC)))
    hasher = Passwords(HashCost(memory_kib=8, passes=1), SystemEntropy())
    accounts: dict[str, AccountId] = {}
    for name, password in passwords.items():
        address, credentials = Address.parse(f"{name}@{domain_name}"), hasher.credentials(password)

        def work(
            tx: WriteTx, address: Address = address, credentials: Credentials = credentials
        ) -> Account:
            return tx.accounts.add(address, credentials, 0, datetime.now(UTC))

        accounts[name] = (await store.write(work)).id
    return accounts


async def _fill(store: SqliteStore, place: Path) -> World:
    owner = (await furnish(store, dict.fromkeys(PEOPLE, PASSWORD)))["ann"]
    # The level above is made with it.
    await store.write(lambda tx: tx.mailboxes.create(owner, "Work/Old"))
    chance = random.Random(1)
    held: dict[str, list[Letter]] = {}
    for number, (mailbox, octets, flags) in enumerate(_HOLDINGS):
        content = attached(f"held-{number}", octets, chance)
        await _deliver(store, owner, mailbox, content, frozenset(flags))
        held.setdefault(mailbox, []).append(letter(content, *flags))
    world = await world_of(store)
    for mailbox, letters in held.items():
        box = world["ann", mailbox]
        assert box == Box(box.uid_validity).with_added(*letters)
    shutil.copytree(store.data, place)
    return world


async def _deliver(
    store: SqliteStore, account: AccountId, mailbox: str, content: bytes, flags: frozenset[str]
) -> None:
    structure, header = scan(content)
    analysis = analyze(structure, header, lambda start, count: content[start : start + count])
    staging = store.stage(len(content))
    staging.feed(content)
    staged = await staging.finish()

    def work(tx: WriteTx) -> None:
        place = tx.mailboxes.find(account, mailbox)
        assert place is not None
        kept = tx.contents.keep(staged)
        date = InternalDate(1_700_000_000)
        new = NewMessage(kept, b"", analysis, date, flags, (Target(place.id),))
        tx.messages.add(account, new, QuotaRule.ENFORCE)

    await store.write(work, (staged,))
