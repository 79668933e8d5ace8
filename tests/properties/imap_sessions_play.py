"""One seed's history: three sessions, a model, and clients that went away with what they had."""

import asyncio
import itertools
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from mailbox_server.model.keywords import DELETED
from mailbox_server.model.uid_set import UidSet
from mailbox_server.store.ports import ReadTx, WriteTx
from mailbox_server.store.repositories import Repositories
from tests.dialogues.imap.world import World, message
from tests.properties.imap_account_model import AccountModel, Box, Kept
from tests.properties.imap_client_mirror import Broken, Mirror, Seen, fetched
from tests.properties.imap_random_commands import Asked, Expected, RandomCommands
from tests.properties.imap_spoken import Talk

MOST_KEPT: Final = 20
MODES: Final = (
    frozenset[str](),
    frozenset({"IMAP4rev2"}),
    frozenset({"CONDSTORE"}),
    frozenset({"QRESYNC"}),
    frozenset({"QRESYNC", "IMAP4rev2"}),
)
TEMPORARY: Final = ("Temporary", "Other")
BEGINNINGS: Final = ((1, 1), (1, 1), (5, 60), (90, 950), (99_980, 9_950), (2**32 - 5_000, 999_900))
"""UIDNEXT and the account's modseq: the lines of what comes are not all of one width."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a client had of a mailbox when it went away."""

    name: str
    uid_validity: int
    modseq: int
    flags: dict[int, frozenset[str]]


def _orders(steps: Sequence[int]) -> list[tuple[int, ...]]:
    """Each order in which so many steps of several commands may go, by the commands' places."""
    places = [place for place, count in enumerate(steps) for _ in range(count)]
    return sorted(set(itertools.permutations(places)))


