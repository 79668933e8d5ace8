"""COMPRESS is no way around a limit: what unpacks to much is worked off piece by piece (I3)."""

import base64
import random
import zlib
from collections.abc import Iterator

import pytest

from tests.e2e.appliance import PASSWORDS, Appliance, address
from tests.e2e.attacks.process import forget_peak, peak_octets
from tests.e2e.attacks.raw import Raw, raw

MIB = 1024 * 1024
RAW_DEFLATE = -15
A_FEW_MIB = 8 * MIB


class Deflating:
    """A logged-in client behind COMPRESS."""

    def __init__(self, one: Raw) -> None:
        self.one = one
        self._deflate = zlib.compressobj(9, zlib.DEFLATED, RAW_DEFLATE)
        self._inflate = zlib.decompressobj(RAW_DEFLATE)
        self._came = b""

    def send(self, octets: bytes) -> None:
        self.one.send(self._deflate.compress(octets) + self._deflate.flush(zlib.Z_SYNC_FLUSH))

    def until(self, mark: bytes) -> bytes:
        """All that comes up to the mark; fails where the connection ends before."""
        while mark not in self._came:
            octets = self.one.socket.recv(65536)
            assert octets, self._came[-200:]
            self._came += self._inflate.decompress(octets)
        found, self._came = self._came, b""
        return found

    def rest(self) -> bytes:
        return self._came + self._inflate.decompress(self.one.rest())


@pytest.fixture
def client(appliance: Appliance) -> Iterator[Deflating]:
    with raw(appliance, "imaps") as one:
        one.send(f'a LOGIN {address("ann")} "{PASSWORDS["ann"]}"\r\n'.encode())
        assert b"a OK" in one.until(b"a ")
        one.send(b"b COMPRESS DEFLATE\r\n")
        assert b"b OK" in one.until(b"b ")
        yield Deflating(one)


def test_a_line_of_100_mib(appliance: Appliance, client: Deflating) -> None:
    client.send(b"c NOOP\r\n")
    client.until(b"c OK")
    before = forget_peak(appliance.pid)
    client.send(b"d NOOP " + b"x" * (100 * MIB) + b"\r\ne NOOP\r\n")
    said = client.until(b"e OK")
    assert b"d BAD [TOOBIG]" in said
    assert peak_octets(appliance.pid) - before <= A_FEW_MIB


def test_a_million_commands_let_others_in(appliance: Appliance, client: Deflating) -> None:
    before = forget_peak(appliance.pid)
    client.send(b"c NOOP\r\n" * (1 << 17))
    with raw(appliance, "imap") as other:
        other.send(b"o NOOP\r\n")
        assert b"o OK" in other.until(b"o ")
    assert b"c OK" in client.until(b"c OK")
    assert peak_octets(appliance.pid) - before <= A_FEW_MIB


def test_a_literal_that_is_too_large_is_refused(client: Deflating) -> None:
    client.send(b"c APPEND INBOX {100000000}\r\n")
    assert b"c NO [TOOBIG]" in client.until(b"c ")


@pytest.mark.usefixtures("sound")
def test_a_client_that_asks_for_much_and_reads_nothing(
    appliance: Appliance, client: Deflating
) -> None:
    """Two gigabytes asked for in a few hundred octets: what is deflated waits for the network."""
    noise = base64.encodebytes(random.Random(4978).randbytes(MIB)).replace(b"\n", b"\r\n")
    message = b"Subject: noise\r\n\r\n" + noise
    client.send(b"c CREATE Noise\r\nc APPEND Noise {%d+}\r\n%b\r\n" % (len(message), message))
    client.until(b"c OK [APPENDUID")
    client.send(b"d SELECT Noise\r\ne FETCH 1 BODY.PEEK[]\r\n")
    assert noise in client.until(b"e OK")
    before = forget_peak(appliance.pid)
    client.send(b"f FETCH 1 BODY.PEEK[]\r\n" * 1_500)
    with raw(appliance, "imap") as other:
        for _ in range(50):
            other.send(b"o NOOP\r\n")
            assert b"o OK" in other.until(b"o ")
    assert peak_octets(appliance.pid) - before <= A_FEW_MIB


@pytest.mark.parametrize("octets", [b"c NOOP\r\n" * 10, b"\xff\x00" * 40], ids=["text", "octets"])
@pytest.mark.usefixtures("sound")
def test_plain_text_where_it_should_be_compressed(client: Deflating, octets: bytes) -> None:
    client.one.send(octets)
    assert b"* BYE" in client.rest()
