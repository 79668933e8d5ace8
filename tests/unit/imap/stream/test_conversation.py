"""The run of a connection: order, back-pressure, ends and errors, with commands made for it."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest

from mailbox_server.imap.command_row import ANY_STATE, CommandRow, CommandTable
from mailbox_server.imap.grammar.append import AppendArguments, AppendStep, AppendText, parse_append
from mailbox_server.imap.grammar.lexer import Lexer
from mailbox_server.imap.grammar.session_arguments import parse_nothing
from mailbox_server.imap.limits import ImapLimits
from mailbox_server.imap.responses import Outcome, no, ok
from mailbox_server.imap.session import Ended, Security, Services, Session, State
from mailbox_server.imap.stream.conversation import Conversation
from mailbox_server.imap.stream.outgoing import GATHERED_OCTETS
from mailbox_server.imap.stream.wire import Progress
from mailbox_server.imap.views.selected import SelectedView, Tells
from mailbox_server.model.address import parse_ip
from mailbox_server.model.errors import OverQuota
from mailbox_server.model.ports import Silence
from mailbox_server.net.tls_ends import TlsEnds


class Wire:
    """Takes what is written; drained() waits while `stalled` is set."""

    def __init__(self) -> None:
        self.writes: list[bytes] = []
        self.reading = True
        self.closed = False
        self.flowing = asyncio.Event()
        self.flowing.set()
        self.lost = False
        self.progress: list[Progress] = []
        self.acknowledged = 0

    def write(self, octets: bytes) -> None:
        self.writes.append(octets)

    def write_all(self, pieces: Sequence[bytes]) -> None:
        self.writes += pieces

    @property
    def is_behind(self) -> bool:
        return self.lost or not self.flowing.is_set()

    async def drained(self) -> None:
        await self.flowing.wait()
        if self.lost:
            raise ConnectionResetError

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def acknowledge(self) -> None:
        self.acknowledged += 1

    tls_ends: TlsEnds | None = None

    async def start_tls(self) -> bool:
        return False

    def progressed(self, progress: Progress) -> None:
        self.progress.append(progress)

    def close(self) -> None:
        self.closed = True

    @property
    def said(self) -> list[str]:
        """The lines after the greeting."""
        return b"".join(self.writes).decode().split("\r\n")[1:-1]


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.seconds, UTC)

    def monotonic(self) -> float:
        return self.seconds


class Faults(Silence):
    def __init__(self) -> None:
        self.seen: list[tuple[str, BaseException]] = []

    def fault(self, event: str, error: BaseException, /, **fields: object) -> None:
        self.seen.append((event, error))


Handler = Callable[[Session, Any], Awaitable[Outcome]]


@dataclass
class Stage:
    """One conversation with its surroundings."""

    wire: Wire = field(default_factory=Wire)
    clock: Clock = field(default_factory=Clock)
    faults: Faults = field(default_factory=Faults)
    limits: ImapLimits = field(default_factory=ImapLimits)
    rows: dict[str, CommandRow[Any]] = field(default_factory=dict)

    def row(self, name: str, handle: Handler, *, tells: Tells = Tells.NOTHING) -> None:
        self.rows[name] = CommandRow(name, ANY_STATE, parse_nothing, handle, "", tells)

    def begin(self, table: CommandTable | None = None) -> None:
        nothing = cast(Any, None)
        services = Services(
            nothing, nothing, nothing, self.clock, self.faults, self.limits, False, True
        )
        peer = parse_ip("127.0.0.1")
        assert peer is not None
        self.conversation = Conversation(
            services,
            table or CommandTable(self.rows.values()),
            self.wire,
            connection="c1",
            peer=peer,
            security=Security.PLAIN,
        )
        self.run = asyncio.get_running_loop().create_task(self.conversation.run())

    async def hear(self, octets: bytes) -> list[str]:
        self.conversation.received(octets)
        await settle()
        return self.wire.said


async def settle() -> None:
    for _ in range(50):
        await asyncio.sleep(0)


def enters(session: Session) -> Outcome:
    session._granted = cast(Any, SimpleNamespace(account=SimpleNamespace(id=1)))
    session.state = State.AUTHENTICATED
    return ok("in")


@pytest.fixture
async def stage() -> Stage:
    made = Stage()

    async def fine(session: Session, arguments: None) -> Outcome:
        return ok("fine")

    made.row("FINE", fine)
    return made


async def test_answers_to_pipelined_commands_leave_in_one_write(stage: Stage) -> None:
    stage.begin()
    await settle()
    stage.wire.writes.clear()
    stage.conversation.received(b"a FINE\r\nb FINE\r\nc FINE\r\n")
    await settle()
    assert stage.wire.writes == [b"a OK fine\r\nb OK fine\r\nc OK fine\r\n"]


async def test_only_who_is_not_done_is_acknowledged_at_once(stage: Stage) -> None:
    """Who has sent a whole command is answered, which acknowledges as well."""
    stage.begin()
    await stage.hear(b"a FINE\r\nb FINE\r\n")
    assert stage.wire.acknowledged == 0
    await stage.hear(b"c FINE {3+}\r\nab")
    assert stage.wire.acknowledged == 1
    await stage.hear(b"c")
    assert stage.wire.acknowledged == 2
    assert (await stage.hear(b"\r\n"))[:2] == ["a OK fine", "b OK fine"]
    assert stage.wire.acknowledged == 2


async def test_before_login_a_place_is_earned_once(stage: Stage) -> None:
    """Neither NOOP again and again nor a parked AUTHENTICATE keeps a stranger's place."""

    async def parks(session: Session, arguments: None) -> Outcome:
        await session.ask(b"")
        return no("who is that")

    async def logs_in(session: Session, arguments: None) -> Outcome:
        return enters(session)

    stage.row("PARKS", parks)
    stage.row("ENTERS", logs_in)
    stage.begin()
    await settle()
    assert stage.wire.progress == []
    await stage.hear(b"a FINE\r\nb FINE\r\nc PARKS\r\n")
    assert stage.wire.progress == [Progress.IDLE]
    await stage.hear(b"x\r\nd FINE\r\n")
    assert stage.wire.progress == [Progress.IDLE]
    await stage.hear(b"e ENTERS\r\nf FINE\r\ng FINE\r\n")
    assert stage.wire.progress == [Progress.IDLE, Progress.BUSY]


