"""The engine against servers of every temper: who gets which answer, and never two."""

import pytest

from mailbox_server.model.outbound import Phase
from mailbox_server.relay.client.engine import Engine, State
from mailbox_server.relay.client.transaction import Step, Way
from tests.unit.relay.client.spoken import ALL, begun, codes, greeted, told

CONTENT = b"Subject: x\r\n\r\n.dot\r\n"


def test_all_commands_go_together_where_they_may() -> None:
    engine = greeted("PIPELINING")
    transaction = begun(engine, 2)
    assert engine.output() == (
        b"MAIL FROM:<a@example.org>\r\nRCPT TO:<r0@example.net>\r\n"
        b"RCPT TO:<r1@example.net>\r\nDATA\r\n"
    )
    engine.receive(b"250 ok\r\n250 ok\r\n550 5.1.1 nobody\r\n354 go\r\n")
    assert engine.wants_content and engine.step is None
    engine.content(CONTENT, is_last=True)
    assert engine.output() == b"Subject: x\r\n\r\n..dot\r\n.\r\n"
    assert engine.step is Step.END
    engine.receive(b"250 2.0.0 queued as 1\r\n")
    assert engine.state is State.READY
    assert told(transaction) == [
        ("end", 250, "queued as 1", True),
        ("rcpt", 550, "nobody", True),
    ]
    begun(engine, 1)
    assert engine.output().startswith(b"MAIL ")


def test_one_by_one_without_pipelining() -> None:
    engine = greeted("8BITMIME")
    transaction = begun(engine, 2)
    for said, heard in [
        (b"MAIL FROM:<a@example.org>\r\n", b"250 ok\r\n"),
        (b"RCPT TO:<r0@example.net>\r\n", b"450 4.2.1 later\r\n"),
        (b"RCPT TO:<r1@example.net>\r\n", b"250 ok\r\n"),
        (b"DATA\r\n", b"354 go\r\n"),
    ]:
        assert engine.output() == said
        assert not engine.is_sending
        engine.receive(heard)
    assert engine.output() == b""
    assert engine.wants_content
    engine.content(CONTENT, is_last=True)
    engine.receive(b"250 ok\r\n")
    assert codes(transaction) == [450, 250]


def test_chunks_carry_their_size_and_no_doubled_dots() -> None:
    engine = greeted("PIPELINING", "CHUNKING")
    transaction = begun(engine, 1, Way.BDAT)
    assert b"DATA" not in engine.output()
    engine.receive(b"250 ok\r\n250 ok\r\n")
    engine.content(b"abc\r\n", is_last=False)
    engine.content(b".def\r\n", is_last=True)
    assert engine.output() == b"BDAT 5\r\nabc\r\nBDAT 6 LAST\r\n.def\r\n"
    assert engine.outstanding == 2
    engine.receive(b"250 chunk\r\n250 all\r\n")
    assert told(transaction) == [("end", 250, "all", True)]
    assert engine.state is State.READY


def test_a_refused_chunk_is_everybodys_answer_and_resets() -> None:
    engine = greeted("PIPELINING", "CHUNKING")
    transaction = begun(engine, 2, Way.BDAT)
    engine.receive(b"250 ok\r\n" * 3)
    engine.content(b"a\r\n", is_last=False)
    engine.content(b"b\r\n", is_last=False)
    engine.receive(b"552 5.3.4 too much\r\n")
    assert not engine.is_sending and engine.state is State.TRANSACTION
    engine.receive(b"503 no transaction\r\n")
    assert codes(transaction) == [552, 552]
    assert engine.state is State.READY
    engine.output()
    begun(engine, 1)
    assert engine.output().startswith(b"RSET\r\nMAIL ")


def test_a_chunk_refused_when_all_is_sent() -> None:
    engine = greeted("PIPELINING", "CHUNKING")
    transaction = begun(engine, 1, Way.BDAT)
    engine.receive(b"250 ok\r\n" * 2)
    engine.content(b"a\r\n", is_last=False)
    engine.content(b"b\r\n", is_last=True)
    engine.receive(b"452 4.3.1 disk full\r\n250 strange\r\n")
    assert told(transaction) == [("content", 452, "disk full", True)]
    assert engine.state is State.READY


def test_chunks_wait_for_each_other_without_pipelining() -> None:
    engine = greeted("CHUNKING")
    begun(engine, 1, Way.BDAT)
    engine.receive(b"250 ok\r\n")
    engine.receive(b"250 ok\r\n")
    engine.content(b"a\r\n", is_last=False)
    assert engine.is_sending and not engine.wants_content
    engine.receive(b"250 ok\r\n")
    assert engine.wants_content


