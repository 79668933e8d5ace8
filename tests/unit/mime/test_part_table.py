"""Stored part tables: read back as written, refused when they are something else."""

import msgspec
import pytest

from mailbox_server.mime.part_table import (
    VERSION,
    UnreadablePartTable,
    read_part_table,
    write_part_table,
)
from mailbox_server.mime.scanner import scan

CONTENT = (
    b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: message/rfc822\r\n"
    b"Content-Disposition: attachment; filename=x\r\nContent-Language: en, de\r\n\r\n"
    b"Subject: in\r\n\r\nx\r\n--b\r\nContent-ID: <1>\r\n\r\ny\r\n--b--\r\n"
)


def test_what_was_written_is_read() -> None:
    structure, _ = scan(CONTENT)
    assert read_part_table(write_part_table(structure)) == structure


def test_a_wide_and_a_deep_tree() -> None:
    head = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
    for content in (head + b"--b\r\n\r\n" * 10_000, (head + b"--b\r\n") * 1_000):
        structure, _ = scan(content)
        assert read_part_table(write_part_table(structure)) == structure


def test_the_form_is_stable() -> None:
    structure, _ = scan(b"Subject: x\r\n\r\nHello\r\n")
    assert write_part_table(structure).hex() == (
        "019215"
        "91dc0011c40474657874c405706c61696e9192c40763686172736574c40875732d6173636969"
        "c0c0c40437626974c0c09090c0000e1501c000"
    )


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"\x00",
        b"\x02" + write_part_table(scan(CONTENT)[0])[1:],
        write_part_table(scan(CONTENT)[0])[:-1],
        bytes((VERSION,)) + msgspec.msgpack.encode((1, [])),
        bytes((VERSION,)) + msgspec.msgpack.encode([1, 2, 3]),
    ],
)
def test_other_octets_are_refused(octets: bytes) -> None:
    with pytest.raises(UnreadablePartTable):
        read_part_table(octets)
