"""Octets to events: framing, literals, streaming and limits."""

from dataclasses import replace

import pytest

from mailbox_server.imap.commands import COMMAND_TABLE
from mailbox_server.imap.engine import Engine
from mailbox_server.imap.engine_events import (
    Command,
    Event,
    Fatal,
    Line,
    Malformed,
    MessageOctets,
    NeedLiteral,
    NextSteps,
)
from mailbox_server.imap.grammar.append import (
    AppendArguments,
    AppendMessage,
    AppendText,
    AppendUrl,
    ReplaceArguments,
    Within,
)
from mailbox_server.imap.grammar.lexer import TextForm
from mailbox_server.imap.grammar.mailbox_arguments import SelectArguments
from mailbox_server.imap.grammar.sequence_sets import By, SequenceSet
from mailbox_server.imap.limits import ImapLimits
from mailbox_server.imap.responses import Status
from mailbox_server.model.ids import AccountId

GRAMMARS = COMMAND_TABLE.grammars

PLAIN = AppendMessage(frozenset(), None)
UTF8_OF_2 = (PLAIN, AppendText(2, Within.UTF8, may_hold_nul=True))


def engine(limits: ImapLimits | None = None, *, logged_in: bool = True) -> Engine:
    made = Engine(GRAMMARS, limits or ImapLimits())
    if logged_in:
        made.logged_in(AccountId(1))
    return made


def events(made: Engine, octets: bytes = b"") -> list[Event]:
    made.receive(octets)
    found = []
    while (event := made.next_event()) is not None:
        found.append(event)
    return found


def tags(found: list[Event]) -> list[bytes]:
    return [event.tag or b"*" for event in found if isinstance(event, Command | Malformed)]


def test_a_command_is_an_event_when_it_is_whole() -> None:
    made = engine()
    assert events(made, b"a NO") == []
    assert made.is_inside
    assert events(made, b"OP\r") == []
    assert events(made, b"\n") == [Command(b"a", "NOOP", None)]
    assert not made.is_inside


def test_events_are_pulled_one_by_one() -> None:
    made = engine()
    made.receive(b"a NOOP\r\nb NOOP\r\n")
    assert made.next_event() == Command(b"a", "NOOP", None)
    assert made.backlog == len(b"b NOOP\r\n")
    assert made.forget() == len(b"b NOOP\r\n")
    assert made.next_event() is None


def test_synchronizing_literals_are_asked_for() -> None:
    made = engine()
    assert events(made, b"a CREATE {3}\r\n") == [NeedLiteral()]
    (command,) = events(made, b"a/b\r\n")
    assert isinstance(command, Command) and command.name == "CREATE"


def test_a_line_that_only_looks_like_a_literal() -> None:
    made = engine()
    found = events(made, b'a CREATE "x{3}"\r\nb CREATE x{3}\r\n')
    assert [type(event) for event in found] == [Command, NeedLiteral]


def test_expected_lines_are_no_commands() -> None:
    made = engine()
    made.expect_line()
    assert events(made, b"DO") == []
    assert not made.is_inside
    assert events(made, b"NE\r\na NOOP\r\n") == [Line(b"DONE"), Command(b"a", "NOOP", None)]
    made.expect_line()
    assert events(made, b"{5}\r\n") == [Line(b"{5}")]
    made.expect_line()
    made.abandon()
    assert tags(events(made, b"b NOOP\r\n")) == [b"b"]


def test_an_expected_line_has_a_limit() -> None:
    made = engine(replace(ImapLimits(), answer_octets=10))
    made.expect_line()
    (event,) = events(made, b"x" * 50)
    assert isinstance(event, Malformed) and event.tag is None
    assert tags(events(made, b"x" * 50 + b"\r\na NOOP\r\n")) == [b"a"]
    made.expect_line()
    assert [type(event) for event in events(made, b"x" * 11 + b"\r\na NOOP\r\n")] == [
        Malformed,
        Command,
    ]


