"""Cut a message after its header and a number of body lines, for TOP (RFC 1939 §7)."""


class TopCut:
    """One message; feed its content in order until is_done.

    header_octets: length of the content's header with the empty line that ends it.
    """

    def __init__(self, header_octets: int, lines: int) -> None:
        self._header_left = header_octets
        self._lines_left = lines

    @property
    def is_done(self) -> bool:
        """Whether nothing more is to be sent."""
        return self._header_left <= 0 and self._lines_left <= 0

    def feed(self, octets: bytes) -> bytes:
        """What goes out of the next octets."""
        header = octets[: self._header_left]
        self._header_left -= len(header)
        if self._header_left > 0:
            return header
        start = len(header)
        if self._lines_left <= 0:
            return header
        within = octets.count(b"\n", start)
        if within < self._lines_left:
            self._lines_left -= within
            return octets
        end = start
        while self._lines_left > 0:
            end = octets.index(b"\n", end) + 1
            self._lines_left -= 1
        return octets[:end]
