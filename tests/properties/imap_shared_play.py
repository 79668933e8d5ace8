"""One seed's history of a mailbox that its owner and two others use, each in some sessions.

There is no model: what clients believe, what is kept for them, and what those find who come
back, is compared with what somebody finds for whom nothing was kept.
"""

import random
import re
from dataclasses import dataclass
from typing import Final

from mailbox_server.imap.views.shared_views import SharedViews
from mailbox_server.store.integrity import violations
from tests.dialogues.imap.world import World
from tests.properties.imap_client_mirror import Broken, Mirror, Seen, fetched
from tests.properties.imap_spoken import Heard, Talk

OWNER: Final = "ann"
READERS: Final = {"ben": "lrswite", "carl": "lrs"}
OTHERS: Final = "Other users/ann@example.test/Work"
SUBJECTS: Final = ("a", "Re: a", "b", "", "c")
SORTS: Final = (
    "SUBJECT",
    "REVERSE SUBJECT",
    "REVERSE DATE",
    "REVERSE SIZE SUBJECT",
    "FROM REVERSE SUBJECT",
    "DISPLAYTO REVERSE ARRIVAL",
)
KEYS: Final = ("ALL", "UNSEEN", "UNDELETED", "KEYWORD work", "LARGER 150")
FLAGS: Final = ("\\Seen", "\\Seen", "\\Flagged", "\\Deleted", "work")
MODES: Final = (frozenset[str](), frozenset({"CONDSTORE"}), frozenset({"QRESYNC"}))
_UPDATE: Final = re.compile(rb'\* ESEARCH \(TAG "([^"]+)"\) UID ((?:ADDTO|REMOVEFROM).*)')
_CHANGES: Final = re.compile(rb"(ADDTO|REMOVEFROM) \(([^)]*)\)")
_ALL: Final = re.compile(rb"\* ESEARCH .* UID ALL ([\d:,]+)")

Flags = dict[int, tuple[frozenset[str] | None, int | None]]


@dataclass(slots=True)
class Kept:
    """A SORT that is kept up to date: how it was asked, and its results as they were told."""

    tag: bytes
    asked: str
    results: list[int]

    def change(self, told: bytes) -> None:
        """Believe ADDTO and REMOVEFROM."""
        for kind, pairs in _CHANGES.findall(told):
            words = pairs.split()
            for position, numbers in zip(words[::2], words[1::2], strict=True):
                at, uids = int(position) - 1, in_order(numbers)
                if kind == b"ADDTO" and 0 <= at <= len(self.results):
                    self.results[at:at] = uids
                elif kind == b"REMOVEFROM" and self.results[at : at + len(uids)] == uids:
                    del self.results[at : at + len(uids)]
                else:
                    raise Broken(f"{told!r} where there is {self.results}")


@dataclass(frozen=True, slots=True)
class Left:
    """What a client had when it went away."""

    login: str
    uid_validity: int
    modseq: int
    flags: Flags


def in_order(text: bytes) -> list[int]:
    """The numbers of a set, in the order of the set."""
    found: list[int] = []
    for part in text.split(b","):
        first, _, last = part.partition(b":")
        low, high = int(first), int(last or first)
        found += range(low, high + 1) if low <= high else range(low, high - 1, -1)
    return found


def name_for(login: str) -> str:
    """What an account calls the mailbox."""
    return "Work" if login == OWNER else OTHERS