def test_nobody_accepted_and_the_server_wants_content_all_the_same() -> None:
    """RFC 2920 §3.1: then the client ends an empty message."""
    engine = greeted("PIPELINING")
    transaction = begun(engine, 1)
    engine.output()
    engine.receive(b"250 ok\r\n550 no\r\n354 go\r\n")
    assert engine.output() == b".\r\n"
    assert not engine.is_sending
    engine.receive(b"250 delivered to nobody\r\n")
    assert codes(transaction) == [550]
    assert engine.state is State.READY


def test_nobody_accepted_and_data_refused() -> None:
    engine = greeted("PIPELINING")
    transaction = begun(engine, 2)
    engine.receive(b"250 ok\r\n550 no\r\n450 later\r\n503 no recipients\r\n")
    assert codes(transaction) == [550, 450]
    assert engine.state is State.READY


def test_nobody_accepted_without_pipelining_is_not_asked_for_data() -> None:
    engine = greeted()
    transaction = begun(engine, 1)
    engine.output()
    engine.receive(b"250 ok\r\n")
    engine.output()
    engine.receive(b"550 no\r\n")
    assert engine.output() == b""
    assert codes(transaction) == [550]
    assert engine.state is State.READY


@pytest.mark.parametrize("keywords", [("PIPELINING",), ()])
@pytest.mark.parametrize("way", [Way.DATA, Way.BDAT])
def test_mail_refused_is_the_answer_of_all(keywords: tuple[str, ...], way: Way) -> None:
    engine = greeted(*keywords)
    transaction = begun(engine, 2, way)
    engine.receive(b"550 5.7.1 not you\r\n")
    if keywords:
        rest = b"503 no\r\n" * (3 if way is Way.DATA else 2)
        engine.receive(rest)
    assert told(transaction) == [("mail", 550, "not you", True)] * 2
    assert engine.state is State.READY


def test_data_refused_is_the_answer_of_who_was_accepted() -> None:
    engine = greeted("PIPELINING")
    transaction = begun(engine, 2)
    engine.receive(b"250 ok\r\n250 ok\r\n550 no\r\n451 4.3.0 later\r\n")
    assert told(transaction) == [("data", 451, "later", True), ("rcpt", 550, "no", True)]
    assert engine.state is State.READY


@pytest.mark.parametrize(
    ("heard", "expected"),
    [
        (b"421 4.3.2 bye\r\n", [("mail", 421)] * 2),
        (b"250 ok\r\n421 bye\r\n", [("rcpt", 421)] * 2),
        (b"250 ok\r\n550 no\r\n421 bye\r\n", [("rcpt", 550), ("rcpt", 421)]),
        (b"250 ok\r\n250 ok\r\n250 ok\r\n421 bye\r\n", [("data", 421)] * 2),
        (b"250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n421 bye\r\n", [("content", 421)] * 2),
    ],
)
def test_421_anywhere(heard: bytes, expected: list[tuple[str, int]]) -> None:
    engine = greeted("PIPELINING")
    transaction = begun(engine, 2)
    engine.receive(heard)
    assert engine.state is State.CLOSED
    answers = [one for one in transaction.answers if one is not None]
    assert [(one.phase.value, one.reply.code) for one in answers] == expected
    assert all(one.is_theirs for one in answers)


@pytest.mark.parametrize(
    ("heard", "phase"),
    [
        (b"354 go\r\n", Phase.MAIL),
        (b"221 bye\r\n", Phase.MAIL),
        (b"hello\r\n", Phase.MAIL),
        (b"250 ok\r\n354 go\r\n", Phase.RCPT),
        (b"250 ok\r\n250 ok\r\n250 instead of 354\r\n", Phase.DATA),
        (b"250 ok\r\n250 ok\r\n354 go\r\n250 too early\r\n", Phase.CONTENT),
        (b"250 ok\r\n250 ok\r\n354 go\r\n354 go\r\n", Phase.CONTENT),
    ],
)
def test_out_of_step_is_temporary(heard: bytes, phase: Phase) -> None:
    engine = greeted("PIPELINING")
    transaction = begun(engine, 1)
    engine.receive(heard)
    assert engine.state is State.CLOSED
    (answer,) = transaction.answers
    assert answer is not None
    assert (answer.phase, answer.reply.code, answer.is_theirs) == (phase, 451, False)


def test_lost_after_the_end_is_told_apart() -> None:
    engine = greeted("PIPELINING")
    transaction = begun(engine, 2)
    engine.receive(b"250 ok\r\n250 ok\r\n550 no\r\n354 go\r\n")
    engine.content(CONTENT, is_last=False)
    engine.content(b"", is_last=True)
    engine.receive(b"354 go on\r\n")
    assert [one and one.phase for one in transaction.answers] == [Phase.END, Phase.RCPT]
    assert transaction.answers[0] is not None and not transaction.answers[0].is_theirs


