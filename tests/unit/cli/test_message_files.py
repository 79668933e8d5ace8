"""Files become messages with CRLF line ends; an mbox is parted at its postmarks only."""

from pathlib import Path

import pytest

from mailbox_server.cli.message_files import messages_in

MEBIBYTE = 1 << 20


def _read(tmp_path: Path, octets: bytes) -> list[tuple[str, bytes]]:
    path = tmp_path / "file"
    path.write_bytes(octets)
    counted: list[int] = []
    found = [(m.source, b"".join(m.octets)) for m in messages_in(path, counted.append)]
    assert sum(counted) == len(octets), "the progress bar must reach its end"
    return found


@pytest.mark.parametrize(
    ("octets", "content"),
    [
        (b"A: b\n\nc\n", b"A: b\r\n\r\nc\r\n"),
        (b"A: b\r\n\r\nc\r\n", b"A: b\r\n\r\nc\r\n"),
        (b"A: b\n\r\nc\nno end", b"A: b\r\n\r\nc\r\nno end"),
        (b"bare\rcr\n", b"bare\rcr\r\n"),
        (b">From x\n", b">From x\r\n"),
        (b"", b""),
    ],
)
def test_one_message(tmp_path: Path, octets: bytes, content: bytes) -> None:
    assert _read(tmp_path, octets) == [("file", content)]


@pytest.mark.parametrize("extra", [-2, -1, 0, 1])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_a_piece_never_ends_between_cr_and_lf(tmp_path: Path, extra: int, end: bytes) -> None:
    line = b"x" * (MEBIBYTE + extra)
    ((_, content),) = _read(tmp_path, line + end + b"y" + end)
    assert content == line + b"\r\ny\r\n"


BOX = (
    b"From ann@example.net Mon Jan  1 10:00:00 2001\nSubject: one\n\n"
    b">From the first\n>>From twice\nFrom here it goes on\n\nFrom there too\n\n"
    b"From - Tue Jan 02 10:00:00 2001\nSubject: two\n\n\n"
    b"From ???@??? Wed Jan 03 10:00:00 2001 +0100\nSubject: three\n\nend\n"
)
MESSAGES = [
    b"Subject: one\r\n\r\nFrom the first\r\n>From twice\r\nFrom here it goes on\r\n\r\n"
    b"From there too\r\n",
    b"Subject: two\r\n\r\n",
    b"Subject: three\r\n\r\nend\r\n",
]


@pytest.mark.parametrize("box", [BOX, BOX.replace(b"\n", b"\r\n")])
def test_an_mbox(tmp_path: Path, box: bytes) -> None:
    found = _read(tmp_path, box)
    assert [source for source, _ in found] == ["file #1", "file #2", "file #3"]
    assert [content for _, content in found] == MESSAGES


def test_a_message_that_was_not_read_to_its_end_is_read_past(tmp_path: Path) -> None:
    path = tmp_path / "box"
    path.write_bytes(BOX)
    subjects = []
    for message in messages_in(path):
        subjects.append(next(message.octets)[:12])
        for _ in message.octets:
            pass
    assert subjects == [b"Subject: one", b"Subject: two", b"Subject: thr"]


def test_a_name_that_is_not_utf8(tmp_path: Path) -> None:
    (tmp_path / "\udcff").write_bytes(b"a\n")
    ((source, _),) = [(m.source, list(m.octets)) for m in messages_in(tmp_path / "\udcff")]
    source.encode()
