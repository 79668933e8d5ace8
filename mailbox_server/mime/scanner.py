"""Find the parts of a message in its octets, as they come and without keeping bodies.

Any octets give a structure; nothing raises.  Lines end with LF, with a CR before it if
present; a bare CR never ends a line, so that a header field cannot be smuggled in behind
one.  A boundary line is `--`, the boundary, `--` if it closes, and white space to the line
end; RFC 2046 §5.1.1 would accept other text after the boundary too, which makes a boundary
that begins another ambiguous.  Of two open multiparts with the same boundary the inner one
gets the line.  Boundary lines are seen in header blocks as well, which then end there.

Past a limit the rest is opaque: it belongs to the part in which the limit was reached.
Work is linear in the octets, however they are cut: what was looked at is not looked at
again.  Short lines that look like boundaries, and short parts, cost much for their octets,
so `feed` works one turn at most; what is left waits (`is_behind`) for `catch_up`, between
whose turns others can be served.  Memory: the header block being read (at most
header_octets), what waits (at most BEHIND_OCTETS and one feed), and what the parts' fields
say.
"""

import re
from dataclasses import dataclass
from enum import Enum
from itertools import takewhile
from operator import eq

from mailbox_server.mime.content_fields import EMBEDDED, NOTHING, PLAIN_TEXT, content_fields
from mailbox_server.mime.envelope import NO_ENVELOPE, envelope
from mailbox_server.mime.structure import ContentFields, Part, Structure
from mailbox_server.mime.transfer import IDENTITIES

BLOCK_OCTETS = 16 * 1024
"""Feeds smaller than this are gathered first."""

TURN_STEPS = 3_000
"""Work in one turn, about a millisecond: looking at a line that may be a boundary is a step."""

BEHIND_OCTETS = 256 * 1024
"""When more than this waits although nobody catches up, `feed` works all of it off."""

_PART_STEPS = 16
_OCTETS_A_STEP = 4  # of a header block that is read

BOUNDARY_OCTETS = 1_000
_LINE_OCTETS = BOUNDARY_OCTETS + 200
"""Longest boundary line: the boundary, its dashes and some white space."""

_DASHES = b"\n--"
_BLANK = re.compile(rb"\n\r?\n")
_BLANK_OR_DASHES = re.compile(rb"\n(?:\r?\n|--)")
_OPAQUE = ContentFields(b"application", b"octet-stream", (), *NOTHING)


@dataclass(frozen=True, slots=True)
class ScanLimits:
    """Where scanning stops looking closer.

    depth: multiparts and embedded messages inside one another.
    parts: entities in all, the message itself included.
    header_octets: of one header block; its end is still found.
    described_octets: header octets of all parts below the root whose fields are kept; the
        parts after that keep only their type and encoding.
    """

    depth: int = 100
    parts: int = 10_000
    header_octets: int = 1024 * 1024
    described_octets: int = 2 * 1024 * 1024


_LIMITS = ScanLimits()


class _State(Enum):
    HEADER = "reading a header block"
    BODY = "looking for boundary lines"


class _Line(Enum):
    UNFINISHED = "its end has not come yet"


class _Open:
    """An entity whose end has not come yet."""

    __slots__ = (
        "body_start",
        "boundary",
        "children",
        "default",
        "envelope",
        "fields",
        "header_start",
        "is_embedded",
        "lines_before",
        "mark_before",
        "shadowed",
    )

    def __init__(self, header_start: int, default: ContentFields, *, is_embedded: bool) -> None:
        self.header_start = header_start
        self.default = default
        self.is_embedded = is_embedded
        self.fields: ContentFields | None = None
        self.body_start = header_start
        self.lines_before = 0
        self.boundary: bytes | None = None
        self.shadowed: int | None = None
        self.mark_before = _DASHES
        self.envelope: bytes | None = None
        self.children: list[Part] = []


@dataclass(frozen=True, slots=True)
class _Delimiter:
    """A boundary line: the stack position of its multipart, and where the next line is."""

    level: int
    is_close: bool
    next_line: int


