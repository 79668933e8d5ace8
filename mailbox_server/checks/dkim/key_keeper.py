"""Keep the signing keys of all hosted domains: made, looked for in the DNS, changed in time.

Nothing here fails for one domain because of another, and what the DNS cannot answer now
changes nothing.  The owner hears by events what is to be published or may be removed.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Protocol

from mailbox_server.checks.dkim.keys import make_key, new_selector, record_name
from mailbox_server.checks.dkim.rotation import (
    Forget,
    Make,
    Promote,
    RotationRules,
    Step,
    due,
    present,
    publishes,
)
from mailbox_server.dns.answers import Answer
from mailbox_server.model.address import Domain
from mailbox_server.model.dkim_key import DkimKey, KeyAlgorithm, KeyState, NewDkimKey
from mailbox_server.model.ids import DkimKeyId
from mailbox_server.model.ports import Clock, Events
from mailbox_server.store.ports import Store, WriteTx

AT_ONCE: Final = 50
"""The records of so many domains are asked for together."""


class TextRecords(Protocol):
    """Who looks TXT records up (dns.Resolver)."""

    async def txt(self, name: str) -> Answer[bytes]:
        """The TXT records of a name, the strings of each joined."""


def make_pair(domain: Domain, now: datetime) -> tuple[NewDkimKey, ...]:
    """The first keys of a domain, one of each algorithm; not on the event loop."""
    return tuple(
        make_key(domain, algorithm, new_selector(algorithm, now, ())) for algorithm in KeyAlgorithm
    )


@dataclass(slots=True)
class KeyKeeper:
    """Does what is due; rules may be changed at any time."""

    store: Store
    records: TextRecords
    clock: Clock
    events: Events
    rules: RotationRules

    async def provide(self) -> None:
        """Give the domains that have none their keys; at the start.  Raises StoreUnavailable."""
        for domain, keys in await self._all():
            for algorithm in KeyAlgorithm:
                if not any(key.algorithm is algorithm for key in keys):
                    await self._make(domain, keys, Make(algorithm, KeyState.SIGNING))

    async def keep(self) -> None:
        """Look for all records and do what is due; a few times a day.

        Raises StoreUnavailable.
        """
        everything = await self._all()
        for start in range(0, len(everything), AT_ONCE):
            some = everything[start : start + AT_ONCE]
            now = self.clock.now()
            answers = await self._ask([key for _, keys in some for key in keys])
            for domain, keys in some:
                looked = [await self._judge(key, answers.get(key.id), now) for key in keys]
                for step in due(looked, self.rules, now):
                    await self._take(domain, looked, step, now)
            if answers and all(answer.is_trouble for answer in answers.values()):
                # The others have to wait as well: questions that nobody answers take long.
                return

    async def _all(self) -> list[tuple[Domain, list[DkimKey]]]:
        domains = await self.store.read(lambda tx: [one.domain for one in tx.domains.all()])
        keys = await self.store.read(lambda tx: tx.dkim_keys.all())
        by_domain: dict[Domain, list[DkimKey]] = {domain: [] for domain in domains}
        for key in keys:
            by_domain.setdefault(key.domain, []).append(key)
        return list(by_domain.items())

    async def _ask(self, keys: Sequence[DkimKey]) -> dict[DkimKeyId, Answer[bytes]]:
        """What the DNS says of the records of those that are not retired, all asked at once."""
        asked = [key for key in keys if key.state is not KeyState.RETIRED]
        answers = await asyncio.gather(*(self.records.txt(record_name(key)) for key in asked))
        return {key.id: answer for key, answer in zip(asked, answers, strict=True)}

    async def _judge(self, key: DkimKey, answer: Answer[bytes] | None, now: datetime) -> DkimKey:
        """The key with what the DNS says of its record just now."""
        if answer is None or answer.is_trouble:
            return key
        seen = None
        if any(publishes(record, key) for record in answer.records):
            seen = key.seen or now
        else:
            self.events.warning(
                "dkim.record_missing",
                domain=key.domain.ascii,
                record=record_name(key),
                state=key.state.value,
            )
        if seen != key.seen:
            await self.store.write(lambda tx: tx.dkim_keys.saw(key.id, seen))
        return replace(key, seen=seen)

    async def _take(
        self, domain: Domain, keys: Sequence[DkimKey], step: Step, now: datetime
    ) -> None:
        match step:
            case Make():
                await self._make(domain, keys, step)
            case Promote(key, before):
                await self.store.write(lambda tx: promote(tx, key, before, now))
                self._tell("dkim.key_signs", key)
            case Forget(key):
                await self.store.write(lambda tx: tx.dkim_keys.remove(key.id))
                self._tell("dkim.key_forgotten", key)

    async def _make(self, domain: Domain, keys: Sequence[DkimKey], step: Make) -> None:
        made = await make_next(self.store, domain, keys, step, self.clock.now())
        if made is not None:
            self._tell("dkim.key_made", made)

    def _tell(self, event: str, key: DkimKey) -> None:
        self.events.info(event, domain=key.domain.ascii, record=record_name(key))


async def make_next(
    store: Store, domain: Domain, keys: Sequence[DkimKey], step: Make, now: datetime
) -> DkimKey | None:
    """Make and keep a key beside those; None where another came first or the domain went."""
    taken = {key.selector for key in keys}
    selector = new_selector(step.algorithm, now, taken)
    new = await asyncio.to_thread(make_key, domain, step.algorithm, selector)

    def add(tx: WriteTx) -> DkimKey | None:
        present_keys = tx.dkim_keys.all(domain)
        if tx.domains.find(domain) is None or present(present_keys, step.algorithm, step.state):
            return None
        return tx.dkim_keys.add(new, step.state, now)

    return await store.write(add)


def promote(tx: WriteTx, key: DkimKey, before: DkimKey | None, now: datetime) -> None:
    """Sign with a key in place of the one before, which is retired."""
    if before is not None:
        tx.dkim_keys.set_state(before.id, KeyState.RETIRED, now)
    tx.dkim_keys.set_state(key.id, KeyState.SIGNING, now)