def test_messages_stream() -> None:
    made = engine()
    (command,) = events(made, b"a APPEND {5+}\r\nINBOX (\\Seen) {100000}\r\n")
    assert command == Command(
        b"a",
        "APPEND",
        AppendArguments("INBOX", (AppendMessage(frozenset({"\\Seen"}), None), AppendText(100_000))),
        waits=True,
    )
    made.accept_message()
    found = events(made, b"x" * 70_000)
    assert [len(event.octets) for event in found if isinstance(event, MessageOctets)] == [
        65_536,
        4_464,
    ]
    assert made.backlog == 0
    (last,) = events(made, b"y" * 30_000)
    assert last == MessageOctets(b"y" * 30_000, last=True)
    assert events(made, b" () {2+}\r\nzz\r\n") == [NextSteps((PLAIN, AppendText(2)), waits=False)]
    made.accept_message()
    assert events(made, b"b NOOP\r\n") == [
        MessageOctets(b"zz", last=True),
        NextSteps(()),
        Command(b"b", "NOOP", None),
    ]


def test_a_parenthesis_closes_behind_a_utf8_message() -> None:
    made = engine()
    (command,) = events(made, b"a APPEND x UTF8 (~{2+}\r\n")
    assert command == Command(b"a", "APPEND", AppendArguments("x", UTF8_OF_2))
    made.accept_message()
    assert events(made, b"yy) UTF8 (~{2}\r\n") == [
        MessageOctets(b"yy", last=True),
        NextSteps(UTF8_OF_2, waits=True),
    ]
    made.accept_message()
    assert events(made, b"zz)\r\nb NOOP\r\n") == [
        MessageOctets(b"zz", last=True),
        NextSteps(()),
        Command(b"b", "NOOP", None),
    ]


def test_an_abandoned_utf8_message_is_swallowed_with_its_parenthesis() -> None:
    made = engine()
    events(made, b"a APPEND x UTF8 (~{2+}\r\n")
    made.abandon()
    assert tags(events(made, b"yy) (\\Seen) UTF8 (~{2+}\r\nzz)\r\nb NOOP\r\n")) == [b"b"]


def test_urls_and_texts_alternate() -> None:
    made = engine()
    (command,) = events(made, b"a APPEND x CATENATE (URL /a/;UID=1 TEXT {2+}\r\n")
    text = AppendText(2, Within.CATENATE)
    assert command == Command(
        b"a", "APPEND", AppendArguments("x", (PLAIN, AppendUrl(b"/a/;UID=1"), text))
    )
    made.accept_message()
    assert events(made, b"yy URL {3}\r\n") == [MessageOctets(b"yy", last=True), NeedLiteral()]
    assert events(made, b"/\r\n URL {2+}\r\n/b TEXT {2}\r\n") == [
        NextSteps((AppendUrl(b"/\r\n"), AppendUrl(b"/b"), text), waits=True)
    ]
    made.accept_message()
    assert events(made, b"zz) () {2+}\r\n") == [
        MessageOctets(b"zz", last=True),
        NextSteps((PLAIN, AppendText(2)), waits=False),
    ]
    made.accept_message()
    assert events(made, b"zz CATENATE (URL /c)\r\nb NOOP\r\n") == [
        MessageOctets(b"zz", last=True),
        NextSteps((PLAIN, AppendUrl(b"/c"))),
        Command(b"b", "NOOP", None),
    ]


def test_urls_alone_need_no_literal() -> None:
    made = engine()
    (command,) = events(made, b"a APPEND x CATENATE (URL {2+}\r\n/a URL /b)\r\n")
    assert command == Command(
        b"a", "APPEND", AppendArguments("x", (PLAIN, AppendUrl(b"/a"), AppendUrl(b"/b")))
    )
    made.abandon()
    assert tags(events(made, b"b NOOP\r\n")) == [b"b"]


def test_a_mailbox_may_be_named_as_parts_are() -> None:
    for name in ("URL", "TEXT", "CATENATE"):
        made = engine()
        (command,) = events(made, b"a APPEND " + name.encode() + b" {2+}\r\n")
        assert command == Command(b"a", "APPEND", AppendArguments(name, (PLAIN, AppendText(2))))


