"""NUL leaves a message by base64, and nothing else of it changes."""

import pytest

from mailbox_server.mime import binary_parts
from mailbox_server.mime.binary_parts import blocks, without_nul
from mailbox_server.mime.scanner import scan
from mailbox_server.mime.structure import Part
from mailbox_server.mime.transfer import transfer_decode


def recoded(content: bytes) -> bytes | None:
    structure, _ = scan(content)

    def read(start: int, count: int) -> bytes:
        return content[start : start + count]

    stretches = without_nul(structure, read)
    return None if stretches is None else b"".join(blocks(stretches, read))


def leaves(content: bytes) -> list[tuple[bytes, bytes, bytes]]:
    """Type and decoded octets of each part that has none below, and the fields before it."""

    def told(part: Part) -> tuple[bytes, bytes, bytes]:
        body = content[part.body_start : part.body_end]
        return part.media_subtype, transfer_decode(body, part.encoding, len(body)), part.encoding

    return [told(part) for part in scan(content)[0].root.walk() if not part.children]


BINARY = b"Content-Type: image/%b\r\nContent-Transfer-Encoding: binary\r\n\r\n"
MIXED = b"Subject: x\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\npreamble\r\n"


@pytest.mark.parametrize("data", [b"\0", b"a\0" * 28 + b"b", bytes(range(256)) * 40, b"\r\n\0\r\n"])
@pytest.mark.parametrize("block", [57, 114, 57 * 2048])
def test_only_parts_with_nul_change(
    data: bytes, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(binary_parts, "BLOCK_OCTETS", block)
    plain = BINARY % b"plain" + b"\xff\r\nas it is"
    inner = b"Subject: inner\r\n" + BINARY % b"inner" + data
    parts = [plain, BINARY % b"one" + data, b"Content-Type: message/rfc822\r\n\r\n" + inner, plain]
    content = MIXED + b"".join(b"--b\r\n" + part + b"\r\n" for part in parts) + b"--b--\r\nend"
    changed = recoded(content)
    assert changed is not None and b"\0" not in changed
    before, after = leaves(content), leaves(changed)
    assert [part[:2] for part in before] == [part[:2] for part in after]
    assert [part[2] for part in after] == [b"binary", b"base64", b"base64", b"binary"]
    assert changed.startswith(MIXED + b"--b\r\n" + plain + b"\r\n--b\r\n")
    assert changed.endswith(b"\r\n--b\r\n" + plain + b"\r\n--b--\r\nend")
    assert max(map(len, changed.split(b"\r\n"))) <= 76


def test_a_message_of_one_part_ends_with_a_line_end() -> None:
    content = b"content-transfer-encoding :\r\n BINARY\r\nSubject: x\r\n\r\n\0\1"
    assert recoded(content) == (b"Content-Transfer-Encoding: base64\r\nSubject: x\r\n\r\nAAE=\r\n")


def test_a_second_field_goes() -> None:
    content = (
        b"Content-Transfer-Encoding: binary\r\nA: b\r\nContent-Transfer-Encoding: 7bit\r\n"
        b"X-Content-Transfer-Encoding: c\r\n\r\n\0"
    )
    assert recoded(content) == (
        b"Content-Transfer-Encoding: base64\r\nA: b\r\nX-Content-Transfer-Encoding: c\r\n\r\n"
        b"AA==\r\n"
    )


@pytest.mark.parametrize(
    "content",
    [
        b"Subject: \0\r\nContent-Transfer-Encoding: binary\r\n\r\n\0",
        b"Subject: x\r\n\r\n\0",
        b"Content-Transfer-Encoding: 8bit\r\n\r\n\0",
        b"Content-Transfer-Encoding: base64\r\n\r\n\0",
        MIXED + b"\0\r\n--b\r\n" + BINARY % b"one" + b"\0\r\n--b--\r\n",
        MIXED + b"--b\r\n" + BINARY % b"one" + b"\0\r\n--b--\r\n\0",
        MIXED + b"--b\r\n\r\n\0\r\n--b\r\n" + BINARY % b"one" + b"\0\r\n--b--\r\n",
    ],
)
def test_nul_elsewhere_cannot_be_helped(content: bytes) -> None:
    assert recoded(content) is None


def test_without_nul_nothing_changes() -> None:
    content = MIXED + b"--b\r\n" + BINARY % b"one" + b"\xff\r\n--b--\r\n"
    assert recoded(content) == content