class SessionsPlay:
    """Steps taken one after the other; `Broken` leaves where the server is wrong."""

    def __init__(self, world: World, seed: int) -> None:
        self.world = world
        self.transcript: list[str] = []
        self._chance = random.Random(seed)
        self._commands = RandomCommands(self._chance)
        self._model = AccountModel()
        self._clients = [Talk(world, number, self.transcript) for number in (1, 2, 3)]
        self._modes = dict(zip(self._clients, self._chance.sample(MODES, 3), strict=True))
        self._readers = [Talk(world, number, self.transcript) for number in (8, 9)]
        self._snapshots: list[Snapshot] = []
        self._away: dict[Talk, Snapshot] = {}
        self._validities: dict[str, int] = {}

    async def begin(self) -> None:
        """Two mailboxes, a few messages; everybody is there."""
        await self.world.given("account ann")
        for client in self._clients:
            await client.connect(self._modes[client])
        for reader, mode in zip(self._readers, ("CONDSTORE", "QRESYNC"), strict=True):
            await reader.connect(frozenset({mode}))
        reader = self._readers[0]
        for name in self.world.store.glance(self._told):
            if name != "INBOX":
                await reader.ask(b"DELETE " + name.encode())
        await reader.ask(b"CREATE Work")
        uid_next, modseq = self._chance.choice(BEGINNINGS)
        await self.world.store.write(partial(_stand_at, uid_next=uid_next, modseq=modseq))
        for name in ("INBOX", "Work"):
            self._model.boxes[self._model.create(name)].uid_next = uid_next
        self._settle()
        for _ in range(6):
            await self._deliver()

    async def end(self) -> None:
        """All that anybody ever had of a mailbox leads to what is there now."""
        for snapshot in self._snapshots:
            await self._read_again(snapshot)

    async def leave(self) -> None:
        """Everybody hangs up."""
        for talk in (*self._clients, *self._readers):
            talk.hang_up()
        await self.world.close()

    async def step(self) -> None:
        """One command of one client, or several at once, or something behind their backs."""
        client = self._chance.choice(self._clients)
        if client.idles:
            await client.done()
            await self._knows(client)
        elif not client.box:
            await self._enter(client)
        else:
            await self._some_step(client)
        for other in self._clients:
            if other.idles:
                await self._hears(other)

    async def _some_step(self, client: Talk) -> None:
        way = self._chance.random()
        if way < 0.55:
            await self._sequential(client)
        elif way < 0.72:
            await self._at_once()
        elif way < 0.78:
            await client.idle()
        elif way < 0.83:
            await self._deliver()
        elif way < 0.87:
            await self._leave(client)
        elif way < 0.91:
            await self._tree()
        elif way < 0.95:
            self._remember()
        elif self._snapshots:
            await self._read_again(self._chance.choice(self._snapshots))

    # ------------------------------------------------------------ one after the other

    async def _sequential(self, client: Talk) -> None:
        asked = self._choose(client, self._chance.choice(self._all(client)))
        asked.believe()
        heard = await client.ask(asked.octets)
        self._must(asked.apply(self._model).misses(heard), asked)
        self._settle()
        await self._knows(client)
        # What an answer tells may be older than what the same command tells at its end.
        told = {one.uid: one for line in heard.untagged if (one := fetched(line)) is not None}
        for uid, held in self._model.boxes[client.box].kept.items():
            last = told.get(uid)
            if last is not None and last.modseq not in (None, held.modseq):
                raise Broken(f"{asked.octets!r}: {last}, not {held}")

    def _choose(self, client: Talk, build: Callable[[Talk], Asked | None]) -> Asked:
        return build(client) or Asked(b"NOOP", lambda model: Expected())

    def _all(self, client: Talk) -> list[Callable[[Talk], Asked | None]]:
        commands = self._commands

        def status(_: Talk) -> Asked:
            return commands.status(self._model)

        def noop(_: Talk) -> None:
            return None

        return [
            *self._changing(),
            self._picking(commands.changed_since),
            commands.search,
            commands.search,
            commands.search,
            status,
            noop,
        ]

    def _changing(self) -> list[Callable[[Talk], Asked | None]]:
        commands = self._commands

        def expunge(client: Talk) -> Asked:
            return commands.expunge(client, commands.pick(client))

        store, fetch = self._picking(commands.store), self._picking(commands.fetch)
        chosen: list[Callable[[Talk], Asked | None]] = [store, store, store, fetch, expunge]
        if max(len(box.kept) for box in self._model.boxes.values()) < MOST_KEPT:
            model = self._model
            chosen += [
                self._picking(lambda client, picked: commands.copy(client, picked, model)),
                self._picking(lambda client, picked: commands.move(client, picked, model)),
                lambda client: commands.append(model),
            ]
        else:
            chosen.append(expunge)
        return chosen

    def _picking(self, build: Callable[..., Asked]) -> Callable[[Talk], Asked | None]:
        def built(client: Talk) -> Asked | None:
            picked = self._commands.pick(client)
            return None if picked is None else build(client, picked)

        return built

    # ------------------------------------------------------------ at once

    async def _at_once(self) -> None:
        """Several clients change things at the same time: some order explains what came."""
        awake = [one for one in self._clients if one.box and not one.idles]
        asked = [(one, self._choose(one, self._chance.choice(self._changing()))) for one in awake]
        for _, command in asked:
            command.believe()
        tags = [(one, one.begin(command.octets)) for one, command in asked]
        heard = await asyncio.gather(*(one.finish(tag) for one, tag in tags))
        told = self.world.store.glance(self._told)
        wrong: list[str] = []
        for order in _orders([len(command.steps) for _, command in asked]):
            model, missed = self._model.clone(), []
            steps = [list(command.steps) for _, command in asked]
            for at in order:
                expected = steps[at].pop(0)(model)
                if not steps[at]:
                    missed.append(expected.misses(heard[at]))
            wrong = [*filter(None, missed), *model.settle(told)]
            if not wrong:
                self._model = model
                break
        if wrong:
            raise Broken(f"no order explains {[command.octets for _, command in asked]}: {wrong}")
        for one in awake:
            await one.ask(b"NOOP")
            await self._knows(one)

    # ------------------------------------------------------------ coming and going

    async def _enter(self, client: Talk) -> None:
        away = self._away.pop(client, None)
        if away is not None and away.name in self._model.names:
            client.box = self._model.names[away.name]
            client.mirror = _mirror_of(away)
            await client.resync(away.name, away.uid_validity, away.modseq, self._known(away))
        else:
            name = self._chance.choice(["INBOX", "INBOX", *sorted(self._model.names)])
            condstore = self._chance.random() < 0.1
            read_only = self._chance.random() < 0.15
            client.box = self._model.names[name]
            await client.select(name, read_only=read_only, condstore=condstore)
        client.numbers_stood = False
        await self._knows(client)

    async def _leave(self, client: Talk) -> None:
        """CLOSE, UNSELECT, or the connection breaks, and the client comes back by QRESYNC."""
        box = self._model.boxes[client.box]
        way = self._chance.choice((b"CLOSE", b"UNSELECT", b""))
        if way:
            client.mirror = None
            await client.ask(way)
            if way == b"CLOSE" and not client.read_only:
                box.expunge()
            client.box = 0
            self._settle()
            return
        await client.ask(b"NOOP")
        await self._knows(client)
        if "QRESYNC" in client.enabled and client.mirror is not None:
            flags = {one.uid: one.flags for one in client.mirror.seen}
            self._away[client] = Snapshot(
                self._model.name_of(client.box),
                box.uid_validity,
                client.highest,
                {uid: held for uid, held in flags.items() if uid is not None and held is not None},
            )
        client.hang_up()
        await client.connect(self._modes[client])

    async def _deliver(self) -> None:
        self._commands.contents += 1
        number = self._commands.contents
        await self.world.deliver("ann", "INBOX", message(number))
        self._model.boxes[self._model.names["INBOX"]].add(number, ())
        self._settle()

    async def _tree(self) -> None:
        """Mailboxes are made, renamed and deleted; only such as nobody has selected."""
        reader, model = self._readers[0], self._model
        taken = {client.box for client in self._clients}
        free = [name for name in TEMPORARY if name not in model.names]
        idle = [name for name in TEMPORARY if model.names.get(name, 0) not in {0, *taken}]
        way = self._chance.random()
        if free and way < 0.4:
            await reader.ask(b"CREATE " + free[0].encode())
            model.create(free[0])
            self._settle()
            self._is_new(free[0])
        elif free and way < 0.7:
            name = self._chance.choice([one for one in model.names if one != free[0]])
            await reader.ask(b"RENAME " + name.encode() + b" " + free[0].encode())
            model.rename(name, free[0])
            self._settle()
            if name == "INBOX":
                self._is_new(free[0])
        elif idle:
            await reader.ask(b"DELETE " + idle[0].encode())
            model.delete(idle[0])
            self._settle()

    def _is_new(self, name: str) -> None:
        """Who knew a mailbox of that name must see that it is another (RFC 9051 §2.3.1.1)."""
        validity = self._model.boxes[self._model.names[name]].uid_validity
        if validity <= self._validities.get(name, 0):
            raise Broken(f"{name} is another mailbox of UIDVALIDITY {validity}")

    # ------------------------------------------------------------ what was is read again

    def _remember(self) -> None:
        name = self._chance.choice(sorted(self._model.names))
        box = self._model.boxes[self._model.names[name]]
        self._snapshots.append(Snapshot(name, box.uid_validity, box.highest, box.flags()))

    def _known(self, snapshot: Snapshot) -> bytes:
        """Known UIDs, and pairs of numbers and UIDs, where the client says them."""
        uids = sorted(snapshot.flags)
        if not uids or self._chance.random() < 0.4:
            return b""
        known = self._chance.choice((UidSet.of(uids).text().encode(), b"1:%d" % uids[-1]))
        if self._chance.random() < 0.5:
            return b" " + known
        at = sorted(self._chance.sample(range(len(uids)), min(3, len(uids))))
        numbers, pairs = (
            b",".join(b"%d" % (n + 1) for n in at),
            b",".join(b"%d" % uids[n] for n in at),
        )
        return b" " + known + b" (" + numbers + b" " + pairs + b")"

    async def _read_again(self, snapshot: Snapshot) -> None:
        """QRESYNC, CONDSTORE and a full reading come to the same, and to what is there."""
        if snapshot.name not in self._model.names:
            return
        box = self._model.boxes[self._model.names[snapshot.name]]
        by_search, by_vanished = self._readers
        by_vanished.mirror = _mirror_of(snapshot)
        await by_vanished.resync(
            snapshot.name, snapshot.uid_validity, snapshot.modseq, self._known(snapshot)
        )
        await by_vanished.learn()
        found = {one.uid: one.flags for one in by_vanished.mirror.seen}
        self._same(snapshot, found, box, "QRESYNC")
        by_vanished.mirror = None
        await by_vanished.ask(b"UNSELECT")

        heard = await by_search.select(snapshot.name, read_only=True)
        by_search.mirror = None
        known = (
            dict(snapshot.flags) if heard.number(b"UIDVALIDITY") == snapshot.uid_validity else {}
        )
        since = snapshot.modseq if known else 1
        changed = await by_search.ask(b"UID FETCH 1:* (FLAGS) (CHANGEDSINCE %d)" % since)
        for line in changed.untagged:
            told = fetched(line)
            if told is not None and told.uid is not None and told.flags is not None:
                known[told.uid] = told.flags
        there = (await by_search.ask(b"UID SEARCH ALL")).untagged
        living = {int(word) for line in there for word in line.split()[2:]}
        kept: dict[int | None, frozenset[str] | None] = {
            uid: flags for uid, flags in known.items() if uid in living
        }
        self._same(snapshot, kept, box, "CONDSTORE")
        whole = await by_search.ask(b"UID FETCH 1:* (FLAGS)")
        told_all = [told for line in whole.untagged if (told := fetched(line)) is not None]
        self._same(snapshot, {told.uid: told.flags for told in told_all}, box, "FETCH")
        await by_search.ask(b"UNSELECT")

    def _same(
        self, snapshot: Snapshot, found: dict[int | None, frozenset[str] | None], box: Box, way: str
    ) -> None:
        if found != box.flags():
            raise Broken(f"by {way} {found} from {snapshot}, not {box.flags()}")

    # ------------------------------------------------------------ comparing

    def _told(self, tx: ReadTx) -> dict[str, Box]:
        account, told = self._readers[0].account, {}
        for mailbox in tx.mailboxes.all(account):
            view = tx.messages.view(mailbox.id)
            sets = tx.messages.keyword_sets(account, view.keyword_sets)
            kept = {
                uid: Kept(0, sets[number] | ({DELETED} if deleted else frozenset()), modseq)
                for uid, number, deleted, modseq in zip(
                    view.uids, view.keyword_sets, view.deleted, view.modseqs, strict=True
                )
            }
            told[mailbox.name] = Box(
                mailbox.uid_validity, mailbox.uid_next, mailbox.highest_modseq, kept
            )
        return told

    def _settle(self) -> None:
        wrong = self._model.settle(self.world.store.glance(self._told))
        if wrong:
            raise Broken("; ".join(wrong))

    async def _knows(self, client: Talk) -> None:
        """The client knows what it must; then it asks for what it must ask for."""
        self._compare(client)
        await client.learn()
        self._compare(client)

    def _compare(self, client: Talk) -> None:
        assert client.mirror is not None
        flags = self._model.boxes[client.box].flags()
        wrong = client.mirror.difference(flags, numbers_stood=client.numbers_stood)
        if wrong:
            raise Broken(f"client {client.number} {wrong}")

    async def _hears(self, client: Talk) -> None:
        """An idling client is told by itself; it comes, however long the machine takes."""
        assert client.mirror is not None
        flags = self._model.boxes[client.box].flags()
        while wrong := client.mirror.difference(flags, numbers_stood=False):
            try:
                await client.hear()
            except TimeoutError:
                raise Broken(f"idling client {client.number} {wrong}") from None

    def _must(self, wrong: str, asked: Asked) -> None:
        if wrong:
            raise Broken(f"{asked.octets!r}: {wrong}")


def _stand_at(tx: WriteTx, *, uid_next: int, modseq: int) -> None:
    """As if the mailboxes had held so many messages, and the account seen as many changes."""
    assert isinstance(tx, Repositories)
    values = {"uid_next": uid_next, "modseq": modseq}
    tx.sql.scratch.execute(
        "UPDATE mailbox SET uid_next = :uid_next, recent_from = :uid_next", values
    )
    tx.sql.scratch.execute("UPDATE account SET modseq = max(modseq, :modseq)", values)


def _mirror_of(snapshot: Snapshot) -> Mirror:
    mirror = Mirror(0, by_uid=True)
    mirror.seen = [Seen(uid, snapshot.flags[uid]) for uid in sorted(snapshot.flags)]
    return mirror