@pytest.mark.parametrize("name", ["REPLACE", "UID REPLACE"])
def test_the_mailbox_of_a_replacement_stands_behind_a_number(name: str) -> None:
    by = By.UID if name.startswith("UID") else By.NUMBER
    seven = SequenceSet(((7, 7),))
    for mailbox in ("URL", "7"):
        for written in (b"%b", b"{%d+}\r\n%b"):
            octets = mailbox.encode()
            text = written % ((octets,) if written == b"%b" else (len(octets), octets))
            made = engine()
            (command,) = events(made, b"a %b 7 %b {2+}\r\n" % (name.encode(), text))
            steps = (PLAIN, AppendText(2))
            assert command == Command(b"a", name, ReplaceArguments(seven, by, mailbox, steps))
    (event,) = events(engine(), b"a %b {2+}\r\n" % name.encode())
    assert isinstance(event, Malformed)


def test_literals_of_urls_are_counted_behind_messages_too() -> None:
    made = engine()
    events(made, b"a APPEND x CATENATE (TEXT {1+}\r\n")
    made.accept_message()
    events(made, b"y")
    (event,) = events(made, b" URL {2000000+}\r\n")
    assert isinstance(event, Malformed) and event.outcome.code == b"TOOBIG"


def test_spaces_behind_a_literal_announce_none() -> None:
    made = engine()
    (event,) = events(made, b"a APPEND x {5} \r\n")
    assert isinstance(event, Malformed)
    events(made, b"b APPEND x {1+}\r\n")
    made.accept_message()
    events(made, b"y")
    (event,) = events(made, b" {5} \r\n")
    assert isinstance(event, Malformed)


def test_names_are_read_in_the_form_of_the_moment() -> None:
    made = engine()
    made.receive(b"a SELECT &APw-\r\nb SELECT &APw-\r\nc APPEND &APw- {1}\r\n")
    assert made.next_event() == Command(b"a", "SELECT", SelectArguments("ü", "ü", condstore=False))
    made.text_form = TextForm.UTF8
    assert made.next_event() == Command(
        b"b", "SELECT", SelectArguments("&APw-", "&APw-", condstore=False)
    )
    command = made.next_event()
    assert isinstance(command, Command)
    assert isinstance(command.arguments, AppendArguments)
    assert command.arguments.mailbox == "&APw-"


def test_an_empty_message() -> None:
    made = engine()
    events(made, b"a APPEND x {0+}\r\n\r\nb NOOP\r\n")
    made.accept_message()
    assert events(made) == [
        MessageOctets(b"", last=True),
        NextSteps(()),
        Command(b"b", "NOOP", None),
    ]


def test_abandoned_messages_are_swallowed_where_they_come_anyway() -> None:
    made = engine()
    events(made, b"a APPEND x {5+}\r\nhe")
    made.abandon()
    assert tags(events(made, b"llo {3+}\r\nabc\r\nb NOOP\r\n")) == [b"b"]
    events(made, b"c APPEND x {5}\r\n")
    made.abandon()
    assert tags(events(made, b"d NOOP\r\n")) == [b"d"]
    events(made, b"e APPEND x {5}\r\n")
    made.accept_message()
    events(made, b"he")
    made.abandon()
    assert tags(events(made, b"llo\r\nf NOOP\r\n")) == [b"f"]
    events(made, b"g APPEND x {2+}\r\nhe")
    made.accept_message()
    events(made)
    made.abandon()
    assert tags(events(made, b" {2}\r\nh NOOP\r\n")) == [b"h"]


@pytest.mark.parametrize(
    ("rest", "status"),
    [
        (b" nonsense\r\n", Status.BAD),
        (b" (\\Bad) {3+}\r\nabc\r\n", Status.BAD),
        (b" {99999999999+}", None),
        (b" {70000000}\r\n", Status.NO),
    ],
)
def test_what_follows_a_message_can_be_wrong(rest: bytes, status: Status | None) -> None:
    made = engine()
    events(made, b"a APPEND x {2+}\r\n")
    made.accept_message()
    events(made, b"he")
    found = events(made, rest + b"\r\nb NOOP\r\n")
    if status is None:
        assert isinstance(found[0], Fatal)
        return
    assert isinstance(found[0], Malformed)
    assert (found[0].tag, found[0].outcome.status) == (b"a", status)
    assert tags(found)[-1] == b"b"


