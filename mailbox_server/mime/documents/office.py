"""Take the text out of office files: Office Open XML (ECMA-376) and OpenDocument.

Both are zip archives of XML; of what they hold only the parts with text are expanded, a block
at a time, and only text nodes are kept.  No document type is allowed in the XML, so that no
entity can be declared; what expands to more than EXPANDED_OCTETS in all is given up.
"""

import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Final
from xml.parsers import expat
from zipfile import BadZipFile, ZipFile, ZipInfo

from mailbox_server.mime.documents.gathered import Gathered
from mailbox_server.mime.documents.outcomes import Outcome, Unreadable

EXPANDED_OCTETS: Final = 128 * 1024 * 1024
ENTRIES_MOST: Final = 20_000
_BLOCK: Final = 64 * 1024
_ARCHIVE: Final = b"PK\x03\x04"
_COMPOUND: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
"""How an Office Open XML file begins that was encrypted with a password ([MS-OFFCRYPTO])."""
_MANIFEST: Final = "META-INF/manifest.xml"


@dataclass(frozen=True, slots=True)
class _Form:
    """Which elements hold text, by their names without namespace.

    parts: the parts of the archive that are read.  holders: the elements inside of which text
    is taken.  lines: those that stand by themselves.  spaces: those that are white space.
    skipped: those of which nothing is taken.  without: (element, attribute, value) of more of
    them.  told: (element, attribute) whose value is text.
    """

    parts: re.Pattern[str]
    holders: frozenset[str]
    lines: frozenset[str]
    spaces: frozenset[str] = frozenset()
    skipped: frozenset[str] = frozenset()
    without: frozenset[tuple[str, str, str]] = frozenset()
    told: frozenset[tuple[str, str]] = frozenset()


_DESCRIBING: Final = frozenset({"title", "subject", "keywords", "description", "category"})
# What an older program is to show instead of what stands beside it.
_INSTEAD: Final = frozenset({"Fallback"})
# Readings of characters stand between their words, and would part them.
_READINGS: Final = frozenset({"rPh"})
_FORMS: Final = (
    _Form(re.compile(r"docProps/core\.xml"), _DESCRIBING, _DESCRIBING),
    _Form(
        re.compile(r"word/(?:document|header|footer|footnotes|endnotes|comments)\d*\.xml"),
        holders=frozenset({"t"}),
        lines=frozenset({"p"}),
        spaces=frozenset({"tab", "br", "cr", "ptab"}),
        skipped=_INSTEAD,
    ),
    _Form(
        re.compile(r"xl/workbook\.xml"),
        holders=frozenset(),
        lines=frozenset({"sheet"}),
        told=frozenset({("sheet", "name")}),
    ),
    _Form(
        re.compile(
            r"xl/(?:sharedStrings|comments\d*|(?:comments|threadedComments)/[^/]*"
            r"|drawings/drawing\d*)\.xml"
        ),
        holders=frozenset({"t", "text"}),
        lines=frozenset({"si", "p", "text"}),
        spaces=frozenset({"br"}),
        skipped=_READINGS | _INSTEAD,
    ),
    _Form(
        re.compile(r"xl/worksheets/[^/]*\.xml"),
        holders=frozenset({"t", "v", "oddHeader", "oddFooter"}),
        lines=frozenset({"c", "oddHeader", "oddFooter"}),
        skipped=_READINGS,
        # The number of a shared string, a truth, a fault.
        without=frozenset(("c", "t", kind) for kind in ("s", "b", "e")),
    ),
    _Form(
        re.compile(r"ppt/(?:slides|notesSlides|comments|diagrams)/[^/]*\.xml"),
        holders=frozenset({"t", "text"}),
        lines=frozenset({"p", "text"}),
        spaces=frozenset({"br", "tab"}),
        skipped=_INSTEAD,
    ),
    _Form(
        re.compile(r"(?:word|ppt|xl)/charts/chart\d*\.xml"),
        holders=frozenset({"t", "v"}),
        lines=frozenset({"p", "v"}),
    ),
    _Form(
        re.compile(r"(?:content|styles|meta)\.xml"),
        holders=frozenset({"p", "h", "title", "subject", "description", "keyword"}),
        lines=frozenset({"p", "h", "title", "subject", "description", "keyword"})
        | frozenset({"table", "note-citation", "annotation", "creator", "date"}),
        spaces=frozenset({"s", "tab", "line-break"}),
        skipped=frozenset({"tracked-changes"}),
        told=frozenset({("table", "name")}),
    ),
)
_NUMBER: Final = re.compile(r"\d{1,9}")