async def test_a_server_does_not_know_what_another_of_its_process_was_told(stage: Stage) -> None:
    """Their table of commands is the same, and so may be the numbers of their accounts."""
    read: list[bytes] = []

    async def says(session: Session, arguments: None) -> Outcome:
        return enters(session)

    def parse(lexer: Lexer) -> None:
        read.append(lexer.peek())

    stage.rows["SAYS"] = CommandRow("SAYS", ANY_STATE, parse, says, "", repeats=True)
    table = CommandTable(stage.rows.values())
    for each in (stage, Stage()):
        each.begin(table)
        await each.hear(b"a SAYS\r\nb SAYS\r\nc SAYS\r\n")
    assert len(read) == 4, "each server reads it before its client is known, and once then"


async def test_logging_out_earns_no_place(stage: Stage) -> None:
    async def logs_out(session: Session, arguments: None) -> Outcome:
        session.log_out()
        return ok("bye")

    stage.row("LEAVES", logs_out)
    stage.begin()
    await stage.hear(b"a LEAVES\r\n")
    assert stage.wire.progress == [Progress.IDLE]


async def test_tls_earns_a_place_once_more(stage: Stage) -> None:
    async def secures(session: Session, arguments: None) -> Outcome:
        session.wants_tls = True
        return ok("now")

    async def shakes_hands() -> bool:
        return True

    stage.row("SECURES", secures)
    stage.wire.start_tls = shakes_hands  # type: ignore[method-assign]
    stage.begin()
    await stage.hear(b"a SECURES\r\n")
    assert stage.wire.progress == [Progress.IDLE, Progress.IDLE]


async def test_nobody_has_a_turn_between_the_answer_and_the_handshake(stage: Stage) -> None:
    """The client begins it as soon as it has read the answer: what it sends is no plain text."""
    in_plain_text: list[int] = []

    async def secures(session: Session, arguments: None) -> Outcome:
        session.channel.write(b"* %b\r\n" % (b"x" * GATHERED_OCTETS))
        session.wants_tls = True
        return ok("now")

    async def shakes_hands() -> bool:
        in_plain_text.append(stage.conversation.forget_plaintext())
        return True

    def write(octets: bytes) -> None:
        if octets.endswith(b"a OK now\r\n"):
            asyncio.get_running_loop().call_soon(stage.conversation.received, b"\x16\x03")

    stage.row("SECURES", secures)
    stage.wire.start_tls = shakes_hands  # type: ignore[method-assign]
    stage.wire.write = write  # type: ignore[method-assign]
    stage.begin()
    await stage.hear(b"a SECURES\r\n")
    assert in_plain_text == [0]