def test_too_large_messages_are_refused_before_they_come() -> None:
    made = engine(replace(ImapLimits(), message_octets=10, swallow_octets=100))
    (refused,) = events(made, b"a APPEND x {11}\r\n")
    assert isinstance(refused, Malformed) and refused.outcome.code == b"TOOBIG"
    found = events(made, b"b APPEND x {11+}\r\n" + b"x" * 11 + b"\r\nc NOOP\r\n")
    assert tags(found) == [b"b", b"c"]
    (fatal,) = events(made, b"d APPEND x {101+}\r\n")
    assert isinstance(fatal, Fatal) and fatal.farewell is not None
    assert events(made, b"x" * 200 + b"\r\ne NOOP\r\n") == []
    assert made.backlog == 0


def test_limits_before_login() -> None:
    made = engine(logged_in=False)
    assert tags(events(made, b"a LOGIN {4096+}\r\n" + b"x" * 4096 + b" {1+}\r\ny\r\n")) == [b"a"]
    (refused,) = events(made, b"b APPEND x {5000}\r\n")
    assert isinstance(refused, Malformed) and refused.outcome.code == b"TOOBIG"
    (long,) = events(made, b"c LOGIN " + b"x" * 9_000)
    assert isinstance(long, Malformed) and long.tag == b"c"
    assert events(made, b"x" * 50_000) == []
    (endless,) = events(made, b"x" * 9_000)
    assert isinstance(endless, Fatal)


def test_an_endless_line_keeps_nothing() -> None:
    made = engine()
    for _ in range(100):
        events(made, b"x" * 65_536)
        assert made.backlog <= 65_536
    assert tags(events(made, b"\r\na NOOP\r\n")) == [b"a"]


def test_an_overlong_line_may_announce_a_literal() -> None:
    made = engine()
    found = events(made, b"a SEARCH " + b"x" * 70_000)
    found += events(made, b" {5")
    found += events(made, b"+}\r\nb NOO\r\nc NOOP\r\n")
    assert tags(found) == [b"a", b"c"]


def test_literals_of_one_command_are_counted_together() -> None:
    half = b"{600000+}\r\n" + b"x" * 600_000
    found = events(engine(), b"a RENAME " + half + b" " + half + b"\r\nb NOOP\r\n")
    assert isinstance(found[0], Malformed) and found[0].outcome.code == b"TOOBIG"
    assert tags(found) == [b"a", b"b"]


def test_number_of_literals_is_bounded() -> None:
    made = engine()
    found = events(made, b"a ID (" + b"{0+}\r\n " * 300 + b")\r\nb NOOP\r\n")
    assert tags(found) == [b"a", b"b"]
    assert isinstance(found[0], Malformed) and found[0].outcome.code == b"TOOBIG"


def test_tags() -> None:
    made = engine()
    assert tags(events(made, b"x" * 256 + b" NOOP\r\n")) == [b"x" * 256]
    assert tags(events(made, b"x" * 257 + b" NOOP\r\n")) == [b"*"]
    assert tags(events(made, b"A.1-]! NOOP\r\n")) == [b"A.1-]!"]
    assert tags(events(made, b'a"b NOOP\r\n')) == [b"*"]


@pytest.mark.parametrize(
    "octets",
    [b"GET / HTTP/1.1\r\n", b"POST /x HTTP/1.0\r\n", b"\x16\x03\x01", b"SSH-2.0-x\r\n",
     b"PRI * HTTP/2.0\r\n"],
)  # fmt: skip
def test_strangers_are_left_without_a_word(octets: bytes) -> None:
    assert events(engine(logged_in=False), octets + b"a NOOP\r\n") == [Fatal(None)]


@pytest.mark.parametrize("pieces", [[b"\x16\x03x\r\n"], [b"\x16\x03", b"x\r\n"]])
def test_a_tls_record_is_none_of_ours_whatever_comes_with_it(pieces: list[bytes]) -> None:
    made = engine()
    assert [event for piece in pieces for event in events(made, piece)] == [Fatal(None)]