class SharedPlay:
    """Steps taken one after the other; `Broken` leaves where the server is wrong."""

    def __init__(self, world: World, seed: int) -> None:
        self.world = world
        self.transcript: list[str] = []
        self._chance = random.Random(seed)
        self._talks = [
            Talk(world, number, self.transcript, login)
            for number, login in enumerate((OWNER, OWNER, *READERS, "ben"), 1)
        ]
        self._kept: dict[Talk, Kept] = {}
        self._left: list[Left] = []
        self._messages = 0

    async def begin(self) -> None:
        """A shared mailbox with some messages; everybody is there."""
        await self.world.given("account ann with mailbox Work")
        for name in READERS:
            await self.world.given(f"account {name}")
        for talk in self._talks:
            await talk.connect(self._chance.choice(MODES))
        for name, rights in READERS.items():
            await self._talks[0].ask(f"SETACL Work {name} {rights}".encode())
        for _ in range(6):
            await self._append(self._talks[0])
        for talk in self._talks:
            await self._enter(talk)

    async def leave(self) -> None:
        """Everybody hangs up."""
        for talk in self._talks:
            talk.hang_up()
        await self.world.close()

    # ------------------------------------------------------------ steps

    async def step(self) -> None:
        """One command of one client."""
        talk = self._chance.choice(self._talks)
        if talk.idles:
            self._believe(talk, await talk.done())
        elif self._chance.random() < 0.06:
            await self._enter(talk)
        elif self._chance.random() < 0.06:
            fresh = await self._fresh(talk.login)
            self._left.append(Left(talk.login, *await self._look(fresh)))
            fresh.hang_up()
        elif self._chance.random() < 0.06:
            await talk.idle()
        else:
            await self._command(talk)
        if not talk.idles:
            await talk.learn()

    async def _command(self, talk: Talk) -> None:
        assert talk.mirror is not None
        uids, chance = talk.mirror.uids, self._chance
        if not uids or chance.random() < 0.15:
            await self._append(talk)
            return
        some = ",".join(map(str, sorted(chance.sample(uids, min(len(uids), chance.randint(1, 4))))))
        name = name_for(talk.login)
        to = f'"{chance.choice((name, name, "INBOX"))}"'
        flags = " ".join(chance.sample(FLAGS, chance.randint(1, 2)))
        since = chance.choice(("", "", "", "(UNCHANGEDSINCE 20) "))
        silent = chance.choice((".SILENT", ""))
        command = chance.choice(
            (
                f"UID STORE {some} {since}{chance.choice('+-')}FLAGS{silent} ({flags})",
                f"UID STORE {some} FLAGS ({flags})",
                f"UID STORE 1:* {chance.choice('+-')}FLAGS (\\Seen)",
                f"UID FETCH {some} BODY[TEXT]",
                "EXPUNGE",
                f"UID COPY {some} {to}",
                f"UID MOVE {some} {to}",
                f"UID SORT ({chance.choice(SORTS)}) UTF-8 ALL",
                "UID THREAD REFERENCES UTF-8 ALL",
                "NOOP",
            )
        )
        self._believe(talk, await talk.ask(command.encode()))
        if ".SILENT" in command:
            # What it had to expect depends on the rights: it asks.
            self._believe(talk, await talk.ask(f"UID FETCH {some} (UID FLAGS)".encode()))

    async def _append(self, talk: Talk) -> None:
        self._messages += 1
        chance = self._chance
        named = chance.choices(range(1, self._messages + 1), k=chance.randrange(3))
        references = " ".join(f"<{number}@x>" for number in named)
        text = (
            f"From: {chance.choice('xyz')}@e.test\r\nSubject: {chance.choice(SUBJECTS)}\r\n"
            f"Message-ID: <{self._messages}@x>\r\nReferences: {references}\r\n"
            f"Date: Fri, {chance.randint(1, 3)} Jan 2026 03:04:05 +0000\r\n\r\n"
            + "b"
            * chance.randrange(4)
        )
        flags = " ".join(chance.sample(FLAGS, chance.randrange(3)))
        command = f'APPEND "{name_for(talk.login)}" ({flags}) {{{len(text)}+}}\r\n{text}'
        self._believe(talk, await talk.ask(command.encode()))

    async def _enter(self, talk: Talk) -> None:
        """Select; what was kept is forgotten, and something is to be kept again."""
        kept = self._kept.pop(talk, None)
        if talk.mirror is not None and kept is not None:
            await talk.ask(f'CANCELUPDATE "{kept.tag.decode()}"'.encode())
        await talk.select(name_for(talk.login))
        await talk.learn()
        asked = f"({self._chance.choice(SORTS)}) UTF-8 {self._chance.choice(KEYS)}"
        heard = await talk.ask(f"UID SORT RETURN (UPDATE ALL) {asked}".encode())
        self._kept[talk] = Kept(heard.tagged.split(b" ")[0], asked, _results(heard))
        self._believe(talk, heard)

    def _believe(self, talk: Talk, heard: Heard) -> None:
        kept = self._kept.get(talk)
        for line in heard.untagged:
            told = _UPDATE.fullmatch(line)
            if told is not None and kept is not None and told[1] == kept.tag:
                kept.change(told[2])

    # ------------------------------------------------------------ comparing

    async def compare(self) -> None:
        """Everybody knows what is there, whatever was kept."""
        for talk in self._talks:
            if talk.idles:
                self._believe(talk, await talk.done())
            self._believe(talk, await talk.ask(b"NOOP"))
            await talk.learn()
        for talk in self._talks:
            # What the others did in their turn.
            self._believe(talk, await talk.ask(b"NOOP"))
            await talk.learn()
            fresh = await self._fresh(talk.login)
            await self._compare_with(talk, fresh)
            for left in self._left:
                if left.login == talk.login:
                    await self._come_back(left, (await self._look(fresh))[2])
            fresh.hang_up()
        del self._left[:-3]
        found = await violations(self.world.store)
        if found:
            raise Broken(f"{found}")

    async def _compare_with(self, talk: Talk, fresh: Talk) -> None:
        assert talk.mirror is not None
        _, highest, truth = await self._look(fresh)
        mine: Flags = {one.uid or 0: (one.flags, one.modseq) for one in talk.mirror.seen}
        for uid in truth.keys() | mine.keys():
            held, there = mine.get(uid), truth.get(uid)
            if held is None or there is None or held[0] != there[0]:
                raise Broken(f"{talk.number} has UID {uid} as {held}, it is {there}")
            if held[1] not in (None, there[1]) or (there[1] or 0) > highest:
                raise Broken(f"UID {uid}: modseq {held[1]}, it is {there[1]}, {highest} at most")
        unseen = sum("\\Seen" not in (flags or ()) for flags, _ in truth.values())
        status = b"(UNSEEN %d HIGHESTMODSEQ %d)" % (unseen, highest)
        name = name_for(talk.login)
        heard = await talk.ask(f'STATUS "{name}" (UNSEEN HIGHESTMODSEQ)'.encode())
        if not any(status in line for line in heard.untagged):
            raise Broken(f"{heard} is not {status!r}")
        kept = self._kept[talk]
        found = _results(await fresh.ask(f"UID SORT RETURN (ALL) {kept.asked}".encode()))
        if kept.results != found:
            raise Broken(f"{talk.number} keeps {kept}, and it is {found}")
        asked = [*(f"UID SORT ({each}) UTF-8 ALL" for each in SORTS), "THREAD REFERENCES UTF-8 ALL"]
        for command in asked:
            here, there = [await each.ask(command.encode()) for each in (talk, fresh)]
            if here.untagged != there.untagged:
                raise Broken(f"{command}: {here}, not {there}")

    async def _fresh(self, login: str) -> Talk:
        """Somebody for whom nothing was kept."""
        world = self.world
        views = SharedViews(world.store, world.tasks, world.events, 1 << 27)
        talk = Talk(world, 9, self.transcript, login, views)
        await talk.connect(frozenset({"CONDSTORE"}))
        await talk.select(name_for(login), read_only=True)
        return talk

    async def _look(self, fresh: Talk) -> tuple[int, int, Flags]:
        """UIDVALIDITY, HIGHESTMODSEQ, and all messages."""
        heard = await fresh.select(name_for(fresh.login), read_only=True)
        told = await fresh.ask(b"FETCH 1:* (UID FLAGS MODSEQ)")
        found: Flags = {}
        for line in told.untagged:
            one = fetched(line)
            if one is not None and one.uid is not None:
                found[one.uid] = (one.flags, one.modseq)
        return heard.number(b"UIDVALIDITY"), heard.number(b"HIGHESTMODSEQ"), found

    async def _come_back(self, left: Left, now: Flags) -> None:
        """Who resynchronizes from what it had has what is there now."""
        talk = Talk(self.world, 8, self.transcript, left.login)
        await talk.connect(frozenset({"QRESYNC"}))
        talk.mirror = Mirror(0, by_uid=True)
        talk.mirror.seen = [Seen(uid, *held) for uid, held in sorted(left.flags.items())]
        name = name_for(left.login)
        await talk.resync(name, left.uid_validity, left.modseq, self._known(sorted(left.flags)))
        await talk.learn()
        mine: Flags = {one.uid or 0: (one.flags, one.modseq) for one in talk.mirror.seen}
        talk.hang_up()
        if mine != now:
            raise Broken(f"who left at {left.modseq} has {mine}, it is {now}")

    def _known(self, uids: list[int]) -> bytes:
        """Known UIDs and sequence match data (RFC 7162 §3.2.5), or nothing."""
        if not uids or self._chance.random() < 0.5:
            return b""
        places = sorted(self._chance.sample(range(len(uids)), self._chance.randint(1, len(uids))))
        numbers = ",".join(str(place + 1) for place in places)
        named = ",".join(str(uids[place]) for place in places)
        return f" 1:{uids[-1]} ({numbers} {named})".encode()


def _results(heard: Heard) -> list[int]:
    for line in heard.untagged:
        found = _ALL.match(line)
        if found is not None:
            return in_order(found[1])
    return []
