"""Lines of many changes at once read as if each had been written alone."""

from array import array

import pytest

from mailbox_server.imap.grammar.sequence_sets import By
from mailbox_server.imap.views import change_lines
from mailbox_server.imap.views.change_lines import expunge_blocks, flag_lines
from mailbox_server.imap.views.flag_classes import FlagClass


def test_flags_are_told_line_by_line() -> None:
    known = [FlagClass(frozenset(), b""), FlagClass(frozenset({"50%d"}), b"50%d")]
    uids, classes, modseqs = array("I", [7, 8, 20]), array("B", [0, 1, 1]), array("q", [5, 6, 5])
    assert flag_lines(3, uids, classes, None, known) == (
        b"* 3 FETCH (UID 7 FLAGS ())\r\n"
        b"* 4 FETCH (UID 8 FLAGS (50%d))\r\n"
        b"* 5 FETCH (UID 20 FLAGS (50%d))\r\n"
    )
    assert flag_lines(3, uids, classes, modseqs, known) == (
        b"* 3 FETCH (UID 7 FLAGS () MODSEQ (5))\r\n"
        b"* 4 FETCH (UID 8 FLAGS (50%d) MODSEQ (6))\r\n"
        b"* 5 FETCH (UID 20 FLAGS (50%d) MODSEQ (5))\r\n"
    )
    assert flag_lines(3, uids, classes, None, known, By.UID) == (
        b"* 7 UIDFETCH (FLAGS ())\r\n"
        b"* 8 UIDFETCH (FLAGS (50%d))\r\n"
        b"* 20 UIDFETCH (FLAGS (50%d))\r\n"
    )
    assert flag_lines(3, uids, classes, modseqs, known, By.UID) == (
        b"* 7 UIDFETCH (FLAGS () MODSEQ (5))\r\n"
        b"* 8 UIDFETCH (FLAGS (50%d) MODSEQ (6))\r\n"
        b"* 20 UIDFETCH (FLAGS (50%d) MODSEQ (5))\r\n"
    )


@pytest.mark.parametrize("octets", [1, 40, 100_000])
def test_expunges_come_in_whole_lines(monkeypatch: pytest.MonkeyPatch, octets: int) -> None:
    monkeypatch.setattr(change_lines, "_BLOCK_OCTETS", octets)
    blocks = list(expunge_blocks([(4, 3), (9, 1), (1, 2)]))
    assert b"".join(blocks) == b"".join(
        b"* %d EXPUNGE\r\n" % number for number in (4, 4, 4, 9, 1, 1)
    )
    assert all(block.endswith(b"\r\n") and len(block) < octets + 40 for block in blocks)
    assert list(expunge_blocks([])) == []
