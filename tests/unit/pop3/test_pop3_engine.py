"""Lines come out once, in order and in bounded memory."""

from mailbox_server.pop3.engine import Engine, Response
from mailbox_server.pop3.grammar import Bare, Malformed, Verb

LONG = Malformed("the line is too long")


def test_one_octet_at_a_time() -> None:
    engine = Engine(100)
    for octet in b"NOO":
        engine.receive(bytes([octet]))
        assert engine.next_command() is None
    engine.receive(b"P\r")
    assert engine.next_command() is None
    engine.receive(b"\n")
    assert engine.next_command() == Bare(Verb.NOOP)
    assert engine.next_command() is None
    assert engine.pending == 0


def test_a_line_of_the_limit_and_one_more() -> None:
    engine = Engine(8)
    engine.receive(b"NOOP    \r\nNOOP     \r\nNOOP\r\n")
    assert engine.next_command() == Bare(Verb.NOOP)
    assert engine.next_command() == LONG
    assert engine.next_command() == Bare(Verb.NOOP)


def test_an_endless_line_takes_no_memory() -> None:
    engine = Engine(100)
    for _ in range(1_000):
        engine.receive(b"x" * 1_000)
        assert engine.next_command() is None
        assert engine.pending <= 1_000
    engine.receive(b"xx\r\nNOOP\r\n")
    assert engine.next_command() == LONG
    assert engine.next_command() == Bare(Verb.NOOP)


def test_a_line_that_is_swallowed_while_nobody_asks() -> None:
    engine = Engine(10)
    engine.receive(b"x" * 50)
    assert engine.next_command() is None
    engine.receive(b"y" * 50 + b"\r\n")
    engine.receive(b"QUIT\r\n")
    assert engine.next_command() == LONG
    assert engine.next_command() == Bare(Verb.QUIT)


def test_what_is_a_response_is_decided_when_it_is_asked_for() -> None:
    engine = Engine(100)
    engine.receive(b"AUTH PLAIN\r\nQUIT\r\nQUIT\r\n")
    engine.next_command()
    assert engine.next_response() == Response(b"QUIT")
    assert engine.next_command() == Bare(Verb.QUIT)
    assert engine.next_response() is None


def test_a_response_that_is_too_long() -> None:
    engine = Engine(10)
    engine.receive(b"A" * 11 + b"\r\n*\r\n")
    assert engine.next_response() == LONG
    assert engine.next_response() == Response(b"*")


def test_forgetting_tells_how_much_there_was() -> None:
    engine = Engine(10)
    assert engine.forget() == 0
    engine.receive(b"QUIT\r\n")
    assert engine.forget() == 6
    assert engine.next_command() is None
    engine.receive(b"x" * 50)
    engine.next_command()
    assert engine.forget() == 1
    engine.receive(b"NOOP\r\n")
    assert engine.next_command() == Bare(Verb.NOOP)


def test_a_response_does_not_show_in_a_repr() -> None:
    assert "c2VjcmV0" not in repr(Response(b"c2VjcmV0"))