def test_refused_in_the_middle_of_the_content() -> None:
    engine = greeted("PIPELINING")
    transaction = begun(engine, 1)
    engine.receive(b"250 ok\r\n250 ok\r\n354 go\r\n")
    engine.content(CONTENT, is_last=False)
    engine.receive(b"552 5.3.4 enough\r\n")
    assert told(transaction) == [("content", 552, "enough", True)]
    assert engine.state is State.CLOSED


def test_an_extra_reply_ends_the_connection_and_changes_no_answer() -> None:
    engine = greeted("PIPELINING")
    transaction = begun(engine, 1)
    engine.receive(b"250 ok\r\n250 ok\r\n354 go\r\n")
    engine.content(CONTENT, is_last=True)
    engine.receive(b"250 2.0.0 ok\r\n550 no, it was not\r\n")
    assert codes(transaction) == [250]
    assert engine.state is State.CLOSED


def test_helo_follows_ehlo() -> None:
    engine = Engine()
    engine.receive(b"220 hello\r\n")
    engine.hello("me.example.org")
    engine.output()
    engine.receive(b"502 what?\r\n")
    assert engine.output() == b"HELO me.example.org\r\n"
    assert engine.step is Step.HELO
    engine.receive(b"250-hi\r\n250 PIPELINING\r\n")
    assert engine.state is State.READY
    assert not engine.offer.keywords


@pytest.mark.parametrize(
    ("greeting", "is_theirs", "code"),
    [
        (b"554 5.7.1 blocked\r\n", True, 554),
        (b"421 later\r\n", True, 421),
        (b"450 later\r\n", True, 450),
        (b"221 bye\r\n", False, 451),
        (b"354 what\r\n", False, 451),
        (b"250 hi\r\n", False, 451),
        (b"HTTP/1.1 400 Bad Request\r\n", False, 451),
    ],
)
def test_greetings_that_do_not_greet(greeting: bytes, is_theirs: bool, code: int) -> None:
    engine = Engine()
    engine.receive(greeting)
    assert engine.state is State.CLOSED
    assert engine.failure is not None
    assert engine.failure.phase is Phase.GREETING
    assert (engine.failure.is_theirs, engine.failure.reply.code) == (is_theirs, code)


def test_clear_text_behind_starttls_is_dropped() -> None:
    """RFC 3207 §4.2: it may be anybody's, whoever holds the connection after it."""
    engine = greeted("STARTTLS", "PIPELINING")
    engine.starttls()
    assert engine.output() == b"STARTTLS\r\n"
    engine.receive(b"220 go\r\n250-mx\r\n250 AUTH PLAIN\r\n")
    assert engine.state is State.HANDSHAKE
    engine.receive(b"250 more\r\n")
    assert engine.injected == len(b"250-mx\r\n250 AUTH PLAIN\r\n250 more\r\n")
    engine.hello("me.example.org")
    assert not engine.offer.keywords
    assert engine.step is Step.EHLO
    engine.receive(b"250 secured\r\n")
    assert engine.state is State.READY
    assert not engine.offer.keywords


@pytest.mark.parametrize("reply", [b"454 not now\r\n", b"502 never\r\n"])
def test_starttls_refused_leaves_the_choice(reply: bytes) -> None:
    engine = greeted("STARTTLS")
    engine.starttls()
    engine.receive(reply)
    assert engine.state is State.READY
    assert engine.refusal is not None


@pytest.mark.parametrize("reply", [b"354 x\r\n", b"221 x\r\n", b"250 x\r\n", b"421 x\r\n"])
def test_starttls_answered_oddly_ends_it(reply: bytes) -> None:
    engine = greeted("STARTTLS")
    engine.starttls()
    engine.receive(reply)
    assert engine.state is State.CLOSED


@pytest.mark.parametrize(
    ("heard", "said"),
    [
        (b"421 bye\r\n", b"QUIT\r\n"),
        (b"250 ok\r\n421 bye\r\n", b"QUIT\r\n"),
        (b"250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n421 bye\r\n", b""),
        (b"354 odd\r\n", b""),
    ],
)
def test_leave_is_taken_after_421_too_unless_content_has_begun(heard: bytes, said: bytes) -> None:
    engine = greeted("PIPELINING")
    begun(engine, 2)
    engine.receive(heard)
    assert engine.state is State.CLOSED
    engine.output()
    for expected in (said, b""):
        engine.quit()
        assert (engine.output(), engine.step) == (expected, None)


def test_quit() -> None:
    engine = greeted(*ALL)
    engine.quit()
    assert engine.output() == b"QUIT\r\n"
    engine.receive(b"221 bye\r\n")
    assert engine.state is State.CLOSED
    assert engine.failure is None
    engine.receive(b"999 nobody hears this\r\n")
