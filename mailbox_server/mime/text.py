"""Read the text parts of a message, for its preview and for search.

Content is read through a function, in blocks, so that a message is never in memory whole:
at most SOURCE_OCTETS of encoded text are read and TEXT_CHARACTERS are given out.  What is
cut is marked; mime.text_seeking reads all of it when somebody searches.
"""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from mailbox_server.mime.attachment import parameter_text
from mailbox_server.mime.charset import Purpose, decode
from mailbox_server.mime.encoded_words import without_controls
from mailbox_server.mime.markup import MARKUP_CHARACTERS, markup_text
from mailbox_server.mime.structure import Part, Structure
from mailbox_server.mime.transfer import IDENTITIES, transfer_decoder

SOURCE_OCTETS = 4 * 1024 * 1024
TEXT_CHARACTERS = 1024 * 1024
PREVIEW_CHARACTERS = 200
"""What RFC 8970 §3 allows."""

GUESSES = 4
"""Parts whose charset is guessed; each guess costs milliseconds."""

PARTS_READ = 1_000

BLOCK_OCTETS = 256 * 1024
_NORMALIZED_AT_ONCE = 250
_PREVIEW_SOURCE = 8 * 1024
_PREVIEW_BEGINNING = 300
_SHORT_CHARACTERS = 100
_NO_LINE_ENDS = "\t\x1f\u1680\0"
"""White space, and NUL, that str.splitlines leaves and NFKC makes no plain space of."""

_META_CHARSET = re.compile(rb"<meta[^<>]{0,200}charset=[\"' ]{0,3}([A-Za-z0-9_.:-]{2,40})", re.I)
_FILLERS = re.compile("[\u00ad\u034f\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]+")

Read = Callable[[int, int], bytes]
"""Start and length in the content to octets; fewer than asked for only at its end."""


class ReadText(msgspec.Struct, frozen=True):
    """The text of one part, decoded, with its markup taken out.

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


def normalize(text: str) -> str:
    """Text as search compares it: NFKC, case folded, runs of white space as one space.

    Texts and queries both go through this.  A query keeps one space at an end where it had
    white space.  Holds no NUL.  Of text that grows beyond TEXT_CHARACTERS the rest is cut.
    """
    folded, spaced = _folded_and_spaced(text)
    if not spaced:
        return " " if folded else ""
    before = " " if folded[0].isspace() or folded[0] == "\0" else ""
    after = " " if folded[-1].isspace() or folded[-1] == "\0" else ""
    return before + spaced + after if before or after else spaced


def normalize_stripped(text: str) -> str:
    """The same without space at the ends."""
    return _folded_and_spaced(text)[1]


def _folded_and_spaced(text: str) -> tuple[str, str]:
    """The text folded, where space at its ends is to be seen, and single spaced without it."""
    if text.isascii():
        return text, _single_spaced(text.lower())
    spaced = _western(text)
    if spaced is not None:
        return text, spaced
    folded = _folded(text)
    return folded, _single_spaced(folded)


def _single_spaced(text: str) -> str:
    """Folded text with runs of space and NUL as one space, and none at its ends."""
    if len(text) <= _SHORT_CHARACTERS:
        return " ".join(text.replace("\0", " ").split())
    # Taking a long text apart into words costs several times as much; most runs are short.
    text = " ".join(text.splitlines())
    for space in _NO_LINE_ENDS:
        if space in text:
            text = text.replace(space, " ")
    for _ in range(3):
        if "  " not in text:
            return text.strip(" ")
        text = text.replace("  ", " ")
    return " ".join(text.split())


def _folded(text: str) -> str:
    folded = _compose(_compose(text).casefold())
    return folded.lower() if folded.isascii() else folded


def _compose(text: str) -> str:
    """NFKC, in pieces: marks in a row take the standard library quadratic time."""
    if len(text) <= _NORMALIZED_AT_ONCE:
        return unicodedata.normalize("NFKC", text)
    pieces: list[str] = []
    start = grown = 0
    while start < len(text) and grown <= TEXT_CHARACTERS:
        end = start + _NORMALIZED_AT_ONCE
        # Cut before a character that nothing composes with, if one is near.
        for near in range(end, min(end + 100, len(text))):
            if text[near] < "\u0300":
                end = near
                break
        pieces.append(unicodedata.normalize("NFKC", text[start:end]))
        grown += len(pieces[-1])
        start = end
    return "".join(pieces)


@dataclass(frozen=True, slots=True)
class _Folding:
    """Folding of a charset of single octets, of which no characters compose.

    folded: octet by octet; white space is a space, NUL stands where nothing else can.
    longer: octets that fold to several.
    """

    charset: str
    folded: bytes
    longer: tuple[tuple[bytes, bytes], ...]


def _folding(charset: str) -> _Folding:
    folded = bytearray()
    longer: list[tuple[bytes, bytes]] = []
    for octet in [bytes((number,)) for number in range(256)]:
        try:
            letters = _folded(octet.decode(charset)).encode(charset)
        except UnicodeError:
            letters = b""
        if letters.decode(charset).isspace():
            letters = b" "
        folded += letters if len(letters) == 1 else b"\0"
        if len(letters) > 1:
            longer.append((octet, letters))
    return _Folding(charset, bytes(folded), tuple(longer))


_FOLDINGS = (_folding("latin-1"), _folding("cp1252"))


def _western(text: str) -> str | None:
    """What `_single_spaced` makes of `_folded`, for texts in Western languages.

    It takes a quarter of the time.  None for other texts, and where a character folds to
    one that its charset lacks.
    """
    if len(text) > TEXT_CHARACTERS // 4:
        return None
    for folding in _FOLDINGS:
        try:
            octets = text.encode(folding.charset)
        except UnicodeEncodeError:
            continue
        for octet, letters in folding.longer:
            octets = octets.replace(octet, letters)
        octets = b" ".join(octets.splitlines()).translate(folding.folded)
        if b"\0" in octets:
            return None
        for _ in range(3):
            if b"  " not in octets:
                return octets.decode(folding.charset).strip(" ")
            octets = octets.replace(b"  ", b" ")
        return " ".join(octets.decode(folding.charset).split())
    return None


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
        return decode(octets, label, may_guess=may_guess), False
    if label is None and not octets.isascii():
        label = meta_charset(octets)
    markup = decode(octets, label, purpose=Purpose.MARKUP, may_guess=may_guess)
    return markup_text(markup), len(markup) > MARKUP_CHARACTERS