def gather_office(octets: bytes, gathered: Gathered) -> None:
    """Raises Unreadable, Enough."""
    if octets.startswith(_COMPOUND):
        raise Unreadable(Outcome.ENCRYPTED)
    if not octets.startswith(_ARCHIVE):
        raise Unreadable(Outcome.UNKNOWN)
    try:
        with ZipFile(BytesIO(octets)) as archive:
            _gather_archive(archive, gathered)
    except (BadZipFile, zlib.error, EOFError, NotImplementedError, expat.ExpatError) as fault:
        raise Unreadable(Outcome.DAMAGED) from fault


def _gather_archive(archive: ZipFile, gathered: Gathered) -> None:
    entries = archive.infolist()
    if len(entries) > ENTRIES_MOST:
        raise Unreadable(Outcome.TOO_LARGE)
    chosen = [
        (number, _place(entry.filename), entry, form)
        for entry in entries
        for number, form in enumerate(_FORMS)
        if form.parts.fullmatch(entry.filename)
    ]
    if not chosen:
        raise Unreadable(Outcome.UNKNOWN)
    expanding = _Expanding(archive)
    for entry in entries:
        if entry.flag_bits & 1:
            raise Unreadable(Outcome.ENCRYPTED)
        if entry.filename == _MANIFEST and b"encryption-data" in b"".join(expanding.blocks(entry)):
            raise Unreadable(Outcome.ENCRYPTED)
    for _, _, entry, form in sorted(chosen, key=lambda each: each[:2]):
        nodes = _TextNodes(form, gathered)
        for block in expanding.blocks(entry):
            nodes.feed(block)
        nodes.finish()


def _place(name: str) -> tuple[int, str]:
    """Slide 2 comes before slide 10."""
    number = _NUMBER.search(name)
    return (int(number[0]) if number else 0, name)


class _Expanding:
    """Gives octets of an archive, counting what it has expanded."""

    def __init__(self, archive: ZipFile) -> None:
        self._archive = archive
        self._left = EXPANDED_OCTETS

    def blocks(self, entry: ZipInfo) -> Iterator[bytes]:
        """An entry in blocks.  Raises Unreadable where it becomes too much."""
        with self._archive.open(entry) as stream:
            while block := stream.read(_BLOCK):
                self._left -= len(block)
                if self._left < 0:
                    raise Unreadable(Outcome.TOO_LARGE)
                yield block


class _TextNodes:
    """Takes XML in blocks and gathers the text that its form means."""

    def __init__(self, form: _Form, gathered: Gathered) -> None:
        self._form = form
        self._gathered = gathered
        self._held = self._skipped = 0
        self._is_open = False
        self._asked = {name for name, *_ in (*form.without, *form.told)}
        parser = expat.ParserCreate(namespace_separator=" ")
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = self._doctype
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        self._parser = parser

    def feed(self, octets: bytes) -> None:
        """Raises Unreadable, Enough, expat.ExpatError."""
        self._parser.Parse(octets, False)

    def finish(self) -> None:
        """Raises the same."""
        self._parser.Parse(b"", True)
        self._end_line()

    def _doctype(self, *_: object) -> None:
        raise Unreadable(Outcome.DAMAGED)

    def _start(self, qualified: str, attributes: Mapping[str, str]) -> None:
        form, name = self._form, _local(qualified)
        if self._skipped or name in form.skipped:
            self._skipped += 1
            return
        if name in form.lines:
            self._end_line()
        if name in self._asked:
            for attribute, value in attributes.items():
                if (name, _local(attribute), value) in form.without:
                    self._skipped = 1
                    return
                if (name, _local(attribute)) in form.told:
                    self._gathered.add_line(value)
        if name in form.holders:
            self._held += 1
        elif name in form.spaces and self._is_open:
            self._gathered.add(" ")

    def _end(self, qualified: str) -> None:
        name = _local(qualified)
        if self._skipped:
            self._skipped -= 1
            return
        if name in self._form.lines:
            self._end_line()
        if name in self._form.holders:
            self._held -= 1

    def _characters(self, text: str) -> None:
        if self._held and not self._skipped:
            self._gathered.add(text)
            self._is_open = True

    def _end_line(self) -> None:
        if self._is_open:
            self._gathered.add("\n")
            self._is_open = False


def _local(qualified: str) -> str:
    return qualified.rpartition(" ")[2]
