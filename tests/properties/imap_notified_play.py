"""One seed's history of mailboxes that a client is told of with NOTIFY while others change them.

There is no model: the names, subscriptions and figures that the client was told are compared
with what somebody reads who asks for them.
"""

import random
import re
from dataclasses import dataclass, field
from typing import Final

from tests.dialogues.imap.world import World
from tests.properties.imap_client_mirror import Broken, numbers_of
from tests.properties.imap_spoken import Heard, Talk

OWNER: Final = "ann"
READER: Final = "bob"
ABOVE_OTHERS: Final = "Other users/ann@example.test/"
NAMES: Final = ("A", "A/b", "A/b/c", "Z", "Z/q", "Work")
FLAGS: Final = ("\\Seen", "\\Flagged", "\\Deleted", "work")
RIGHTS: Final = ("lr", "lrs", "l", "r", '""', "+r", "-r", "+l", "-l")
MODES: Final = (frozenset[str](), frozenset({"CONDSTORE"}), frozenset({"QRESYNC"}))
SELECTED: Final = (
    "(SELECTED (MessageNew (UID) MessageExpunge FlagChange)) ",
    "(SELECTED-DELAYED (MessageNew MessageExpunge FlagChange)) ",
    "",
)
EVENTS: Final = "(MessageNew MessageExpunge FlagChange MailboxName SubscriptionChange)"
_LIST: Final = re.compile(r'\* LIST \((.*?)\) "/" "(.*?)"(?: \("OLDNAME" \("(.*?)"\)\))?')
_STATUS: Final = re.compile(r'\* STATUS "(.*?)" \((.*)\)')
_COUNT: Final = re.compile(r"\* (\d+) EXISTS")
_GONE: Final = re.compile(r"\* \d+ EXPUNGE|\* VANISHED ([\d:,]+)")
_UID_VALIDITY: Final = re.compile(r"\* OK \[UIDVALIDITY (\d+)\]")
_NOT_THERE: Final = frozenset({"\\NonExistent", "\\Noselect", "\\NoAccess"})


@dataclass(slots=True)
class Picture:
    """What one client believes of the mailboxes that it may read.

    count, uid_validity: of the selected one.  is_lost: another mailbox has its name now, and
    what its own name is was not told.
    """

    names: set[str] = field(default_factory=set)
    subscribed: set[str] = field(default_factory=set)
    figures: dict[str, dict[str, int]] = field(default_factory=dict)
    selected: str = ""
    count: int = 0
    uid_validity: int = 0
    is_lost: bool = False

    def believe(self, heard: Heard) -> None:
        """Take all the lines in their order."""
        for line in heard.untagged:
            self._take(line.decode())

    def leave(self) -> None:
        """The selected mailbox is one like the others, as far as its client knows it."""
        if self.selected:
            self.figures[self.selected] = {"MESSAGES": self.count}
        self.selected = ""

    def _take(self, line: str) -> None:
        if "[CLOSED]" in line:
            self.leave()
        elif (found := _COUNT.fullmatch(line)) is not None:
            self.count = int(found[1])
        elif (found := _UID_VALIDITY.match(line)) is not None:
            self.uid_validity = int(found[1])
        elif (found := _GONE.fullmatch(line)) is not None:
            self.count -= 1 if found[1] is None else len(numbers_of(found[1].encode()))
        elif (found := _STATUS.match(line)) is not None:
            if found[1] not in self.names:
                raise Broken(f"{line}, and it was not told of")
            words = found[2].split()
            told = dict(zip(words[::2], map(int, words[1::2]), strict=True))
            if found[1] == self.selected:
                self._lose(line, told)
            self.figures.setdefault(found[1], {}).update(told)
        elif (found := _LIST.match(line)) is not None:
            self._take_name(found[2], set(found[1].split()), found[3])

    def _lose(self, line: str, told: dict[str, int]) -> None:
        """The mailbox was renamed, and another one took its name before that could be told."""
        is_same = told.get("UIDVALIDITY", self.uid_validity) == self.uid_validity
        if is_same and not self.is_lost:
            raise Broken(f"{line}, and it is selected")
        self.is_lost = True

    def _take_name(self, name: str, attributes: set[str], old_name: str | None) -> None:
        if old_name is not None:
            self._rename(old_name, name)
        self.names.add(name)
        if attributes & _NOT_THERE:
            self.names.discard(name)
            self.figures.pop(name, None)
            if name == self.selected:
                # What it held says nothing of another that gets its name.
                self.selected = ""
        self.subscribed.discard(name)
        if "\\Subscribed" in attributes:
            self.subscribed.add(name)

    def _rename(self, old_name: str, name: str) -> None:
        """What lies below moves along, all at once: one may take the old name of another."""
        below = [each for each in self.names if f"{each}/".startswith(f"{old_name}/")]
        moved = {each: name + each[len(old_name) :] for each in below}
        self.names = self.names.difference(moved).union(moved.values())
        figures = {moved[each]: self.figures.pop(each) for each in moved if each in self.figures}
        self.figures.update(figures)
        self.selected = moved.get(self.selected, self.selected)


