"""The player passes what the script says, and stops where the conversation goes another way."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import pytest

from tests.dialogues.player.driver import Ending, StatementUnknown
from tests.dialogues.player.play import Mismatch, Strictness, play
from tests.dialogues.player.script import parse
from tests.dialogues.player.sockets import SocketClients

CLOSE = b""

Answers = Mapping[str, Mapping[int, bytes]]


class Puppet:
    """A server that says to each client what its strings tell it to.

    answers: a line that a client sent, as `1> text`, or `connect 1`, `tls 1`, `clock 5`, to
        what then goes to each client; CLOSE closes.
    """

    def __init__(self, answers: Answers) -> None:
        self.answers = answers
        self.heard: list[str] = []
        self.pieces: list[bytes] = []
        self.partial: dict[int, bytes] = {}
        self.out: dict[int, bytes] = {}
        self.closed: set[int] = set()

    def hear(self, what: str) -> None:
        self.heard.append(what)
        for client, octets in self.answers.get(what, {}).items():
            if octets == CLOSE:
                self.closed.add(client)
            self.out[client] = self.out.get(client, b"") + octets

    async def given(self, statement: str) -> None:
        if statement.startswith("nonsense"):
            raise StatementUnknown(statement)
        self.hear(f"given {statement}")

    async def connect(self, client: int) -> None:
        self.hear(f"connect {client}")

    async def send(self, client: int, octets: bytes) -> None:
        self.pieces.append(octets)
        *lines, rest = (self.partial.get(client, b"") + octets).split(b"\r\n")
        self.partial[client] = rest
        for line in lines:
            self.hear(f"{client}> {line.decode('latin-1')}")

    async def receive(self, client: int, *, wait: bool) -> bytes | Ending:
        if octets := self.out.pop(client, b""):
            return octets
        return Ending.CLOSED if client in self.closed else Ending.SILENT

    async def start_tls(self, client: int) -> None:
        self.hear(f"tls {client}")

    async def hang_up(self, client: int) -> None:
        self.hear(f"closes {client}")

    async def advance(self, span: timedelta) -> None:
        self.hear(f"clock {span.total_seconds():.0f}")


IDLE = """\
given account ann with INBOX of 3 messages
1> a1 SELECT INBOX
1< * 3 EXISTS
1< a1 OK [READ-WRITE] *
1> a2 IDLE
1< + *
2> b1 SELECT INBOX
2< b1 OK *
2> b2 STORE 2 +FLAGS.SILENT (\\Deleted)
2> b3 EXPUNGE
2< * 2 EXPUNGE
1< * 2 EXPUNGE
clock +29m
1> DONE
1< a2 OK *
"""
SELECTED = b"* FLAGS (\\Seen)\r\n* 3 EXISTS\r\n* OK [UIDVALIDITY 7] valid\r\n"
IDLING: Answers = {
    "connect 1": {1: b"* OK hello\r\n"},
    "connect 2": {2: b"* OK hello\r\n"},
    "1> a1 SELECT INBOX": {1: SELECTED + b"a1 OK [READ-WRITE] done\r\n"},
    "1> a2 IDLE": {1: b"+ idling\r\n"},
    "2> b1 SELECT INBOX": {2: SELECTED + b"b1 OK [READ-WRITE] done\r\n"},
    "2> b2 STORE 2 +FLAGS.SILENT (\\Deleted)": {2: b"b2 OK done\r\n"},
    "2> b3 EXPUNGE": {1: b"* 2 EXPUNGE\r\n", 2: b"* 2 EXPUNGE\r\nb3 OK done\r\n"},
    "1> DONE": {1: b"a2 OK done\r\n"},
}


def run(
    text: str,
    answers: Answers,
    strictness: Strictness = Strictness.IMAP,
    chunk: int | None = None,
) -> Puppet:
    puppet = Puppet(answers)
    script = parse("# RFC 9051 §6.3.13: a rule.\n" + text, Path("it.txt"))
    asyncio.run(play(script, puppet, strictness, chunk=chunk))
    return puppet


def fails(text: str, answers: Answers, strictness: Strictness = Strictness.IMAP) -> str:
    with pytest.raises(Mismatch) as trouble:
        run(text, answers, strictness)
    return str(trouble.value)


def test_the_example_of_the_design_plays() -> None:
    puppet = run(IDLE, IDLING)
    assert puppet.heard[0] == "given account ann with INBOX of 3 messages"
    assert puppet.heard[-2:] == ["clock 1740", "1> DONE"]


@pytest.mark.parametrize("chunk", [1, 2, 7])
def test_what_clients_send_can_come_in_pieces(chunk: int) -> None:
    puppet = run(IDLE, IDLING, chunk=chunk)
    assert max(map(len, puppet.pieces)) == chunk
    assert b"".join(puppet.pieces).startswith(b"a1 SELECT INBOX\r\na2 IDLE\r\n")


@pytest.mark.parametrize(
    "extra",
    [b"* 4 EXISTS\r\n", b"* 1 EXPUNGE\r\n", b"* VANISHED 5\r\n", b"* 1 FETCH (FLAGS ())\r\n",
     b"* 1 UIDFETCH (FLAGS ())\r\n",
     b"+ go\r\n", b"a9 NO why\r\n", b"a9 BAD why\r\n", b"strange\r\n"],
)  # fmt: skip
def test_imap_lines_that_must_be_listed(extra: bytes) -> None:
    text = "1> a9 NOOP\n1< a9 OK *\n"
    run(text, {"1> a9 NOOP": {1: b"a9 OK done\r\n"}})
    before = fails(text, {"1> a9 NOOP": {1: extra + b"a9 OK done\r\n"}})
    assert "it.txt:3:" in before and "not listed" in before
    after = fails(text, {"1> a9 NOOP": {1: b"a9 OK done\r\n" + extra}})
    assert "after the last step" in after


@pytest.mark.parametrize(
    "extra",
    [b"* OK hi\r\n", b'* LIST () "/" a\r\n', b"* 1 RECENT\r\n", b"* BYE\r\n", b"a8 OK old\r\n"],
)  # fmt: skip
def test_imap_lines_that_are_free(extra: bytes) -> None:
    run("1> a9 NOOP\n1< a9 OK *\n", {"1> a9 NOOP": {1: extra + b"a9 OK done\r\n" + extra}})


def test_a_wrong_number_is_not_the_listed_line() -> None:
    told = fails(IDLE, {**IDLING, "2> b3 EXPUNGE": {2: b"* 3 EXPUNGE\r\nb3 OK done\r\n"}})
    assert "the step  2< * 2 EXPUNGE" in told
    assert "came      * 3 EXPUNGE" in told
    assert "    2> b3 EXPUNGE" in told


def test_a_line_that_does_not_come() -> None:
    assert "nothing came" in fails(IDLE, {**IDLING, "1> DONE": {}})


def test_a_select_that_opens_another_mailbox_must_not_lie() -> None:
    text = "1> a1 SELECT INBOX\n1< * 4 EXISTS\n1< a1 OK *\n"
    assert "came      a1 OK" in fails(text, IDLING)
    later = "1> a1 SELECT INBOX\n1< a1 OK *\n1> a9 NOOP\n1< a9 OK *\n"
    noop: Answers = {"1> a9 NOOP": {1: b"* 4 EXISTS\r\na9 OK done\r\n"}}
    assert "* 4 EXISTS" in fails(later, {**IDLING, **noop})


def test_lines_of_a_literal_belong_to_their_response() -> None:
    listed = "1> a FETCH\n1< * 1 FETCH (BODY[] {18}\n1< * 9 EXISTS\n1< x\n1<  y)\n1< a OK *\n"
    octets = b"* 1 FETCH (BODY[] {18}\r\n* 9 EXISTS\r\nx\r\n y)\r\na OK done\r\n"
    run(listed, {"1> a FETCH": {1: octets}})
    free = b'* LIST () "/" {12}\r\n* 9 EXISTS\r\n\r\n* LIST () "/" {12}\r\n* 9 EXISTS\r\n rest\r\n'
    run("1> a LIST\n1< a OK *\n", {"1> a LIST": {1: free + b"a OK done\r\n"}})
    beyond = b'* LIST () "/" {12}\r\n* 9 EXISTS\r\n\r\n* 9 EXISTS\r\na OK done\r\n'
    fails("1> a LIST\n1< a OK *\n", {"1> a LIST": {1: beyond}})


def test_every_line_counts_where_the_order_is_known() -> None:
    answers: Answers = {
        "connect 1": {1: b"220 hello\r\n"},
        "1> EHLO x": {1: b"250-here\r\n250-PIPELINING\r\n250 SIZE 5\r\n"},
    }
    opening = "1< 220 *\n1> EHLO x\n1< 250-*\n"
    whole = opening + "1< 250-PIPELINING\n1< 250 SIZE $size\n"
    run(whole, answers, Strictness.EVERY_LINE)
    run(opening + "1< ...\n1< 250 *\n", answers, Strictness.EVERY_LINE)
    run(opening + "1< ...\n", answers, Strictness.EVERY_LINE)
    assert "250-PIPELINING" in fails(opening + "1< 250 *\n", answers, Strictness.EVERY_LINE)
    assert "250-PIPELINING" in fails(opening, answers, Strictness.EVERY_LINE)
    assert "220 hello" in fails("1> EHLO x\n1< 250-*\n", answers, Strictness.EVERY_LINE)
    assert "nothing came" in fails(whole + "1< 250 *\n", answers, Strictness.EVERY_LINE)
    assert "list what must come" in fails(opening + "1< ...\n1< 250 *\n", answers)


def test_names_bind_and_come_again() -> None:
    answers: Answers = {
        "1> a APPEND": {1: b"a OK [APPENDUID 7 12] done\r\n"},
        "1> b UID FETCH 12 UID": {1: b"* 3 FETCH (UID 12)\r\nb OK done\r\n"},
    }
    text = "1> a APPEND\n1< a OK [APPENDUID $v $u] *\n1> b UID FETCH $u UID\n"
    run(text + "1< * $n FETCH (UID $u)\n1< b OK *\n", answers)
    assert "$u=b'12'" in fails(text + "1< * $u FETCH (UID $n)\n1< b OK *\n", answers)
    assert "nothing has bound $w" in fails("1> $w\n1< *\n", answers)


def test_forbidden_lines_hold_until_the_client_sends_again() -> None:
    answers: Answers = {
        "1> a NOOP": {1: b"* 1 RECENT\r\na OK done\r\n"},
        "1> b NOOP": {1: b"b OK done\r\n"},
    }
    first = "1> a NOOP\n1< a OK *\n"
    for forbidden in ("1< ! * 1 RECENT\n", "1< !*RECENT*\n"):
        assert "it.txt:4:" in fails(first + forbidden, answers)
        run(first + "1> b NOOP\n" + forbidden + "1< b OK *\n", answers)
    greeting: Answers = {"connect 1": {1: b"* OK hi\r\n"}}
    fails("1< ! * OK*\n", greeting)


def test_connections_end_as_written() -> None:
    bye: Answers = {"1> QUIT": {1: b"+OK bye\r\n"}, "2> QUIT": {1: CLOSE}}
    text = "1> QUIT\n1< +OK *\n"
    assert "still open" in fails(text + "1 closed\n", bye, Strictness.EVERY_LINE)
    run(text + "2> QUIT\n1 closed\n", bye, Strictness.EVERY_LINE)
    assert "+OK bye" in fails("1> QUIT\n2> QUIT\n1 closed\n", bye, Strictness.EVERY_LINE)
    puppet = run(text + "1 closes\n", bye, Strictness.EVERY_LINE)
    assert puppet.heard[-1] == "closes 1"
    assert "closed the connection" in fails(text + "2> QUIT\n1< *\n", bye, Strictness.EVERY_LINE)


def test_silence_means_nothing_that_must_be_listed() -> None:
    quiet: Answers = {"2> store": {1: b"* OK ok\r\n"}}
    loud: Answers = {"2> store": {1: b"* 1 FETCH (FLAGS ())\r\n"}}
    text = "1> x\n2> store\n1 silent\n"
    run(text, quiet)
    assert "silence was expected" in fails(text + "1< * 1 FETCH *\n", loud)
    assert "closed the connection" in fails(text, {"2> store": {1: CLOSE}})


def test_tls_leaves_no_octets_behind() -> None:
    text = "1> STARTTLS\n1< 220 *\n1 tls\n1> EHLO x\n1< 250 *\n"
    ehlo: Answers = {"1> EHLO x": {1: b"250 here\r\n"}}
    puppet = run(text, {"1> STARTTLS": {1: b"220 go\r\n"}, **ehlo}, Strictness.EVERY_LINE)
    assert "tls 1" in puppet.heard
    early: Answers = {"1> STARTTLS": {1: b"220 go\r\n250 early\r\n"}, **ehlo}
    assert "octets before TLS" in fails(text, early, Strictness.EVERY_LINE)


def test_half_a_line_is_not_a_line() -> None:
    assert "middle of a line" in fails("1> x\n1< y\n", {"1> x": {1: b"y\n"}})


def test_a_statement_nobody_knows_fails_with_its_place() -> None:
    assert "it.txt:2:" in fails("given nonsense\n1< *\n", {})


class Echo(SocketClients):
    """A driver over a real socket, of a server that says everything back."""

    async def given(self, statement: str) -> None:
        raise StatementUnknown(statement)

    async def advance(self, span: timedelta) -> None:
        """There is no clock."""


async def test_scripts_play_over_sockets() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while (line := await reader.readline()) not in (b"", b"quit\r\n"):
            writer.write(line)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()[:2]
    driver = Echo(host, port, patience_seconds=0.01)
    rule = "# RFC 862: what comes is sent back.\n"
    good = parse(
        rule + "1> one\n2> two\n2< two\n1< $n\n1> quit\n1 closed\n2 closes\n", Path("e.txt")
    )
    bad = parse(rule + "3> one\n3< one\n3< two\n", Path("e.txt"))
    try:
        assert await play(good, Echo(host, port), Strictness.EVERY_LINE, chunk=1) == {"n": b"one"}
        with pytest.raises(Mismatch, match="nothing came"):
            await play(bad, driver, Strictness.EVERY_LINE)
    finally:
        await driver.close()
        server.close()
