"""An IMAP client over a conversation in memory: sends commands, and mirrors what it is told."""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from mailbox_server.imap.commands import COMMAND_TABLE
from mailbox_server.imap.session import Security
from mailbox_server.imap.stream.conversation import Conversation
from mailbox_server.imap.views.shared_views import SharedViews
from mailbox_server.model.address import parse_ip
from mailbox_server.model.ids import AccountId
from tests.dialogues.imap.memory_driver import MemoryWire
from tests.dialogues.imap.world import PASSWORD, PATIENCE_SECONDS, World
from tests.properties.imap_client_mirror import Broken, Mirror, Seen, fetched, numbers_of

NUMBERS_STAND: Final = frozenset({b"FETCH", b"STORE", b"SEARCH", b"SORT", b"THREAD"})
_LITERAL_AT_END: Final = re.compile(rb"\{(\d+)\}\Z")
_EXISTS: Final = re.compile(rb"\* (\d+) EXISTS")
_FLAGS: Final = re.compile(rb"\* FLAGS \((.*)\)")
_VANISHED: Final = re.compile(rb"\* VANISHED \(EARLIER\) ([\d:,]+)")
_MODSEQ: Final = re.compile(rb"MODSEQ \(?(\d+)")
_TRANSCRIPT_LINES: Final = 60
_ROUNDS: Final = 3


@dataclass(frozen=True, slots=True)
class Heard:
    """The answer to one command."""

    untagged: tuple[bytes, ...]
    tagged: bytes

    @property
    def status(self) -> bytes:
        """OK, NO or BAD."""
        return self.tagged.split(b" ", 2)[1]

    def code(self, name: bytes) -> bytes | None:
        """What stands behind name in a response code of any line, or None."""
        for line in (*self.untagged, self.tagged):
            found = re.search(rb"\[" + name + rb"(?: ([^\]]*))?\]", line)
            if found is not None:
                return found[1] or b""
        return None

    def number(self, name: bytes) -> int:
        """The number in a response code that must be there."""
        value = self.code(name)
        if value is None:
            raise Broken(f"no {name!r} in {self}")
        return int(value)


class HeardWire(MemoryWire):
    """A wire whose client is woken by what comes."""

    def __init__(self) -> None:
        super().__init__()
        self.arrived = asyncio.Event()

    def write(self, octets: bytes) -> None:
        super().write(octets)
        self.arrived.set()

    def close(self) -> None:
        super().close()
        self.arrived.set()