class NotifiedPlay:
    """Two sessions of the owner change mailboxes; a third client is told of them.

    login: whose that client is: the owner's own, or that of one who may read some of them.
    """

    def __init__(self, world: World, seed: int, login: str) -> None:
        self.world = world
        self.transcript: list[str] = []
        self._chance = random.Random(seed)
        self._login = login
        self._above = "" if login == OWNER else ABOVE_OTHERS
        self._client = Talk(world, 1, self.transcript, login)
        self._asking = Talk(world, 4, self.transcript, login)
        self._writers = [Talk(world, number, self.transcript) for number in (2, 3)]
        self._picture = Picture()
        self._messages = 0

    async def begin(self) -> None:
        """Furnish the account, and let the client be told."""
        await self.world.given(f"account {OWNER}")
        await self.world.given(f"account {READER}")
        await self._asking.connect(frozenset({"CONDSTORE"}))
        for writer in self._writers:
            await self._come_again(writer)
        for name in NAMES[::2]:
            await self._writers[0].ask(f"CREATE {name}".encode())
            await self._writers[0].ask(f"SETACL {name} {READER}@example.test lr".encode())
        await self._listen()

    async def _listen(self) -> None:
        chance, client = self._chance, self._client
        await client.connect(chance.choice(MODES))
        self._picture = Picture(*await self._names())
        selected = chance.choice(SELECTED)
        of = "PERSONAL" if self._login == OWNER else f'SUBTREE "{ABOVE_OTHERS[:-1]}"'
        heard = await client.ask(f"NOTIFY SET STATUS {selected}({of} {EVENTS})".encode())
        if heard.status != b"OK":
            raise Broken(str(heard))
        self._picture.believe(heard)

    async def _come_again(self, writer: Talk) -> None:
        await writer.connect(self._chance.choice(MODES))
        await writer.ask(f"SELECT {self._chance.choice(NAMES)}".encode())

    async def leave(self) -> None:
        """Everybody goes."""
        for talk in (self._client, self._asking, *self._writers):
            talk.hang_up()
        await self.world.close()

    # ------------------------------------------------------------ steps

    async def step(self) -> None:
        """Somebody does something."""
        if self._chance.random() < 0.7:
            await self._write(self._chance.choice(self._writers))
        elif self._login == OWNER:
            await self._do_own()
        else:
            await self._hear("NOOP")

    async def _write(self, writer: Talk) -> None:
        """A session whose mailbox is deleted is sent away, and comes again."""
        chance = self._chance
        name, other = chance.choice(NAMES), chance.choice(NAMES)
        commands = [
            *(self._append(name), self._append(name), f"SELECT {name}", self._store(), "EXPUNGE"),
            *(f"COPY 1 {name}", f"MOVE * {name}", f"CREATE {name}", f"DELETE {name}"),
            *(f"RENAME {name} {other}", f"SUBSCRIBE {name}", f"UNSUBSCRIBE {name}"),
        ]
        if self._login != OWNER:
            rights = chance.choice(RIGHTS)
            commands += [f"SETACL {name} {who} {rights}" for who in (f"{READER}@example.test",) * 4]
            commands += [f"SETACL {name} anyone {rights}", f"DELETEACL {name} anyone"]
        try:
            await writer.ask(chance.choice(commands).encode())
        except Broken:
            self._was_sent_away()
            await self._come_again(writer)

    async def _do_own(self) -> None:
        """What the client does itself it does in its selected mailbox only."""
        chance, selected = self._chance, self._picture.selected
        if not selected or chance.random() < 0.3:
            name = chance.choice(NAMES)
            heard = await self._hear(f"SELECT {name}")
            if heard is not None and heard.status == b"OK":
                self._picture.selected = name
            return
        commands = ["NOOP", "EXPUNGE", self._store(), self._append(selected)]
        command = chance.choice([*commands, "FETCH 1:* (FLAGS)", f"COPY 1 {selected}"])
        await self._hear(command)
        if command.startswith(("APPEND", "COPY")) and self._picture.selected != selected:
            # It went to the mailbox that has the name now, and that is not told.
            self._picture.is_lost = True

    async def _hear(self, command: str) -> Heard | None:
        """None where its selected mailbox was deleted, and the client has come again."""
        try:
            heard = await self._client.ask(command.encode())
        except Broken:
            self._was_sent_away()
            await self._listen()
            return None
        self._picture.believe(heard)
        return heard

    def _was_sent_away(self) -> None:
        if not any("* BYE [NO" in line for line in self.transcript[-2:]):
            raise Broken("somebody was not answered")

    def _append(self, name: str) -> str:
        self._messages += 1
        flags = " ".join(self._chance.sample(FLAGS, self._chance.randrange(3)))
        content = f"Subject: {self._messages}\r\n\r\n"
        return f"APPEND {name} ({flags}) {{{len(content)}+}}\r\n{content}"

    def _store(self) -> str:
        numbers, edit = self._chance.choice(("1:*", "*", "1")), self._chance.choice("+-")
        return f"STORE {numbers} {edit}FLAGS ({self._chance.choice(FLAGS)})"

    # ------------------------------------------------------------ comparing

    async def compare(self) -> None:
        """What was told is what somebody reads who asks."""
        for _ in range(2):
            await self._hear("NOOP")
        is_nameless = self._picture.selected and self._picture.selected not in self._picture.names
        if is_nameless or self._picture.is_lost:
            # Renamed so that no OLDNAME could tell it: a client asks anew.
            self._client.hang_up()
            await self._listen()
        picture = self._picture
        names, subscribed = await self._names()
        if picture.names != names:
            raise Broken(f"told of {sorted(picture.names)}, there are {sorted(names)}")
        if self._login == OWNER and picture.subscribed != subscribed:
            raise Broken(f"told of {sorted(picture.subscribed)}, those are {sorted(subscribed)}")
        for name in sorted(names - {picture.selected}):
            await self._compare_figures(name, picture.figures.get(name, {}))

    async def _compare_figures(self, name: str, told: dict[str, int]) -> None:
        """Nothing need be told of a mailbox that is empty and always was."""
        items = "MESSAGES UIDNEXT"
        if "CONDSTORE" in self._client.enabled:
            items += " HIGHESTMODSEQ"
        heard = await self._asking.ask(f'STATUS "{name}" ({items})'.encode())
        found = Picture({name})
        found.believe(heard)
        there = found.figures.get(name)
        if there is None:
            raise Broken(f"{heard} of {name}")
        was_used = there["UIDNEXT"] > 1
        for item, value in there.items():
            if (item in told or (item == "MESSAGES" and was_used)) and told.get(item) != value:
                raise Broken(f"{name}: told {told}, it is {there}")

    async def _names(self) -> tuple[set[str], set[str]]:
        """The mailboxes that may be read, and those that are subscribed to."""
        ask = self._asking.ask
        listed = await ask(f'LIST "" "{self._above}*" RETURN (MYRIGHTS)'.encode())
        wanted = await ask(b'LIST (SUBSCRIBED) "" "*"')
        readable = re.findall(rb'\* MYRIGHTS "(.*?)" \w*r', b"\r\n".join(listed.untagged))
        all_of_them, subscribed = Picture(), Picture()
        all_of_them.believe(listed)
        subscribed.believe(wanted)
        names = all_of_them.names & {name.decode() for name in readable}
        return names, subscribed.subscribed