async def test_what_is_sent_ahead_waits_and_reading_pauses(stage: Stage) -> None:
    gate = asyncio.Event()

    async def slow(session: Session, arguments: None) -> Outcome:
        await gate.wait()
        return ok("slow")

    stage.row("SLOW", slow)
    stage.begin()
    assert await stage.hear(b"a SLOW\r\nb FINE\r\n") == []
    assert stage.wire.reading
    await stage.hear(b"c FINE\r\n" * 9_000)
    assert not stage.wire.reading
    gate.set()
    for _ in range(40):
        await settle()
    assert stage.wire.said[:2] == ["a OK slow", "b OK fine"]
    assert len(stage.wire.said) == 9_002
    assert stage.wire.reading


async def test_a_line_longer_than_the_backlog_does_not_stop_reading_for_good(stage: Stage) -> None:
    stage.limits = ImapLimits(backlog_octets=10, line_octets_before_login=1_000)
    stage.begin()
    for _ in range(90):
        stage.conversation.received(b"x" * 10)
        await settle()
        assert stage.wire.reading
    assert await stage.hear(b"\r\na FINE\r\n") == ["* BAD A command begins with a tag", "a OK fine"]


async def test_other_sessions_are_let_in_between_commands(stage: Stage) -> None:
    stage.begin()
    await settle()
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    watching = asyncio.get_running_loop().create_task(other())
    stage.conversation.received(b"a FINE\r\n" * 1_600)
    stage.conversation.hung_up()
    await stage.run
    assert len(stage.wire.said) == 1_600
    watching.cancel()
    assert turns >= 100


async def test_other_sessions_are_let_in_during_a_long_answer(stage: Stage) -> None:
    async def big(session: Session, arguments: None) -> Outcome:
        for _ in range(100):
            await session.send(b"* x\r\n" * 10_000)
        return ok("big")

    stage.row("BIG", big)
    stage.begin()
    await settle()
    stage.conversation.received(b"a BIG\r\n")
    stage.conversation.hung_up()
    turns = 0
    while not stage.run.done():
        await asyncio.sleep(0)
        turns += 1
    assert turns >= 100


async def test_the_unforeseen_is_a_server_bug_without_text(stage: Stage) -> None:
    async def bomb(session: Session, arguments: None) -> Outcome:
        raise ValueError("secret text")

    stage.row("BOMB", bomb)
    stage.begin()
    said = await stage.hear(b"a BOMB\r\nb FINE\r\n")
    assert said[0].startswith("a NO [SERVERBUG] ") and "secret" not in said[0]
    assert said[1] == "b OK fine"
    assert [event for event, _ in stage.faults.seen] == ["imap.command_failed"]


async def test_known_errors_are_replies(stage: Stage) -> None:
    async def full(session: Session, arguments: None) -> Outcome:
        raise OverQuota("all of it")

    stage.row("FULL", full)
    stage.begin()
    (line,) = await stage.hear(b"a FULL\r\n")
    assert line.startswith("a NO [OVERQUOTA] ")
    assert stage.faults.seen == []


async def test_trouble_in_telling_does_not_undo_the_reply(stage: Stage) -> None:
    class Broken:
        gone = False
        is_all_told = False

        def holds_at_once(self) -> bool:
            return True

        def release(self) -> None:
            """It stays there."""

        async def refresh(self) -> None:
            raise ValueError("broken view")

        async def close(self) -> None:
            """Nothing to let go of."""

    async def change(session: Session, arguments: None) -> Outcome:
        session.selected = cast(SelectedView, Broken())
        return ok("changed")

    stage.row("CHANGE", change, tells=Tells.EVERYTHING)
    stage.begin()
    assert await stage.hear(b"a CHANGE\r\n") == ["a OK changed"]
    assert [event for event, _ in stage.faults.seen] == ["imap.telling_failed"]


async def test_the_answer_leaves_before_what_nobody_waits_for(stage: Stage) -> None:
    class View:
        is_all_told = True
        left: list[bytes]

        def holds_at_once(self) -> bool:
            return True

        def release(self) -> None:
            self.left = stage.wire.writes[-1:]

        async def close(self) -> None:
            """Nothing to let go of."""

    view = View()

    async def looks(session: Session, arguments: None) -> Outcome:
        session.selected = cast(SelectedView, view)
        return ok("seen")

    stage.row("LOOK", looks)
    stage.begin()
    await settle()
    await stage.hear(b"a LOOK\r\n")
    assert view.left == [b"a OK seen\r\n"]
    # What comes together is answered together.
    await stage.hear(b"b LOOK\r\nc LOOK\r\n")
    assert view.left == [b"b OK seen\r\nc OK seen\r\n"]