class Talk:
    """One client's connection; transcript: what everybody said lately.

    box: the model's number of the selected mailbox, 0 for none.
    perhaps_saved: gone when a search saved what it found, and not told of, so perhaps saved too.
    highest: no modseq was told above it since the mailbox was selected.
    numbers_stood: during the last command numbers had to stand, so expunges may be untold.
    """

    def __init__(
        self,
        world: World,
        number: int,
        transcript: list[str],
        login: str = "ann",
        views: SharedViews | None = None,
    ) -> None:
        """views: others than the world's, for a client whom no kept answer may reach."""
        self.number = number
        self.login = login
        self.mirror: Mirror | None = None
        self.box = 0
        self.read_only = False
        self.saved: frozenset[int] = frozenset()
        self.perhaps_saved: frozenset[int] = frozenset()
        self.enabled: frozenset[str] = frozenset()
        self.idles = False
        self.numbers_stood = False
        self.highest = 0
        self._flags: frozenset[str] = frozenset()
        self._idle_tag = b""
        self._stand = False
        self._world = world
        self._views = views
        self._transcript = transcript
        self._wire = HeardWire()
        self._commands = 0

    # ------------------------------------------------------------ the connection

    async def connect(self, enabled: frozenset[str]) -> None:
        """Connect, log in, and enable what is wanted."""
        self._wire = HeardWire()
        self.mirror, self.box, self.idles = None, 0, False
        self.saved = self.perhaps_saved = frozenset()
        peer = parse_ip("127.0.0.1")
        assert peer is not None
        services = self._world.services
        conversation = Conversation(
            services if self._views is None else replace(services, views=self._views),
            COMMAND_TABLE,
            self._wire,
            connection=f"client{self.number}",
            peer=peer,
            security=Security.PLAIN,
        )
        self._wire.conversation = conversation
        self._world.tasks.spawn("test.conversation", conversation.run())
        await self.ask(f"LOGIN {self.login} {PASSWORD}".encode())
        if enabled:
            await self.ask(b"ENABLE " + " ".join(sorted(enabled)).encode())
        self.enabled = enabled | ({"CONDSTORE"} if "QRESYNC" in enabled else set())

    @property
    def account(self) -> AccountId:
        """Who is logged in."""
        return self._wire.conversation.session.account.id

    def hang_up(self) -> None:
        """Go without a word."""
        if hasattr(self._wire, "conversation"):
            self._wire.closed = True
            self._wire.conversation.lost()

    # ------------------------------------------------------------ commands

    def begin(self, command: bytes) -> bytes:
        """Send a command; returns its tag."""
        self._commands += 1
        tag = b"%d.%d" % (self.number, self._commands)
        self._say(">", tag + b" " + command)
        words = command.upper().split(None, 2)
        self._stand = words[0] in NUMBERS_STAND
        self.numbers_stood = self._stand
        self._wire.held += tag + b" " + command + b"\r\n"
        self._wire.bring()
        return tag

    async def finish(self, tag: bytes) -> Heard:
        """Everything up to the tagged line; the mirror has believed it."""
        untagged: list[bytes] = []
        while True:
            line = await self._line()
            if line.startswith(tag + b" "):
                self._stand = False
                self._hear_flags(untagged)
                return Heard(tuple(untagged), line)
            untagged.append(line)

    async def ask(self, command: bytes) -> Heard:
        """Send and wait."""
        return await self.finish(self.begin(command))

    async def idle(self) -> None:
        """Begin to idle."""
        self._idle_tag = self.begin(b"IDLE")
        while not (await self._line()).startswith(b"+"):
            pass
        self.idles = True

    async def done(self) -> Heard:
        """End idling."""
        self.idles = False
        self._wire.held += b"DONE\r\n"
        self._wire.bring()
        return await self.finish(self._idle_tag)

    async def hear(self) -> None:
        """Wait for one more untagged line, while idling."""
        await self._line()

    # ------------------------------------------------------------ selecting

    async def select(self, name: str, *, read_only: bool = False, condstore: bool = False) -> Heard:
        """Select from nothing; the mirror knows how many there are."""
        self.mirror, self.highest = None, 0
        verb = b"EXAMINE" if read_only else b"SELECT"
        heard = await self.ask(
            verb + b' "' + name.encode() + (b'" (CONDSTORE)' if condstore else b'"')
        )
        self._selected(heard, read_only)
        return heard

    def _selected(self, heard: Heard, read_only: bool) -> int:
        self.read_only = read_only
        self.saved = self.perhaps_saved = frozenset()
        counts = [int(found[1]) for line in heard.untagged if (found := _EXISTS.fullmatch(line))]
        if heard.status != b"OK" or len(counts) != 1:
            raise Broken(str(heard))
        self.mirror = Mirror(counts[0], by_uid="QRESYNC" in self.enabled)
        return counts[0]

    async def resync(self, name: str, uid_validity: int, modseq: int, known: bytes) -> Heard:
        """Select with QRESYNC; the mirror is what was known and what was told (RFC 7162 §3.2.5).

        known: UIDs and pairs of what the mirror held, as the command has them, or nothing.
        """
        before, self.mirror, self.highest = self.mirror, None, 0
        held = {one.uid: one for one in before.seen} if before is not None else {}
        asked = b'SELECT "%s" (QRESYNC (%d %d%s))' % (name.encode(), uid_validity, modseq, known)
        heard = await self.ask(asked)
        count = self._selected(heard, read_only=False)
        assert self.mirror is not None
        if heard.number(b"UIDVALIDITY") != uid_validity:
            held = {}
        gone: set[int] = set()
        for line in heard.untagged:
            vanished = _VANISHED.fullmatch(line)
            if vanished is not None:
                gone |= numbers_of(vanished[1])
            told = fetched(line)
            if told is not None:
                if told.uid is None or told.flags is None or told.modseq is None:
                    raise Broken(f"a resynchronizing FETCH needs UID, FLAGS, MODSEQ: {line!r}")
                held[told.uid] = Seen(told.uid, told.flags, told.modseq)
        kept = [
            held[uid] for uid in sorted(uid for uid in held if uid is not None) if uid not in gone
        ]
        # Where UIDs were said to be known only those are told of; what is new stands behind them.
        if len(kept) != count and uid_validity == heard.number(b"UIDVALIDITY") and not known:
            raise Broken(f"{count} messages, {kept} after {heard}")
        self.mirror.seen = kept + [Seen() for _ in range(count - len(kept))]
        return heard

    async def learn(self) -> None:
        """Ask for what the mirror does not know, as clients do once EXISTS was told."""
        for _ in range(_ROUNDS):
            if self.mirror is None or not self.mirror.unknown:
                return
            first, last = self.mirror.unknown[0], self.mirror.unknown[-1]
            items = b"UID FLAGS MODSEQ" if "CONDSTORE" in self.enabled else b"UID FLAGS"
            heard = await self.ask(b"FETCH %d:%d (%s)" % (first, last, items))
            if heard.status != b"OK":
                raise Broken(str(heard))

    # ------------------------------------------------------------ lines

    async def _line(self) -> bytes:
        """The next line with its literals; untagged ones are believed at once."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while (line := self._whole_line()) is None:
                if self._wire.closed:
                    raise Broken("the server hung up")
                self._wire.arrived.clear()
                await self._wire.arrived.wait()
        self._say("<", line)
        for modseq in _MODSEQ.findall(line):
            self.highest = max(self.highest, int(modseq))
        if (names := _FLAGS.fullmatch(line)) is not None:
            self._flags = frozenset(names[1].decode().lower().split())
        if self.mirror is not None and line.startswith(b"* "):
            self.mirror.take(line, numbers_stand=self._stand)
        return line

    def _whole_line(self) -> bytes | None:
        octets, start = self._wire.octets, 0
        while (end := octets.find(b"\r\n", start)) >= 0:
            announced = _LITERAL_AT_END.search(bytes(octets[start:end]))
            if announced is None:
                line = bytes(octets[:end])
                del octets[: end + 2]
                return line
            start = end + 2 + int(announced[1])
        return None

    def _hear_flags(self, untagged: Sequence[bytes]) -> None:
        """Each flag that is told must stand in a FLAGS response by then (RFC 9051 §7.3.5)."""
        closed = (at for at, line in enumerate(untagged, 1) if b"[CLOSED]" in line)
        for told in filter(None, map(fetched, untagged[max(closed, default=0) :])):
            if not self._flags.issuperset(flag.lower() for flag in told.flags or ()):
                raise Broken(f"{told}, and the flags are {sorted(self._flags)}")

    def _say(self, sign: str, line: bytes) -> None:
        text = line[:300].decode("ascii", "backslashreplace").replace("\r\n", "\\r\\n")
        self._transcript.append(f"{self.number}{sign} {text}")
        del self._transcript[:-_TRANSCRIPT_LINES]
