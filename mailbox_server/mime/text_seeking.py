"""Look for a needle in all the text of a message, however long, in bounded memory.

For messages of which the stored text was cut (`SearchText.is_cut`).  Looks into what
search_text gathers: names and descriptions of attachments, headers of embedded messages
(at most HEADER_OCTETS of each, as the scanner keeps) and the texts of the parts, read in
blocks.  Markup is taken to text in pieces; an element that is not shown and is longer than
a piece may be found in.
"""

import codecs
import re
from collections.abc import Callable, Iterator

from mailbox_server.mime.attachment import parameter_text
from mailbox_server.mime.charset import (
    CUT_OFF_OCTETS,
    GUESS_OCTETS,
    Purpose,
    TextDecoder,
    encoding_of,
)
from mailbox_server.mime.flowed_text import has_broken_lines, put_together
from mailbox_server.mime.markup import MARKUP_CHARACTERS, markup_text
from mailbox_server.mime.normal_form import normalize, parting
from mailbox_server.mime.search_text import embedded_header, header_holds, part_names
from mailbox_server.mime.structure import Part, Structure
from mailbox_server.mime.text import BLOCK_OCTETS, Read, is_text, meta_charset
from mailbox_server.mime.transfer import transfer_decoder

PIECE_CHARACTERS = 32 * 1024
"""Normalized at once; well below what `normalize` cuts, however much it grows."""

GUESSES = 50
"""Parts of a message whose charset is guessed, as one guess takes up to 3 ms; the others that
need it are windows-1252."""

_TAG_START = re.compile(r"<[a-zA-Z/!?][^<>]*\Z")


class Seeker:
    """Takes a text in pieces and tells whether the normalized needle is in it."""

    def __init__(self, needle: str) -> None:
        self._needle = needle
        self._waiting = ""
        self._before = ""

    def feed(self, text: str) -> bool:
        """Whether the needle is in what is decided by now."""
        self._waiting += text
        while len(self._waiting) > PIECE_CHARACTERS:
            end = parting(self._waiting, PIECE_CHARACTERS)
            piece, self._waiting = self._waiting[:end], self._waiting[end:]
            if self._look(piece):
                return True
        return False

    def finish(self) -> bool:
        """The same for what is left."""
        piece, self._waiting = self._waiting, ""
        return self._look(piece)

    def _look(self, piece: str) -> bool:
        found = normalize(piece)
        if self._before.endswith(" "):
            found = found.lstrip()
        joined = self._before + found
        self._before = joined[-len(self._needle) - 1 :]
        return self._needle in joined


def texts_hold(structure: Structure, read: Read, needle: str) -> bool:
    """Whether the normalized needle is in the searchable body text; what read raises passes."""
    guesses = iter(range(GUESSES))

    def may_guess() -> bool:
        return next(guesses, None) is not None

    for part in structure.root.walk():
        if any(needle in normalize(name) for name in part_names(structure, part) if name):
            return True
        if part.is_message:
            if header_holds(embedded_header(part, read), needle):
                return True
        elif part.size and is_text(part) and _part_holds(part, read, needle, may_guess):
            return True
    return False


def _part_holds(part: Part, read: Read, needle: str, may_guess: Callable[[], bool]) -> bool:
    seeker = Seeker(needle)
    texts = _decoded_texts(part, read, may_guess)
    if part.media_subtype == b"html":
        texts = _shown(texts)
    elif has_broken_lines(part):
        texts = put_together(texts)
    return any(seeker.feed(text) for text in texts) or seeker.finish()


def _octets(part: Part, read: Read) -> Iterator[bytes]:
    decoder = transfer_decoder(part.encoding, part.size)
    for start in range(part.body_start, part.body_end, BLOCK_OCTETS):
        yield decoder.feed(read(start, min(BLOCK_OCTETS, part.body_end - start)))
    yield decoder.finish()


def _decoded_texts(part: Part, read: Read, may_guess: Callable[[], bool]) -> Iterator[str]:
    """The text of a part in pieces, its charset found as `text.read_texts` finds it.

    A part that one block holds is read once; of a longer one its beginning is read again.
    """
    is_html = part.media_subtype == b"html"
    label = parameter_text(part.parameters, b"charset") or None
    is_short = part.size <= BLOCK_OCTETS
    pieces = list(_octets(part, read)) if is_short else _beginning(part, read)
    head = b"".join(pieces)
    if label is None and is_html:
        label = meta_charset(head)
    if is_short and head.isascii() and _is_utf_8_labeled(label):
        yield head.decode("ascii")
        return
    decoder = TextDecoder(
        head,
        label,
        purpose=Purpose.MARKUP if is_html else Purpose.TEXT,
        is_utf_8=lambda: _is_utf_8(iter(pieces) if is_short else _octets(part, read)),
        may_guess=may_guess,
    )
    for octets in pieces if is_short else _octets(part, read):
        yield decoder.feed(octets)
    yield decoder.finish()


def _is_utf_8_labeled(label: str | None) -> bool:
    """Whether octets of ASCII are taken as they are, whatever their purpose."""
    return label is None or encoding_of(label) in (None, "ascii", "utf_8")


def _beginning(part: Part, read: Read) -> list[bytes]:
    pieces: list[bytes] = []
    for octets in _octets(part, read):
        pieces.append(octets)
        if sum(map(len, pieces)) >= GUESS_OCTETS:
            break
    return pieces


def _is_utf_8(pieces: Iterator[bytes]) -> bool:
    """Whether `charset.decode` takes the octets for UTF-8: its rule, with octets in pieces."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    is_ascii = True
    for octets in pieces:
        try:
            text = decoder.decode(octets)
        except UnicodeDecodeError as fault:
            is_ascii = is_ascii and fault.object[: fault.start].isascii()
            behind = len(fault.object) - fault.end + sum(map(len, pieces))
            return not is_ascii and behind <= CUT_OFF_OCTETS
        is_ascii = is_ascii and text.isascii()
    unfinished, _ = decoder.getstate()
    return not (unfinished and is_ascii)


def _shown(texts: Iterator[str]) -> Iterator[str]:
    """The text of markup that comes in pieces; tags are not cut in two."""
    waiting = ""
    for text in texts:
        waiting += text
        while len(waiting) > MARKUP_CHARACTERS // 2:
            piece = waiting[: MARKUP_CHARACTERS // 2]
            rest = waiting[len(piece) :]
            unclosed = _TAG_START.search(piece)
            if unclosed is None:
                # Neither a word nor a character reference is cut where white space is near.
                at = max(piece.rfind(" "), piece.rfind("\n"), piece.rfind(">") + 1)
                at = at if at > 0 else len(piece)
                piece, rest = piece[:at], piece[at:] + rest
            elif unclosed.start():
                piece, rest = piece[: unclosed.start()], piece[unclosed.start() :] + rest
            else:
                # A tag this long holds an image: what it is matters, its attributes do not.
                piece, rest = "", "<x " + rest
            yield markup_text(piece)
            waiting = rest
    yield markup_text(waiting)