async def test_a_long_command_tells_how_far_it_is_until_it_answers(stage: Stage) -> None:
    goes_on, ends = asyncio.Event(), asyncio.Event()

    async def long(session: Session, arguments: None) -> Outcome:
        session.headway.set_out(5)
        session.headway.did(2)
        await goes_on.wait()
        session.channel.write(b"* SEARCH")
        await ends.wait()
        session.channel.write(b" 1\r\n")
        return ok("done")

    stage.row("LONG", long)
    stage.begin()
    await stage.hear(b"a LONG\r\n")
    before = len(stage.wire.said)

    def later(seconds: float) -> list[str]:
        stage.clock.seconds += seconds
        stage.conversation.tick()
        return stage.wire.said[before:]

    told = ['* OK [INPROGRESS ("a" 2 5)] Still at it']
    assert later(9) == []
    assert later(1) == told
    assert later(9) == told
    assert later(1) == told * 2
    # In the middle of a response it would be taken for a part of it.
    goes_on.set()
    await settle()
    assert later(10) == told * 2
    ends.set()
    await settle()
    assert stage.wire.said[before:] == [*told * 2, "* SEARCH 1", "a OK done"]
    assert later(10)[-1] == "a OK done"


async def test_a_slow_network_holds_the_handler(stage: Stage) -> None:
    progress = 0

    async def big(session: Session, arguments: None) -> Outcome:
        nonlocal progress
        for _ in range(10):
            await session.send(b"* x\r\n" * 20_000)
            progress += 1
        return ok("big")

    stage.row("BIG", big)
    stage.begin()
    await settle()
    stage.wire.flowing.clear()
    await stage.hear(b"a BIG\r\n")
    assert progress == 0
    stage.wire.flowing.set()
    await settle()
    assert progress == 10
    assert stage.wire.said[-1] == "a OK big"


async def test_a_lost_connection_ends_a_handler_that_waits(stage: Stage) -> None:
    ended = []

    async def big(session: Session, arguments: None) -> Outcome:
        try:
            while True:
                await session.send(b"* x\r\n")
        except Ended:
            ended.append(True)
            raise

    stage.row("BIG", big)
    stage.begin()
    await settle()
    stage.wire.flowing.clear()
    await stage.hear(b"a BIG\r\n")
    stage.wire.lost = True
    stage.conversation.lost()
    stage.wire.flowing.set()
    await stage.run
    assert ended == [True]
    assert stage.faults.seen == []
    assert stage.wire.closed


async def test_shutdown_finishes_the_command_and_drops_the_rest(stage: Stage) -> None:
    gate = asyncio.Event()

    async def slow(session: Session, arguments: None) -> Outcome:
        await gate.wait()
        return ok("slow")

    stage.row("SLOW", slow)
    stage.begin()
    await stage.hear(b"a SLOW\r\nb FINE\r\n")
    stage.conversation.shut_down()
    await settle()
    assert not stage.wire.closed
    gate.set()
    await stage.run
    assert stage.wire.said == ["a OK slow", "* BYE The server is shutting down"]
    assert stage.wire.closed


async def test_shutdown_between_commands_says_bye_at_once(stage: Stage) -> None:
    stage.begin()
    await settle()
    stage.conversation.shut_down()
    await stage.run
    assert stage.wire.said == ["* BYE The server is shutting down"]


async def test_who_stops_sending_is_still_answered(stage: Stage) -> None:
    stage.begin()
    await settle()
    stage.conversation.received(b"a FINE\r\nb FINE\r\nc FI")
    stage.conversation.hung_up()
    await stage.run
    assert stage.wire.said == ["a OK fine", "b OK fine"]


async def test_nothing_is_kept_after_the_end(stage: Stage) -> None:
    stage.begin()
    await settle()
    stage.conversation.shut_down()
    await stage.run
    stage.conversation.received(b"x" * 100)
    assert stage.conversation.forget_plaintext() == 0
    assert stage.conversation.rests


async def test_cancelling_lets_go(stage: Stage) -> None:
    stage.begin()
    await settle()
    stage.run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stage.run
    assert stage.wire.closed


