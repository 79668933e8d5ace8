"""What clients and strangers try on POP3, and what a kill leaves (rows I15, A10)."""

import pytest

from tests.e2e.appliance import PASSWORDS, Appliance, address
from tests.e2e.attacks.raw import Raw, raw
from tests.e2e.mail import fetch_all, send

BODY = b"Subject: dots\r\n\r\n.\r\n..\r\n.x\r\nx\r\n\r\n"
LOGIN = f"USER {address('bob')}\r\nPASS {PASSWORDS['bob']}\r\n".encode()


pytestmark = pytest.mark.usefixtures("sound")


def log_in(one: Raw) -> int:
    """How many messages there are."""
    one.send(LOGIN)
    assert one.line().startswith(b"+OK send")
    answer = one.line()
    assert answer.startswith(b"+OK maildrop has "), answer
    return int(answer.split()[3])


HOSTILE = (
    b"USER " + b"u" * 13_000,
    b"PASS " + b"p" * 300_000,
    b"\0\0\0",
    b"\xff\xfe",
    b"",
    b" USER x",
    b"USER",
    b"USER  ",
    b"PASS x",
    b"STAT",
    b"RETR 1",
    b"DELE 1",
    b"TOP 1 1",
    b"UIDL",
    b"APOP a b",
    b"AUTH PLAIN =",
    b"AUTH PLAIN " + b"A" * 12_000,
    b"AUTH " + b"X" * 1_000,
    b"AUTH\0PLAIN",
    b"STLS now",
    b"CAPA x",
    b"LANG " + b"x" * 500,
    b"UTF8 x",
    b"XTND XMIT",
)


@pytest.mark.parametrize("line", HOSTILE, ids=[each[:12].hex() for each in HOSTILE])
def test_before_login(appliance: Appliance, line: bytes) -> None:
    with raw(appliance, "pop3") as one:
        one.send(line + b"\r\nQUIT\r\n")
        said = one.rest().splitlines()
    assert said[-1].startswith(b"+OK goodbye")
    assert all(len(each) < 512 for each in said)
    assert said[0].startswith((b"-ERR", b"+OK"))


def test_too_many_bad_commands_end_it(appliance: Appliance) -> None:
    with raw(appliance, "pop3") as one:
        one.send(b"XYZZY\r\n" * 1_000)
        said = one.rest().splitlines()
    assert said[-1] == b"-ERR too many bad commands"
    assert len(said) < 30


@pytest.mark.parametrize(
    ("command", "good"),
    [
        (b"TOP 1 4294967295", True),
        (b"TOP 1 0", True),
        (b"TOP 1 99999999999999999999", None),
        (b"TOP 1 -1", False),
        (b"TOP 1", False),
        (b"RETR 0", False),
        (b"RETR -1", False),
        (b"RETR 1 1", False),
        (b"RETR 99999999999999999999", False),
        (b"RETR 1e0", False),
        ("RETR \u0661".encode(), False),
        (b"LIST 0", False),
        (b"UIDL x", False),
        (b"DELE 0", False),
        (b"USER ann", False),
        (b"AUTH PLAIN", False),
        (b"STLS", False),
    ],
)
def test_after_login(appliance: Appliance, command: bytes, good: bool | None) -> None:
    """A10: nobody logs in twice, or goes back to plain text."""
    send(appliance, BODY, [address("bob")])
    with raw(appliance, "pop3s") as one:
        log_in(one)
        one.send(command + b"\r\n")
        answer = one.line()
        assert good is None or answer.startswith(b"+OK" if good else b"-ERR"), answer
        if answer.startswith(b"+OK"):
            assert one.until(b".\r\n").endswith(b"\r\n.\r\n")
        one.send(b"NOOP\r\n")
        assert one.line() == b"+OK done\r\n"


def test_dots_are_doubled_and_the_end_is_the_end(appliance: Appliance) -> None:
    send(appliance, BODY, [address("bob")])
    with raw(appliance, "pop3s") as one:
        count = log_in(one)
        one.send(b"RETR %d\r\n" % count)
        assert one.line().startswith(b"+OK")
        found = one.until(b".\r\n")
    assert found.endswith(b"\r\n\r\n..\r\n...\r\n..x\r\nx\r\n\r\n.\r\n")


def test_ten_thousand_commands_in_one_packet(appliance: Appliance) -> None:
    with raw(appliance, "pop3s") as one:
        log_in(one)
        one.send(b"NOOP\r\nSTAT\r\n" * 5_000 + b"QUIT\r\n")
        said = one.rest().splitlines()
    assert len(said) == 10_001
    assert all(each.startswith(b"+OK") for each in said)


def test_what_was_marked_is_there_after_a_kill_before_quit(appliance: Appliance) -> None:
    """RFC 1939 §6: only QUIT removes, and what it said it has done is done."""
    send(appliance, BODY, [address("bob")])
    with raw(appliance, "pop3s") as one:
        count = log_in(one)
        one.send(b"".join(b"DELE %d\r\n" % number for number in range(1, count + 1)))
        for _ in range(count):
            assert one.line().startswith(b"+OK")
        appliance.kill()
    appliance.start()
    assert len(fetch_all(appliance, "bob")) == count
    with raw(appliance, "pop3s") as one:
        assert log_in(one) == count
        one.send(b"DELE 1\r\nQUIT\r\n")
        assert one.line().startswith(b"+OK")
        assert one.line().startswith(b"+OK goodbye")
        appliance.kill()
    appliance.start()
    assert len(fetch_all(appliance, "bob")) == count - 1


def test_a_pipelined_quit_removes_what_was_marked_before_it(appliance: Appliance) -> None:
    send(appliance, BODY, [address("bob")])
    with raw(appliance, "pop3s") as one:
        count = log_in(one)
        one.send(b"DELE %d\r\nQUIT\r\nRSET\r\nDELE 1\r\n" % count)
        assert one.rest().count(b"+OK") == 2
    assert len(fetch_all(appliance, "bob")) == count - 1
