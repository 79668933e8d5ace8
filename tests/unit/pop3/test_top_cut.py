"""TOP sends the header and exactly so many lines, at any chunk size."""

import pytest

from mailbox_server.pop3.top_cut import TopCut

CONTENT = b"A: b\r\n\r\none\r\ntwo\r\nthree"
HEADER = 8


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (0, b"A: b\r\n\r\n"),
        (1, b"A: b\r\n\r\none\r\n"),
        (2, b"A: b\r\n\r\none\r\ntwo\r\n"),
        (3, CONTENT),
        (2**32, CONTENT),
    ],
)
def test_at_any_chunk_size(lines: int, expected: bytes) -> None:
    for size in range(1, len(CONTENT) + 1):
        cut = TopCut(HEADER, lines)
        got = b"".join(
            cut.feed(CONTENT[at : at + size])
            for at in range(0, len(CONTENT), size)
            if not cut.is_done
        )
        assert got == expected
        assert cut.is_done is (lines < 3)


def test_a_message_that_is_all_header() -> None:
    cut = TopCut(6, 10)
    assert cut.feed(b"A: b\r\n") == b"A: b\r\n"
    assert not cut.is_done
    assert cut.feed(b"") == b""