@pytest.mark.parametrize("octets", [12_288, 12_289])
def test_a_cr_that_comes_before_its_lf_counts_for_no_limit(octets: int) -> None:
    """A line of the longest length is taken, and one longer is not, wherever it is cut."""
    told = []
    for pieces in ([b"x" * octets + b"\r\n"], [b"x" * octets + b"\r", b"\n"]):
        made = engine()
        made.expect_line()
        told.append([event for piece in pieces for event in events(made, piece)])
    assert told[0] == told[1]
    assert isinstance(told[0][0], Line) is (octets == ImapLimits().answer_octets)


def test_behind_an_overlong_answer_the_same_is_skipped_wherever_it_is_cut() -> None:
    octets = b"x" * 13_000 + b" {3+}\r\nabc\r\na NOOP\r\n"
    for pieces in (
        [octets],
        [octets[:12_999], octets[12_999:]],
        [octets[:13_003], octets[13_003:]],
    ):
        made = engine()
        made.expect_line()
        found = [event for piece in pieces for event in events(made, piece)]
        assert [type(event) for event in found] == [Malformed, Command]


@pytest.mark.parametrize("octets", [200, 264, 265, 999])
def test_an_overlong_answer_is_measured_the_same_wherever_it_is_cut(octets: int) -> None:
    """Also where it is longer than what is skipped."""
    limits = ImapLimits(answer_octets=50, swallow_octets=200)
    line = b"x" * octets + b"\r\n"
    found = []
    for pieces in ([line], [line[at : at + 1] for at in range(len(line))]):
        made = engine(limits)
        made.expect_line()
        found.append([event for piece in pieces for event in events(made, piece)])
    assert found[0] == found[1]
    assert isinstance(found[0][-1], Fatal) is (octets > 200 + 64)


def test_an_overlong_line_is_answered_the_same_wherever_it_is_cut() -> None:
    """Also where it announces a literal too large to be skipped, or is too long for that."""
    limits = ImapLimits(line_octets=100, swallow_octets=200)
    for behind in (b"{999+}", b"{150+}" + b"x" * 150, b"z" * 163, b"z" * 164, b"z" * 165):
        octets = b"a NOOP " + b"y" * 94 + behind + b"\r\nb NOOP\r\n"
        found = [
            [event for piece in pieces for event in events(made, piece)]
            for pieces in ([octets], [octets[at : at + 1] for at in range(len(octets))])
            if (made := engine(limits))
        ]
        assert found[0] == found[1], behind
        assert tags(found[0])[0] == b"a"


def test_a_command_of_the_longest_length_is_taken_wherever_it_is_cut() -> None:
    line = b"a NOOP" + b" " * (ImapLimits().line_octets - 6)
    for pieces in ([line + b"\r\n"], [line + b"\r", b"\n"]):
        made = engine()
        (event,) = [event for piece in pieces for event in events(made, piece)]
        assert isinstance(event, Command)


def test_behind_a_literal_nothing_is_a_tls_record() -> None:
    made = engine()
    assert events(made, b"a LOGIN {3+}\r\nann\x16\x03") == []
    assert tags(events(made, b" b\r\n")) == [b"a"]


@pytest.mark.parametrize("blank", [b"", b"\n", b"\r\n\r\n"])
def test_a_tls_record_is_known_behind_blank_lines_however_they_are_cut(blank: bytes) -> None:
    record = blank + b"\x16\x03\x01\n"
    for pieces in ([record], [record[at : at + 1] for at in range(len(record))]):
        made = engine()
        found = [event for piece in pieces for event in events(made, piece)]
        assert found == [Fatal(None)]


def test_after_login_get_is_only_a_bad_command() -> None:
    assert tags(events(engine(), b"GET / HTTP/1.1\r\na NOOP\r\n")) == [b"GET", b"a"]


def test_blank_lines_are_dropped_all_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[int] = []
    take_line = Engine._take_line

    def counted(made: Engine) -> bytes | None:
        looks.append(made.backlog)
        return take_line(made)

    monkeypatch.setattr(Engine, "_take_line", counted)
    made = engine()
    for ends in (b"\n" * 60_000, b"\r\n" * 30_000):
        assert events(made, ends) == []
    assert tags(events(made, b"\r\n\na NOOP\r\n\r\n")) == [b"a"]
    assert len(looks) < 10
