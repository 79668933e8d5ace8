"""Lines of many changes at once read as if each had been written alone."""

import pytest

from mailbox_server.imap.views import change_lines
from mailbox_server.imap.views.change_lines import expunge_blocks


@pytest.mark.parametrize("octets", [1, 40, 100_000])
def test_expunges_come_in_whole_lines(monkeypatch: pytest.MonkeyPatch, octets: int) -> None:
    monkeypatch.setattr(change_lines, "_BLOCK_OCTETS", octets)
    blocks = list(expunge_blocks([(4, 3), (9, 1), (1, 2)]))
    assert b"".join(blocks) == b"".join(
        b"* %d EXPUNGE\r\n" % number for number in (4, 4, 4, 9, 1, 1)
    )
    assert all(block.endswith(b"\r\n") and len(block) < octets + 40 for block in blocks)
    assert list(expunge_blocks([])) == []