class Scanner:
    """Takes content octets in any pieces; `finish` gives the structure.

    header: the root's header block with its blank line, at most limits.header_octets of it;
    complete once `finish` was called.
    """

    def __init__(self, limits: ScanLimits | None = None) -> None:
        self._limits = limits or _LIMITS
        self._waiting: list[bytes] = []
        self._waiting_octets = 0
        self._tail = b""
        self._base = 0  # offset in the content of the first octet of the tail
        self._cursor = 0  # position in the tail from which to go on
        self._searched = 0  # offset in the content before which no header block ends
        self._steps = 0  # left in this turn
        self._is_behind = False
        self._has_ended = False
        self._state = _State.HEADER
        self._cut_header: bytes | None = None  # what is kept of an over-long header block
        self._line_feeds = 0
        self._counted = 0  # offset in the content up to which line feeds are counted
        self._stack = [_Open(0, PLAIN_TEXT, is_embedded=False)]
        self._boundaries: dict[bytes, int] = {}
        self._mark = _DASHES  # what all boundary lines begin with, and the LF before them
        self._parts = 1
        self._described = 0
        self.header = b""

    @property
    def held_octets(self) -> int:
        """Octets of content that are held because they are not decided yet."""
        return len(self._tail) + self._waiting_octets

    @property
    def is_behind(self) -> bool:
        """Whether a turn ended before all that came was looked at; see `catch_up`."""
        return self._is_behind

    def feed(self, octets: bytes) -> None:
        """Take the next octets of the content, and work one turn."""
        self._waiting.append(octets)
        self._waiting_octets += len(octets)
        # Waiting for a share of what is held keeps the octets copied in proportion.
        if self._waiting_octets >= max(BLOCK_OCTETS, len(self._tail) // 16):
            undecided = self.held_octets - self._cursor
            is_neglected = self._is_behind and undecided > BEHIND_OCTETS
            self._work(self._without_end() if is_neglected else TURN_STEPS)

    def catch_up(self) -> None:
        """Work one turn on what waits."""
        if self._is_behind:
            self._work(TURN_STEPS)

    def end(self) -> None:
        """Say that the content is complete, and work one turn; nothing may be fed after it."""
        if not self._has_ended:
            self._has_ended = True
            self._work(TURN_STEPS)

    def finish(self) -> Structure:
        """The structure of the content, which is complete; to be called once.

        Whoever shares a thread calls `end` first, and `catch_up` while `is_behind`.
        """
        if self._is_behind or not self._has_ended:
            self._has_ended = True
            self._work(self._without_end())
        size = self._base + len(self._tail)
        self._end_down_to(0, size)
        return Structure(self._close(size), size)

    def _without_end(self) -> int:
        """Steps enough for all that is held."""
        return (_PART_STEPS + 2) * (self.held_octets + 1)

    def _work(self, steps: int) -> None:
        final = self._has_ended
        data = b"".join((self._tail, *self._waiting))
        self._waiting.clear()
        self._waiting_octets = 0
        self._steps = steps
        self._is_behind = False
        cursor = self._cursor
        while (
            self._header(data, cursor, final=final)
            if self._state is _State.HEADER
            else self._body(data, cursor, final=final)
        ):
            cursor = self._cursor
            if self._steps <= 0:
                self._is_behind = True
                break
        cursor = self._cursor
        # Two octets before the cursor stay: they may be the line end before a boundary,
        # whose line feed is not the part's.
        self._count_lines(data, len(data) if final and not self._is_behind else cursor - 1)
        keep = 0 if final else max(cursor - 2, 0)
        if self._is_behind and keep < len(data) // 2:
            keep = 0  # cutting off little each turn would copy the rest too often
        self._tail = data[keep:]
        self._base += keep
        self._cursor = cursor - keep

    def _header(self, data: bytes, cursor: int, *, final: bool) -> bool:
        """Go on in a header block; True if it ended, False if more octets are needed."""
        entity = self._stack[-1]
        start = max(entity.header_start - self._base, 0)
        is_at_start = entity.header_start == 0 and self._base == 0
        if is_at_start and data.startswith((b"\n", b"\r\n")):
            return self._end_header(data, start, data.index(b"\n") + 1)
        at = max(cursor - 1, self._searched - self._base, 0)
        wanted = _BLANK_OR_DASHES if self._boundaries else _BLANK
        while found := wanted.search(data, at):
            at = found.start()
            if data[found.end() - 1] == 0x0A:
                return self._end_header(data, start, found.end())
            delimiter = self._delimiter(data, at, final=final)
            if delimiter is _Line.UNFINISHED:
                break
            if delimiter is not None:
                self._end_header(data, start, at + 1)
                self._take(data, at, delimiter)
                return True
            at += 1
            if self._steps <= 0:
                self._is_behind = True
                break
        if final and not self._is_behind:
            return self._end_header(data, start, len(data))
        # The last octets may begin a blank or boundary line.
        at = at if found else max(at, len(data) - 2)
        self._searched = self._base + at
        kept = self._limits.header_octets
        if self._cut_header is None and len(data) - start > kept:
            self._cut_header = data[start : start + kept]
        if self._cut_header is not None:
            self._cursor = max(cursor, at + 1 if found else at)
        return False

    def _body(self, data: bytes, cursor: int, *, final: bool) -> bool:
        """Look for the next boundary line; False if there is none in these octets."""
        mark = self._mark
        at = data.find(mark, max(cursor - 1, 0)) if self._boundaries else -1
        while at >= 0:
            delimiter = self._delimiter(data, at, final=final)
            if delimiter is _Line.UNFINISHED:
                self._cursor = at + 1
                return False
            if delimiter is not None:
                self._take(data, at, delimiter)
                return True
            if self._steps <= 0:
                self._cursor = at + 2
                self._is_behind = True
                return False
            at = data.find(mark, at + 1)
        self._cursor = len(data) if final else max(cursor, len(data) - len(mark) + 1)
        return False

    def _delimiter(self, data: bytes, at: int, *, final: bool) -> _Delimiter | _Line | None:
        """Read the line behind the LF at `at`, which begins with two dashes.

        None if it is no boundary line, UNFINISHED if its end has not come yet.
        """
        self._steps -= 1
        start = at + 3
        end = data.find(b"\n", start, start + _LINE_OCTETS)
        next_line = end + 1
        if end < 0:
            if len(data) - start >= _LINE_OCTETS:
                return None
            if not final:
                return _Line.UNFINISHED
            next_line = end = len(data)
        line = data[start:end].rstrip(b" \t\r")
        level = self._boundaries.get(line)
        if level is not None:
            return _Delimiter(level, False, next_line)
        if line.endswith(b"--"):
            level = self._boundaries.get(line[:-2])
            if level is not None:
                return _Delimiter(level, True, next_line)
        return None

    def _take(self, data: bytes, at: int, delimiter: _Delimiter) -> None:
        """End what the boundary line behind the LF at `at` ends; begin what it begins."""
        self._count_lines(data, at)
        end = at - 1 if at and data[at - 1] == 0x0D else at
        self._end_down_to(delimiter.level, self._base + end)
        multipart = self._stack[-1]
        self._cursor = delimiter.next_line
        self._state = _State.BODY
        if delimiter.is_close:
            self._forget_boundary(multipart)
        elif self._parts >= self._limits.parts:
            self._boundaries.clear()
        else:
            fields = multipart.fields
            in_digest = fields is not None and fields.media_subtype == b"digest"
            self._open(delimiter.next_line, EMBEDDED if in_digest else PLAIN_TEXT)

    def _open(self, start: int, default: ContentFields, *, is_embedded: bool = False) -> None:
        self._stack.append(_Open(self._base + start, default, is_embedded=is_embedded))
        self._parts += 1
        self._state = _State.HEADER
        self._cut_header = None

    def _end_header(self, data: bytes, start: int, body: int) -> bool:
        """The header block of the innermost entity ends where its body starts; True."""
        entity = self._stack[-1]
        block = self._cut_header
        if block is None:
            block = data[start : min(body, start + self._limits.header_octets)]
        else:
            # It may have been kept in a turn that ended before the block did.
            block = block[: self._base + body - entity.header_start]
        self._cut_header = None
        self._steps -= _PART_STEPS + len(block) // _OCTETS_A_STEP
        fields = content_fields(block, entity.default)
        is_root = len(self._stack) == 1
        if is_root:
            self.header = block
        else:
            self._described += len(block)
        is_described = is_root or self._described <= self._limits.described_octets
        entity.body_start = self._base + body
        self._count_lines(data, body)
        entity.lines_before = self._line_feeds
        if entity.is_embedded:
            entity.envelope = envelope(block) if is_described else NO_ENVELOPE
        self._cursor = body
        self._state = _State.BODY
        entity.fields = self._entered(entity, fields, body)
        if not is_described:
            media_type, media_subtype, _, _, _, encoding, *_ = entity.fields
            bare = (None, None, encoding, None, None, (), (), None)
            entity.fields = ContentFields(media_type, media_subtype, (), *bare)
        return True

    def _entered(self, entity: _Open, fields: ContentFields, body: int) -> ContentFields:
        """Make the entity a container if it is one; its fields as we vouch for them."""
        if fields.media_type == b"multipart":
            boundary = dict(fields.parameters).get(b"boundary", b"").rstrip(b" \t\r")
            if not boundary or len(boundary) > BOUNDARY_OCTETS:
                return _retyped(fields, PLAIN_TEXT)
            if len(self._stack) > self._limits.depth:
                return _retyped(fields, _OPAQUE)
            entity.boundary = boundary
            entity.shadowed = self._boundaries.get(boundary)
            entity.mark_before = self._mark
            line = _DASHES + boundary
            self._mark = _common_start(self._mark, line) if self._boundaries else line
            self._boundaries[boundary] = len(self._stack) - 1
        elif fields.media_type == b"message" and fields.media_subtype in (b"rfc822", b"global"):
            if (
                fields.encoding not in IDENTITIES
                or len(self._stack) > self._limits.depth
                or self._parts >= self._limits.parts
            ):
                return _retyped(fields, _OPAQUE)
            self._open(body, PLAIN_TEXT, is_embedded=True)
        return fields

    def _end_down_to(self, level: int, end: int) -> None:
        """End all entities inside the one at this stack position."""
        while len(self._stack) > level + 1:
            part = self._close(end)
            self._stack[-1].children.append(part)

    def _close(self, end: int) -> Part:
        """Take the innermost entity off the stack as a part that ends there."""
        entity = self._stack.pop()
        self._forget_boundary(entity)
        fields = entity.fields
        if fields is None:
            fields = entity.default
            if fields.media_type == b"message":
                fields = PLAIN_TEXT
            entity.lines_before = self._line_feeds
            if entity.is_embedded:
                entity.envelope = NO_ENVELOPE
        if fields.media_type == b"multipart" and not entity.children:
            fields = _retyped(fields, PLAIN_TEXT)
        # A blank line that ends a header block belongs to it, boundary line behind or not.
        last_child = entity.children[-1].body_end if entity.children else 0
        return Part(
            *fields,
            entity.header_start,
            entity.body_start,
            max(entity.body_start, end, last_child),
            max(0, self._line_feeds - entity.lines_before),
            entity.envelope,
            tuple(entity.children),
        )

    def _forget_boundary(self, entity: _Open) -> None:
        if entity.boundary is None:
            return
        if entity.shadowed is None or not self._boundaries:
            self._boundaries.pop(entity.boundary, None)
        else:
            self._boundaries[entity.boundary] = entity.shadowed
        self._mark = entity.mark_before
        entity.boundary = None

    def _count_lines(self, data: bytes, to: int) -> None:
        """Count line feeds up to position `to` of data."""
        start = self._counted - self._base
        if to > start:
            self._line_feeds += data.count(b"\n", start, to)
            self._counted = self._base + to


def _retyped(fields: ContentFields, shown: ContentFields) -> ContentFields:
    """The same fields under another media type, as there is nothing inside to show."""
    return fields._replace(
        media_type=shown.media_type,
        media_subtype=shown.media_subtype,
        parameters=shown.parameters,
    )


def _common_start(one: bytes, other: bytes) -> bytes:
    alike = takewhile(bool, map(eq, one, other))
    return one[: sum(alike)]


def scan(content: bytes, limits: ScanLimits | None = None) -> tuple[Structure, bytes]:
    """The structure and header block of a content that is at hand whole."""
    scanner = Scanner(limits)
    scanner.feed(content)
    structure = scanner.finish()
    return structure, scanner.header