class Appended:
    """A handler that reads messages as APPEND does."""

    def __init__(self, most: int = 1 << 30) -> None:
        self.messages: list[bytes] = []
        self.most = most
        self.ended = False

    async def __call__(self, session: Session, arguments: AppendArguments) -> Outcome:
        steps: tuple[AppendStep, ...] = arguments.steps
        try:
            while steps and isinstance(text := steps[-1], AppendText):
                if text.size > self.most:
                    return no("too large", b"TOOBIG")
                await session.literals.accept()
                octets = b"".join([block async for block in session.literals.blocks()])
                assert len(octets) == text.size
                self.messages.append(octets)
                steps = await session.literals.next_steps()
        except Ended:
            self.ended = True
            raise
        return ok("kept")


@pytest.fixture
def appended(stage: Stage) -> Iterator[Appended]:
    handler = Appended(most=1_000_000)
    stage.limits = ImapLimits(literal_octets_before_login=10_000_000, line_octets=10_000_000)
    stage.rows["APPEND"] = CommandRow(
        "APPEND", ANY_STATE, parse_append, handler, "", Tells.NOTHING, streams=True
    )
    yield handler


async def test_messages_are_asked_for_and_streamed(stage: Stage, appended: Appended) -> None:
    stage.begin()
    assert await stage.hear(b"a APPEND x {200000}\r\n") == ["+ OK"]
    for _ in range(20):
        await stage.hear(b"m" * 10_000)
        assert stage.wire.reading
    assert await stage.hear(b" {3}\r\n") == ["+ OK", "+ OK"]
    said = await stage.hear(b"abc\r\nb FINE\r\n")
    assert said == ["+ OK", "+ OK", "a OK kept", "b OK fine"]
    assert appended.messages == [b"m" * 200_000, b"abc"]


async def test_the_literal_of_a_url_behind_a_text_is_asked_for(
    stage: Stage, appended: Appended
) -> None:
    stage.begin()
    assert await stage.hear(b"a APPEND x CATENATE (TEXT {3}\r\n") == ["+ OK"]
    assert await stage.hear(b"abc URL {2}\r\n") == ["+ OK", "+ OK"]
    assert await stage.hear(b"/x TEXT {1}\r\n") == ["+ OK"] * 3
    said = await stage.hear(b"d)\r\nb FINE\r\n")
    assert said == ["+ OK"] * 3 + ["a OK kept", "b OK fine"]
    assert appended.messages == [b"abc", b"d"]


async def test_a_refused_message_is_not_asked_for(stage: Stage, appended: Appended) -> None:
    stage.begin()
    said = await stage.hear(b"a APPEND x {1000001}\r\nb FINE\r\n")
    assert said == ["a NO [TOOBIG] too large", "b OK fine"]


async def test_a_refused_message_that_comes_anyway_is_swallowed(
    stage: Stage, appended: Appended
) -> None:
    stage.begin()
    await settle()
    stage.conversation.received(b"a APPEND x {1000001+}\r\n")
    stage.conversation.received(b"z FINE\r\n" * 125_000 + b"!")
    for _ in range(20):
        await settle()
    said = await stage.hear(b"\r\nb FINE\r\n")
    assert said == ["a NO [TOOBIG] too large", "b OK fine"]


async def test_nonsense_behind_a_message(stage: Stage, appended: Appended) -> None:
    stage.begin()
    said = await stage.hear(b"a APPEND x {2+}\r\nab nonsense\r\nb FINE\r\n")
    assert said[0].startswith("a BAD ")
    assert said[1:] == ["b OK fine"]
    said = await stage.hear(b"c APPEND x {2+}\r\nab {99999999999+}\r\n")
    assert said[2].startswith("* BYE [TOOBIG] ")
    assert appended.ended


async def test_half_a_message_is_no_message(stage: Stage, appended: Appended) -> None:
    stage.begin()
    await stage.hear(b"a APPEND x {20+}\r\nhalf")
    stage.conversation.lost()
    await stage.run
    assert appended.ended and appended.messages == []


async def test_a_literal_that_never_comes_times_out(stage: Stage, appended: Appended) -> None:
    stage.begin()
    await stage.hear(b"a APPEND x {20+}\r\nhalf")
    stage.clock.seconds += stage.limits.login_seconds + 1
    stage.conversation.tick()
    await stage.run
    assert stage.wire.said == ["* BYE Too slow to log in"]
    assert appended.ended
