"""Part trees and offsets against the expectations of other people's parsers."""

import json
from pathlib import Path
from typing import Any

import pytest

from mailbox_server.mime.scanner import Scanner, scan
from mailbox_server.mime.structure import Part

VECTORS = Path(__file__).resolve().parents[3] / "shared" / "vectors" / "mime"

# Where we part from the expectation, and why that is as it should be.
# legacy/049: a CR alone at the very end is part of the body here.
# rfc/008: a message/rfc822 in base64 stays opaque (RFC 2046 §5.2.1 forbids the encoding).
# thirdparty/005: `invalid--1--` is no boundary line, as it does not begin with the dashes.
# thirdparty/015: boundary lines end header blocks too, so no part swallows the next.
DIFFERENT = frozenset(
    [
        ("legacy/049", "\n"),
        *(
            (name, end)
            for name in ("rfc/008", "thirdparty/005", "thirdparty/015")
            for end in ("\n", "\r\n")
        ),
    ]
)

Tree = tuple[tuple[int, int], tuple[Any, ...]]


def ours(part: Part) -> Tree:
    return (part.body_start, part.body_end), tuple(ours(child) for child in part.children)


def expected(parts: list[dict[str, Any]], index: int) -> Tree:
    part = parts[index]
    body = part["body"]
    below: tuple[Any, ...] = ()
    if isinstance(body, dict) and "Multipart" in body:
        below = tuple(expected(parts, each) for each in body["Multipart"])
    if isinstance(body, dict) and "Message" in body:
        below = (expected(body["Message"]["parts"], 0),)
    return (part["offset_body"], part["offset_end"]), below


def cases() -> list[tuple[str, str]]:
    return [
        (f"{group}/{path.stem}", ending)
        for group in ("legacy", "rfc", "thirdparty")
        for path in sorted((VECTORS / "mail-parser" / group).glob("*.eml"))
        for ending in ("\n", "\r\n")
    ]


@pytest.mark.skipif(not VECTORS.is_dir(), reason="shared vectors are not here")
@pytest.mark.parametrize(("name", "ending"), cases() or [("none", "\n")])
def test_tree_and_offsets_are_as_expected(name: str, ending: str) -> None:
    path = VECTORS / "mail-parser" / name
    lines = path.with_suffix(".eml").read_bytes().replace(b"\r\n", b"\n")
    content = lines.replace(b"\n", ending.encode())
    wanted = path.with_suffix(".json" if ending == "\n" else ".crlf.json")
    parts = json.loads(wanted.read_text("utf-8"))["parts"]
    structure, _ = scan(content)
    is_same = ours(structure.root) == expected(parts, 0)
    assert is_same is ((name, ending) not in DIFFERENT)


def messages() -> list[Path]:
    return [path for path in sorted(VECTORS.rglob("*")) if path.suffix in (".eml", ".msg")]


@pytest.mark.skipif(not VECTORS.is_dir(), reason="shared vectors are not here")
@pytest.mark.parametrize("step", [1, 7])
def test_every_message_scans_alike_in_small_pieces(step: int) -> None:
    assert messages()
    for path in messages():
        content = path.read_bytes()[:40_000]
        scanner = Scanner()
        for at in range(0, len(content), step):
            scanner.feed(content[at : at + step])
        whole, header = scan(content)
        assert scanner.finish() == whole, path
        assert scanner.header == header, path
