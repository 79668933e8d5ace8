"""Part trees, offsets and decoded parts against the answer files of other people's parsers.

mail-parser tells offsets, mime4j the octets of every part once it is decoded.  flanker and
ruby-mail have messages without answers: of those any cut must give the same.
"""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final
from xml.etree import ElementTree

import pytest

from mailbox_server.mime.scanner import Scanner, scan
from mailbox_server.mime.structure import Part
from mailbox_server.mime.transfer import transfer_decode

VECTORS = Path(__file__).resolve().parents[3] / "shared" / "vectors" / "mime"
HERE = pytest.mark.skipif(not VECTORS.is_dir(), reason="shared vectors are not here")

_IN_HEADERS = "boundary lines end header blocks too, so no part swallows the next"
_OUTER_ENDS = "a boundary line of an outer multipart ends the inner one (RFC 2046 §5.1.2)"
_PREFIX = "a boundary that only begins like the line is another one"
_OPENS = "a boundary line opens a part although nothing follows"
_NO_PARTS = "a multipart in which no part is found is text/plain (RFC 2045 §5.2)"
_ENCODED = "an encoded message/rfc822 stays opaque (RFC 2046 §5.2.1 forbids encodings)"
_SPACE = "white space at the end of a boundary does not count (RFC 2046 §5.1.1)"
_FIELDS_ONLY = "a header block ends with a blank line, not with a line that is no field"
_BROKEN_BASE64 = "of base64 that breaks off all whole octets are kept"

# Where we part from the expectation, and why that is as it should be.
DIFFERENT: Final[Mapping[str, str]] = {
    "legacy/049": "with LF: a CR alone at the very end is part of the body here",
    "malformed/000": _IN_HEADERS,
    "malformed/001": _PREFIX,
    "malformed/004": _PREFIX,
    "malformed/007": "a header block cannot hold boundary lines of the multipart it announces",
    "malformed/008": _OUTER_ENDS,
    "malformed/009": _OUTER_ENDS,
    "malformed/011": _OUTER_ENDS,
    "malformed/012": _OUTER_ENDS,
    "malformed/013": _OPENS,
    "malformed/014": _OPENS,
    "malformed/016": _OUTER_ENDS,
    "malformed/019": "what nothing closes ends with the content, its last line end included",
    "malformed/020": _IN_HEADERS,
    "malformed/021": _IN_HEADERS,
    "malformed/022": "a message/rfc822 holds a message, whatever that looks like",
    "rfc/008": _ENCODED,
    "thirdparty/005": "`invalid--1--` is no boundary line: it does not begin with the dashes",
    "thirdparty/015": _IN_HEADERS,
}
DIFFERENT_IN_MIME4J: Final[Mapping[str, str]] = {
    "bad-newlines-multiple-parts-base64": _ENCODED,
    "badbound": _NO_PARTS,
    "base64encoded-rfc822message": _ENCODED,
    "base64encoded-rfc822message-nested": _ENCODED,
    "ending-boundaries": "text behind a boundary makes it another line (see scanner)",
    "frag": _BROKEN_BASE64,
    "malformedHeaderStartsBody-nocrlfcrlf": _FIELDS_ONLY,
    "malformedHeaderStartsBody-noheader": _FIELDS_ONLY,
    "missing-boundary": _NO_PARTS,
    "missing-inner-boundary": _NO_PARTS,
    "missing-inner-start-boundary": _NO_PARTS,
    "multi-2gifs-base64": _ENCODED,
    "multi-frag": _BROKEN_BASE64,
    "multipartnopart": _NO_PARTS,
    "very-long-boundary": _SPACE,
    "very-very-long-boundary": "boundaries have at most 1,000 octets",
    "weird-boundary": _SPACE,
}

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
        (f"{path.parent.name}/{path.stem}", ending)
        for path in sorted((VECTORS / "mail-parser").rglob("*.eml"))
        for ending in ("\n", "\r\n")
    ]


@HERE
@pytest.mark.parametrize(("name", "ending"), cases() or [("none", "\n")])
def test_tree_and_offsets_are_as_expected(name: str, ending: str) -> None:
    path = VECTORS / "mail-parser" / name
    lines = path.with_suffix(".eml").read_bytes().replace(b"\r\n", b"\n")
    content = lines.replace(b"\n", ending.encode())
    wanted = path.with_suffix(".json" if ending == "\n" else ".crlf.json")
    parts = json.loads(wanted.read_text("utf-8"))["parts"]
    structure, _ = scan(content)
    is_same = ours(structure.root) == expected(parts, 0)
    assert is_same is (name not in DIFFERENT or (name, ending) == ("legacy/049", "\r\n"))


Parts = bytes | tuple[Any, ...]
"""Decoded octets, ("message", Parts), or the parts of a multipart."""


def decoded(part: Part, content: bytes) -> Parts:
    if part.is_message:
        return ("message", decoded(part.children[0], content))
    if part.children:
        return tuple(decoded(child, content) for child in part.children)
    octets = content[part.body_start : part.body_end]
    return lines_of(transfer_decode(octets, part.encoding, len(octets)))


def lines_of(octets: bytes) -> bytes:
    """Line ends aside: the answer files have text with those of their writer."""
    return octets.replace(b"\r\n", b"\n")


def told(entity: ElementTree.Element, folder: Path) -> Parts:
    for element in entity:
        match element.tag:
            case "message":
                return ("message", told(element, folder))
            case "multipart":
                return tuple(told(each, folder) for each in element.iterfind("body-part"))
            case "text-body" | "binary-body":
                return lines_of((folder / element.attrib["name"]).read_bytes())
    return b""


def mime4j() -> list[Path]:
    return sorted((VECTORS / "mime4j").rglob("*.msg"))


@HERE
@pytest.mark.parametrize("path", mime4j() or [Path()], ids=lambda path: path.stem)
def test_parts_decode_as_expected(path: Path) -> None:
    answer = path.with_name(path.stem + "_decoded.xml").read_bytes().decode("latin-1")
    tree = ElementTree.fromstring(re.sub("[\0-\x08\x0b\x0c\x0e-\x1f]", "", answer))
    content = path.read_bytes()
    is_same = decoded(scan(content)[0].root, content) == told(tree, path.parent)
    assert is_same is (path.stem not in DIFFERENT_IN_MIME4J)


@HERE
def test_every_answer_file_is_compared() -> None:
    """And every difference that is listed is one of a message that is there."""
    names = {name for name, _ in cases()}
    answers = {p for p in (VECTORS / "mail-parser").rglob("*.json") if "crlf" not in p.name}
    assert len(names) == len(answers) == 107
    assert set(DIFFERENT) <= names
    stems = {path.stem for path in mime4j()}
    trees = {p.stem.removesuffix("_decoded") for p in (VECTORS / "mime4j").rglob("*_decoded.xml")}
    assert stems == trees and len(stems) == 80
    assert set(DIFFERENT_IN_MIME4J) <= stems


def messages() -> Iterator[Path]:
    for path in sorted(VECTORS.rglob("*")):
        if path.suffix in (".eml", ".msg") or path.name == "sample_output_multipart":
            yield path


@HERE
@pytest.mark.parametrize("step", [1, 7])
def test_every_message_scans_alike_in_small_pieces(step: int) -> None:
    assert sum(1 for _ in messages()) > 320
    for path in messages():
        content = path.read_bytes()[:40_000]
        scanner = Scanner()
        for at in range(0, len(content), step):
            scanner.feed(content[at : at + step])
        whole, header = scan(content)
        assert scanner.finish() == whole, path
        assert scanner.header == header, path
