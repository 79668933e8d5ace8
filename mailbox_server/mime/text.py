"""Read the text parts of a message, for its preview and for search.

Content is read through a function, in blocks, so that a message is never in memory whole:
at most SOURCE_OCTETS of encoded text are read and TEXT_CHARACTERS are given out.  What is
cut is marked; mime.text_seeking reads all of it when somebody searches.
"""

import re
from collections.abc import Callable

import msgspec

from mailbox_server.mime.attachment import parameter_text
from mailbox_server.mime.charset import Purpose, decode
from mailbox_server.mime.encoded_words import without_controls
from mailbox_server.mime.flowed_text import has_broken_lines, put_together
from mailbox_server.mime.markup import MARKUP_CHARACTERS, markup_text
from mailbox_server.mime.normal_form import TEXT_CHARACTERS
from mailbox_server.mime.structure import Part, Structure
from mailbox_server.mime.transfer import IDENTITIES, transfer_decoder

SOURCE_OCTETS = 4 * 1024 * 1024
PREVIEW_CHARACTERS = 200
"""What RFC 8970 §3 allows."""

GUESSES = 4
"""Parts whose charset is guessed; each guess costs milliseconds."""

PARTS_READ = 1_000

BLOCK_OCTETS = 256 * 1024
_PREVIEW_SOURCE = 8 * 1024
_PREVIEW_BEGINNING = 300
_META_CHARSET = re.compile(rb"<meta[^<>]{0,200}charset=[\"' ]{0,3}([A-Za-z0-9_.:-]{2,40})", re.I)
_FILLERS = re.compile("[\u00ad\u034f\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]+")

Read = Callable[[int, int], bytes]
"""Start and length in the content to octets; fewer than asked for only at its end."""


class ReadText(msgspec.Struct, frozen=True):
    """The text of one part, decoded, with its markup taken out and broken lines put together.

    is_cut: a limit kept some of it, or of the parts that follow, from being read.
    """

    part: Part
    text: str
    is_cut: bool = False


def read_texts(structure: Structure, read: Read) -> list[ReadText]:
    """The texts of a message's text parts and machine-readable reports, in order."""
    texts: list[ReadText] = []
    octets_left = SOURCE_OCTETS
    characters_left = TEXT_CHARACTERS
    guesses = GUESSES
    for part in structure.root.walk():
        if part.children or not part.size or not is_text(part):
            continue
        if octets_left <= 0 or characters_left <= 0 or len(texts) >= PARTS_READ:
            texts[-1] = msgspec.structs.replace(texts[-1], is_cut=True)
            break
        octets = _decoded(part, read, octets_left)
        text, is_cut = _text(part, octets, may_guess=guesses > 0)
        is_cut = is_cut or part.size > octets_left or len(text) > characters_left
        text = text[:characters_left]
        octets_left -= part.size
        guesses -= not octets.isascii()
        characters_left -= len(text)
        texts.append(ReadText(part, text, is_cut))
    return texts


def preview(texts: list[ReadText]) -> str:
    """The first PREVIEW_CHARACTERS of what the sender wrote, on one line (RFC 8970 §3).

    Plain text goes before HTML; quoted lines are left out unless there is nothing else.
    """
    shown = [each for each in texts if each.part.disposition != b"attachment"]
    if len(shown) > 1:
        shown.sort(key=lambda each: each.part.media_subtype != b"plain")
    for each in shown:
        # Most texts say enough at their beginning; the others are read further.
        own, _ = _on_one_line(each.text[:_PREVIEW_BEGINNING])
        if len(own) <= PREVIEW_CHARACTERS:
            own, every = _on_one_line(each.text[:_PREVIEW_SOURCE])
            own = own or every
        if own:
            return own[:PREVIEW_CHARACTERS].rstrip()
    return ""


def _on_one_line(source: str) -> tuple[str, str]:
    """The text without quoted lines, and with them where nothing else is there."""
    if not source.isascii():
        source = _FILLERS.sub("", source)
    own = every = " ".join(source.split())
    if ">" in source:
        lines = [line for line in source.split("\n") if not line.startswith(">")]
        own = " ".join(" ".join(lines).split())
    if own:
        return without_controls(own).strip(), ""
    return "", without_controls(every).strip()


def is_text(part: Part) -> bool:
    """Whether the part is text or a report that machines write as text."""
    return part.media_type == b"text" or (
        part.media_type == b"message"
        and part.media_subtype.endswith((b"delivery-status", b"disposition-notification"))
    )


def _decoded(part: Part, read: Read, most: int) -> bytes:
    end = min(part.body_end, part.body_start + most)
    if part.encoding in IDENTITIES and end - part.body_start <= BLOCK_OCTETS:
        return read(part.body_start, end - part.body_start)
    decoder = transfer_decoder(part.encoding, most)
    pieces: list[bytes] = []
    for start in range(part.body_start, end, BLOCK_OCTETS):
        pieces.append(decoder.feed(read(start, min(BLOCK_OCTETS, end - start))))
    pieces.append(decoder.finish())
    return b"".join(pieces)


def meta_charset(octets: bytes) -> str | None:
    """The charset that an HTML document names for itself near its beginning."""
    meta = _META_CHARSET.search(octets[:2048])
    return None if meta is None else meta[1].decode("ascii")


def _text(part: Part, octets: bytes, *, may_guess: bool) -> tuple[str, bool]:
    """The text, and whether it was cut."""
    label = parameter_text(part.parameters, b"charset") or None
    if part.media_subtype != b"html":
        text = decode(octets, label, may_guess=may_guess)
        return "".join(put_together((text,))) if has_broken_lines(part) else text, False
    if label is None and not octets.isascii():
        label = meta_charset(octets)
    markup = decode(octets, label, purpose=Purpose.MARKUP, may_guess=may_guess)
    return markup_text(markup), len(markup) > MARKUP_CHARACTERS
