"""Undo content transfer encodings, a piece at a time and up to a cap (RFC 2045 §6).

Decoders never raise: octets that do not belong there are passed over in base64 and kept as
they are in quoted-printable.  Past its cap a decoder swallows what comes.
"""

import binascii
import re
from typing import Protocol

IDENTITIES = (b"7bit", b"8bit", b"binary")
"""Encodings that leave octets as they are."""

HELD_OCTETS = 4 * 1024
"""Most that a quoted-printable decoder holds of an unfinished line."""

_BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="
_JUNK = bytes(set(range(256)) - set(_BASE64))
_TRAILING_SPACE = re.compile(rb"(?<![ \t])[ \t]++(?=\r?\n)")


class TransferDecoder(Protocol):
    """Takes encoded octets in any pieces and gives decoded ones."""

    @property
    def is_full(self) -> bool:
        """Whether the cap was reached: nothing more will come out."""

    def feed(self, octets: bytes) -> bytes:
        """Decode as much as can be decoded with these octets."""

    def finish(self) -> bytes:
        """What is left at the end of the encoded octets."""


class _Capped:
    """Counts what comes out and cuts it at the cap."""

    __slots__ = ("_left",)

    def __init__(self, cap: int) -> None:
        self._left = cap

    @property
    def is_full(self) -> bool:
        return self._left <= 0

    def _cut(self, decoded: bytes) -> bytes:
        decoded = decoded[: self._left]
        self._left -= len(decoded)
        return decoded


class IdentityDecoder(_Capped):
    """7bit, 8bit and binary, and any encoding that we do not know."""

    __slots__ = ()

    def feed(self, octets: bytes) -> bytes:
        return self._cut(octets)

    def finish(self) -> bytes:
        return b""


class Base64Decoder(_Capped):
    """Base64 with junk between and padding missing; padding ends it (RFC 2045 §6.8)."""

    __slots__ = ("_digits", "_ended")

    def __init__(self, cap: int) -> None:
        super().__init__(cap)
        self._digits = b""
        self._ended = False

    def feed(self, octets: bytes) -> bytes:
        if self._ended or self.is_full:
            return b""
        digits = self._digits + octets.translate(None, _JUNK)
        padding = digits.find(b"=")
        if padding >= 0:
            self._ended = True
            self._digits = digits[:padding]
            return self._last()
        whole = len(digits) - len(digits) % 4
        self._digits = digits[whole:]
        return self._cut(binascii.a2b_base64(digits[:whole]))

    def finish(self) -> bytes:
        if self._ended:
            return b""
        self._ended = True
        return self._last()

    def _last(self) -> bytes:
        digits = self._digits
        # One digit alone holds six bits: no octet.
        digits = digits[: len(digits) - 1] if len(digits) % 4 == 1 else digits
        self._digits = b""
        return self._cut(binascii.a2b_base64(digits + b"=" * (-len(digits) % 4)))


class QuotedPrintableDecoder(_Capped):
    """Quoted-printable, line by line; white space before a line end is dropped."""

    __slots__ = ("_held",)

    def __init__(self, cap: int) -> None:
        super().__init__(cap)
        self._held: list[bytes] = []

    def feed(self, octets: bytes) -> bytes:
        if self.is_full:
            return b""
        end = octets.rfind(b"\n") + 1
        if not end and sum(map(len, self._held)) + len(octets) <= HELD_OCTETS:
            self._held.append(octets)
            return b""
        data = b"".join((*self._held, octets))
        end = data.rfind(b"\n") + 1
        if len(data) - end > HELD_OCTETS:
            # A line that long is none: only an escape must not be cut in two.
            escape = data.rfind(b"=", len(data) - 2)
            end = len(data) if escape < 0 else escape
        self._held = [data[end:]]
        return self._decode(data[:end])

    def finish(self) -> bytes:
        held = b"".join(self._held)
        self._held = []
        return self._decode(held)

    def _decode(self, encoded: bytes) -> bytes:
        if b" \r\n" in encoded or b" \n" in encoded or b"\t" in encoded:
            encoded = _TRAILING_SPACE.sub(b"", encoded)
        return self._cut(binascii.a2b_qp(encoded))


def transfer_decoder(encoding: bytes, cap: int) -> TransferDecoder:
    """The decoder for a Content-Transfer-Encoding (lower case), giving at most cap octets."""
    if encoding == b"base64":
        return Base64Decoder(cap)
    if encoding == b"quoted-printable":
        return QuotedPrintableDecoder(cap)
    return IdentityDecoder(cap)


def transfer_decode(octets: bytes, encoding: bytes, cap: int) -> bytes:
    """The same for octets that are at hand whole."""
    decoder = transfer_decoder(encoding, cap)
    return decoder.feed(octets) + decoder.finish()
