"""A JMAP client in short: it keeps what it was told, and asks only for what changed."""

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from mailbox_server.model.errors import StateTooOld
from mailbox_server.model.ids import AccountId
from mailbox_server.model.state_token import StateToken
from mailbox_server.store.ports import AccountChanges
from mailbox_server.store.repositories import Repositories
from mailbox_server.store.schema.mailboxes import keyword_set, mailbox, subscription
from mailbox_server.store.schema.messages import message, placement
from tests.contract.workbench import Workbench

Cache = dict[int, Any]


def truth(tx: Repositories, account: AccountId) -> dict[str, Cache]:
    """All that a client can see of messages, threads and mailboxes, from the placements alone."""
    places = tx.sql.rows(
        sa.select(placement.c.message, placement.c.mailbox, message.c.thread, keyword_set.c.names)
        .join_from(placement, message, message.c.id == placement.c.message)
        .outerjoin(keyword_set, keyword_set.c.id == placement.c.keyword_set)
        .where(
            message.c.account == account,
            placement.c.expunged_at.is_(None),
            placement.c.deleted == 0,
        )
    )
    messages: dict[int, tuple[set[int], str]] = {}
    threads: dict[int, set[int]] = {}
    counts: dict[int, set[tuple[int, bool]]] = {}
    for number, place, thread, names in places:
        messages.setdefault(number, (set(), names))[0].add(place)
        threads.setdefault(thread, set()).add(number)
        counts.setdefault(place, set()).add((number, "Seen" in (names or "")))
    rows = tx.sql.rows(
        sa.select(mailbox.c.id, mailbox.c.name, mailbox.c.role).where(
            mailbox.c.account == account, mailbox.c.destroyed_at.is_(None)
        )
    )
    subscribed = {name for (name,) in tx.sql.rows(sa.select(subscription.c.name))}
    numbers = {name: number for number, name, _ in rows}
    return {
        "messages": dict(messages),
        "threads": dict(threads),
        "mailboxes": {
            number: (
                name,
                role,
                name in subscribed,
                numbers.get(name.rpartition("/")[0]),
                counts.get(number, set()),
            )
            for number, name, role in rows
        },
    }


class Follower:
    """What the client holds, and in which state it holds it, kind by kind."""

    def __init__(self, bench: Workbench, account: AccountId) -> None:
        self.bench = bench
        self.account = account
        self.states: dict[str, str] = {}
        self.caches: dict[str, Cache] = {}
        self.reload()

    def reload(self) -> None:
        """Begin with everything."""

        def work(tx: Repositories) -> None:
            self.caches = truth(tx, self.account)
            self.states = dict.fromkeys(self.caches, str(tx.changes.state(self.account)))

        self.bench.read(work)

    def catch_up(self, limit: int, most_pages: int) -> None:
        """Ask for at most so many pages of each kind."""
        for kind in self.caches:
            for _ in range(most_pages):
                try:
                    complete = self.bench.read(lambda tx, kind=kind: self._page(tx, kind, limit))
                except StateTooOld:
                    self.reload()
                    break
                if complete:
                    break

    def _page(self, tx: Repositories, kind: str, limit: int) -> bool:
        ask: dict[str, Callable[..., AccountChanges[Any]]] = {
            "messages": tx.changes.messages_since,
            "threads": tx.changes.threads_since,
            "mailboxes": tx.changes.mailboxes_since,
        }
        since = StateToken.parse(self.states[kind])
        changes = ask[kind](self.account, since, limit)
        told = [*changes.created, *changes.updated, *changes.destroyed]
        assert len(told) == len(set(told)) <= limit
        present, cache = truth(tx, self.account)[kind], self.caches[kind]
        if not since.is_paging:
            assert set(changes.updated) <= set(cache)
            assert set(changes.destroyed) <= set(cache)
        if changes.only_counts:
            assert all(present[each][:4] == cache[each][:4] for each in changes.updated)
        # A message that changed again behind this page is told of later; it is read as it is.
        cache.update({each: present[each] for each in [*changes.created, *changes.updated]})
        for each in changes.destroyed:
            assert each not in present
            cache.pop(each, None)
        self.states[kind] = str(changes.upto)
        if changes.complete:
            assert cache == present
            assert changes.upto == tx.changes.state(self.account)
        return changes.complete
