"""Input without end costs a few MiB, and the server goes on (S8, S13, S15, I1, I2, I3).

The most memory that was resident while it came in is compared with what was resident before;
what comes in is many times larger.
"""

import contextlib
from collections.abc import Iterator

import pytest

from tests.e2e.appliance import PASSWORDS, Appliance, address
from tests.e2e.attacks.process import forget_peak, peak_octets
from tests.e2e.attacks.raw import Raw, raw
from tests.e2e.mail import fetch_all, imap

MIB = 1024 * 1024
BLANK = b"\r\n" * (33 * MIB // 2)
A_FEW_MIB = 12 * MIB
BLOCK = b"x" * MIB
ENDLESS_MIB = 120


@contextlib.contextmanager
def few_mib(appliance: Appliance) -> Iterator[None]:
    """The block costs the server no more than that."""
    before = forget_peak(appliance.pid)
    yield
    assert peak_octets(appliance.pid) - before <= A_FEW_MIB


@pytest.fixture(autouse=True, scope="module")
def warm(appliance: Appliance) -> None:
    """What is made once, for the first message and the first search, is there already."""
    with raw(appliance, "smtp") as one:
        begin(one)
        one.send(b"Subject: warm\r\n\r\n" + b"x" * 70 + b"\r\n" * (2 * MIB) + b".\r\n")
        assert one.reply().startswith(b"250")
    fetch_all(appliance)


def begin(one: Raw) -> None:
    assert one.say(b"EHLO c").startswith(b"250")
    assert one.say(b"MAIL FROM:<sender@example.net>").startswith(b"250")
    assert one.say(b"RCPT TO:<" + address("ann").encode() + b">").startswith(b"250")
    assert one.say(b"DATA").startswith(b"354")


def pour(one: Raw, octets: bytes, most: int) -> int:
    """Send octets again and again until the server ends it or most MiB are gone; how many."""
    for count in range(most):
        try:
            one.socket.sendall(octets)
        except TimeoutError:
            raise
        except OSError:
            return count
    return most


def log_in(one: Raw) -> None:
    one.send(f'a LOGIN {address("ann")} "{PASSWORDS["ann"]}"\r\n'.encode())
    assert b"a OK" in one.until(b"a ")


@pytest.mark.parametrize("verb", ["DATA", "BDAT"])
def test_33_mb_of_blank_lines(appliance: Appliance, verb: str) -> None:
    with raw(appliance, "smtp") as one, few_mib(appliance):
        assert one.say(b"EHLO c").startswith(b"250")
        assert one.say(b"MAIL FROM:<sender@example.net>").startswith(b"250")
        assert one.say(b"RCPT TO:<" + address("ann").encode() + b">").startswith(b"250")
        if verb == "BDAT":
            one.send(b"BDAT %d LAST\r\n" % len(BLANK))
            one.send(BLANK)
        else:
            assert one.say(b"DATA").startswith(b"354")
            one.send(BLANK + b".\r\n")
        assert one.reply().startswith(b"250 2.0.0 Ok")


def test_blank_lines_are_read_back_exactly(appliance: Appliance) -> None:
    client = imap(appliance)
    client.select("INBOX")
    try:
        (numbers,) = client.search(None, "LARGER", str(33 * MIB - 1000))[1]
        with few_mib(appliance):
            for number in numbers.split():
                content = client.fetch(number.decode(), "(BODY.PEEK[TEXT])")[1][0][1]
                assert content.strip(b"\r\n") == b""
                assert len(content) >= 33 * MIB - 1000
        client.store("1:*", "+FLAGS.SILENT", "(\\Deleted)")
        client.expunge()
    finally:
        client.logout()


def test_a_line_of_content_without_end(appliance: Appliance) -> None:
    with raw(appliance, "smtp") as one, few_mib(appliance):
        begin(one)
        # The limit is 50 MiB; the connection ends when twice as much has been swallowed.
        pour(one, BLOCK, ENDLESS_MIB)
        assert one.rest().startswith(b"552 5.3.4")


def test_a_header_without_end(appliance: Appliance) -> None:
    with raw(appliance, "smtp") as one, few_mib(appliance):
        begin(one)
        assert pour(one, (b"X-Much: " + b"y" * 1000 + b"\r\n") * 1000, 20) == 20
        assert one.say(b"\r\n.").startswith(b"552 5.3.4")


@pytest.mark.parametrize("service", ["smtp", "lmtp", "pop3", "imap"])
def test_a_command_without_end(appliance: Appliance, service: str) -> None:
    with raw(appliance, service) as one, few_mib(appliance):
        pour(one, b"a NOOP " + BLOCK, 40)
        one.end_sending()
        said = one.rest()
    assert len(said) < 1000
    assert b"Traceback" not in said


@pytest.mark.parametrize(
    "literal",
    [b"{99999999999}", b"{4294967296+}", b"{99999999999999999999999+}", b"{70000+}", b"{4097}"],
)
def test_a_literal_before_login(appliance: Appliance, literal: bytes) -> None:
    """RFC 7888 §4: it is refused before it is sent, or what is sent is dropped."""
    with raw(appliance, "imap") as one, few_mib(appliance):
        one.send(b"a LOGIN " + literal + b"\r\n")
        assert one.line()[:5] in (b"a BAD", b"* BYE")
        pour(one, BLOCK, 20)
        one.end_sending()
        assert b"+ " not in one.rest()


@pytest.mark.parametrize("announced", [b"{20000+}", b"{1000000+}"])
def test_many_literals_in_one_command(appliance: Appliance, announced: bytes) -> None:
    with raw(appliance, "imaps") as one, few_mib(appliance):
        log_in(one)
        size = int(announced[1:-2])
        one.send(b"b SEARCH")
        for _ in range(300):
            try:
                one.socket.sendall(b" SUBJECT " + announced + b"\r\n" + b"x" * size)
            except OSError:
                break
        one.send(b"\r\n")
        assert one.line()[:5] in (b"b BAD", b"* BYE")


def test_an_endless_literal_for_append(appliance: Appliance) -> None:
    """Too large to be taken: it is swallowed up to a limit, or never asked for."""
    with raw(appliance, "imaps") as one, few_mib(appliance):
        log_in(one)
        one.send(b"b APPEND INBOX {99999999999}\r\n")
        assert one.line().startswith(b"b NO [TOOBIG]")
        one.send(b"c APPEND INBOX {99999999999+}\r\n")
        assert one.line()[:4] in (b"c NO", b"* BY")
        pour(one, BLOCK, 40)


def test_an_append_that_never_ends(appliance: Appliance) -> None:
    """What is being taken goes to the disk, and is dropped when the client does."""
    before = len(fetch_all(appliance))
    with raw(appliance, "imaps") as one, few_mib(appliance):
        log_in(one)
        one.send(b"b APPEND INBOX {60000000+}\r\n")
        assert pour(one, BLOCK, 50) == 50
    assert len(fetch_all(appliance)) == before


def test_a_sasl_response_without_end(appliance: Appliance) -> None:
    for service, command in (("pop3s", b"AUTH PLAIN\r\n"), ("imaps", b"a AUTHENTICATE PLAIN\r\n")):
        with raw(appliance, service) as one, few_mib(appliance):
            one.send(command)
            assert one.line().startswith(b"+ ")
            pour(one, b"QUJD" * (MIB // 4), 20)
            one.send(b"\r\n")
            assert one.line()[:5] in (b"-ERR ", b"a BAD")
