"""Mail made by chance of texts that are hard to compare, and what a search must find in it.

The texts are known before they are encoded, so that nothing of the program decides what is
in a message: a needle is there where its NFKC form, case folded and single spaced, is.
"""

import base64
import random
import re
import unicodedata
from dataclasses import dataclass
from html import escape
from typing import Final

from mailbox_server.store.ports import TextCriterion, TextScope

FIELDS: Final = ("From", "To", "Cc", "Bcc", "Subject", "X-Own", "List-Id", "Received", "X-OWN")

# fmt: off
_WORDS: Final = (
    "Photo", "grüße", "GRÜSSE", "STRAẞE", "ﬁnance", "oﬀice", "日本語", "大阪", "東", "한국어",
    "각", "ㄱㅏㄱ", "\u1100\u1161\u11a8", "İstanbul", "ISTANBUL", "ıI", "e\u0301te\u0301", "été",
    "\u212b", "привет", "ΣΊΣΥΦΟΣ", "Σίσυφος", 'a"b', "\U0001f600", "x\u0308", "ǆ", "ǅ", "ＦＵＬＬ",
    "ｶﾞｷﾞ", "ガギ", "か\u3099", "50%", "a_b", "a*", "NEAR", "AND", "OR", "NOT", "NEAR(a b)", "^a",
    "a:b", "-a", "(", "''", "\ufffd", "\ue000\ue001\ue002", "\uf8fd\uf8fe\uf8ff", "\uffff",
    "é\U0010ffff", "a\u00adb", "\ufdfa", "\u00b4x", "\u0345", "\u1fb3", "½", "②", "\u3000",
    "\u00a0", "हिन्दी", "ไทย", "=?x?=", "&amp;", "<b>", "ß", "ŉ", "ſ", "ﬆ", "\u212a",
)
# fmt: on
_CONTROLS: Final = re.compile("[\0-\x1f\x7f-\x9f\u2028\u2029]+")
_CHARSETS: Final = (
    *(("utf-8", "utf-8"), ("utf-8", "utf-8"), ("utf-16", "utf-16-le"), ("shift_jis", "cp932")),
    *(("iso-8859-1", "cp1252"), ("gb18030", "gb18030"), ("koi8-r", "koi8-r")),
)


def compared(text: str) -> str:
    """A text as it is compared; with one space at an end where it had white space."""
    folded = unicodedata.normalize("NFKC", text.replace("\0", " ")).casefold()
    folded = unicodedata.normalize("NFKC", folded)
    spaced = " ".join(folded.split())
    if not spaced:
        return " " if folded else ""
    return " " * folded[0].isspace() + spaced + " " * folded[-1].isspace()


@dataclass(frozen=True, slots=True)
class Field:
    """A header field; is_spaced: whether a space stands behind its colon."""

    name: str
    value: str
    is_spaced: bool

    @property
    def line(self) -> str:
        return f"{self.name}:{' ' if self.is_spaced else ''}{self.value}"


@dataclass(frozen=True, slots=True)
class Mail:
    """A message; texts: of its parts, and names of attachments."""

    octets: bytes
    fields: tuple[Field, ...]
    texts: tuple[str, ...]

    def holds(self, criterion: TextCriterion) -> bool:
        """Whether a search must find it; TEXT may find more: fields of MIME and the trace."""
        needle = compared(criterion.needle)
        if criterion.scope in (TextScope.BODY, TextScope.TEXT):
            lines = [each.line for each in self.fields if criterion.scope is TextScope.TEXT]
            return any(needle in compared(text) for text in (*self.texts, *lines))
        is_header = criterion.scope is TextScope.HEADER
        name = (criterion.field if is_header else criterion.scope.value).lower()
        values = [each.value for each in self.fields if each.name.lower() == name]
        return any(needle in compared(value) for value in values)


class Writer:
    """Writes mail and needles, the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)

    def needle(self, mail: Mail) -> str:
        """A piece of the mail, or of none, in some other spelling."""
        chance = self._chance
        lines = [each.line for each in mail.fields] + [each.value for each in mail.fields]
        text = chance.choice([*mail.texts, *lines, self._text(2, " ")]) or "x"
        start = chance.randrange(len(text))
        piece = text[start : start + chance.choice([1, 2, 3, 4, 8, 20])]
        spelled = chance.choice([str, str, str, str.upper, str.lower, str.title, str.swapcase])
        form = chance.choice(["", "", "", "NFC", "NFD", "NFKC", "NFKD"])
        piece = spelled(piece)
        return unicodedata.normalize(form, piece) if form else piece

    def mail(self) -> Mail:
        """One message of one to three parts."""
        chance = self._chance
        fields, lines = [], b""
        for _ in range(chance.randint(0, 6)):
            field, line = self._field(chance.choice(FIELDS))
            fields.append(field)
            lines += line
        parts = [self._part() for _ in range(chance.randint(1, 3))]
        texts = [text for text, _, _ in parts]
        if len(parts) == 1:
            (_, head, body) = parts[0]
            return Mail(lines + head + b"\r\n" + body, tuple(fields), tuple(texts))
        octets = lines + b"Content-Type: multipart/mixed; boundary=QQQqqq\r\n\r\n"
        for _, head, body in parts:
            name = self._text(2, " ").replace("/", "").replace(":", "").strip(" .\u00a0\u3000")
            named = "".join(f"%{octet:02X}" for octet in name.encode())
            if name:
                texts.append(name)
                head += f"Content-Disposition: attachment; filename*=utf-8''{named}\r\n".encode()
            octets += b"--QQQqqq\r\n" + head + b"\r\n" + body + b"\r\n"
        return Mail(octets + b"--QQQqqq--\r\n", tuple(fields), tuple(texts))

    def _text(self, most: int, *between: str) -> str:
        chance, text = self._chance, ""
        for _ in range(chance.randint(0, most)):
            letters = "".join(chance.choices('abcABC019 -+:."*%_', k=chance.randint(0, 6)))
            text += chance.choice([chance.choice(_WORDS), chance.choice(_WORDS), letters])
            text += chance.choice(between)
        return text

    def _field(self, name: str) -> tuple[Field, bytes]:
        value = self._text(4, " ", "", "  ")
        octets = value.encode() if self._chance.random() < 0.4 and "=?" not in value else b""
        octets = octets.strip() or self._encoded(value)
        shown = _CONTROLS.sub(" ", value).strip()
        space = self._chance.choice([b" ", b" ", b"\r\n " if octets else b" ", b""])
        field = Field(name, shown, bool(space))
        return field, name.encode() + b":" + space + octets + b"\r\n"

    def _encoded(self, value: str) -> bytes:
        """Encoded words, cut wherever it may be."""
        chance, rest, words = self._chance, value.encode(), []
        while rest:
            cut = chance.randint(1, 30)
            word, rest = rest[:cut], rest[cut:]
            if chance.random() < 0.5:
                words.append(b"=?utf-8?b?" + base64.b64encode(word) + b"?=")
            else:
                hexed = "".join(f"={octet:02X}" for octet in word)
                words.append(f"=?UTF-8?Q?{hexed}?=".encode())
        return chance.choice([b" ", b"\r\n "]).join(words)

    def _part(self) -> tuple[str, bytes, bytes]:
        """Text, header and body of a part."""
        chance = self._chance
        label, codec = chance.choice(_CHARSETS)
        most = 10 if chance.random() < 0.9 else 300
        text = self._text(most, " ", "", "\r\n", "\r\n\r\n")
        text = text.encode(codec, "ignore").decode(codec)
        kind, source = "plain", text
        if chance.random() < 0.3:
            tag = chance.choice(["", "<i>", "</b>"])
            kind, source = "html", f"<html><p>{escape(text[:5])}{tag}{escape(text[5:])}</p></html>"
            text = f"\n{text}\n"  # where a paragraph begins and ends
        octets = source.encode(codec)
        encoding = chance.choice(["base64", "quoted-printable", "8bit"])
        if encoding == "8bit" and codec != "utf-16-le":
            body = octets
        elif encoding == "quoted-printable":
            hexed = "".join(f"={octet:02X}" for octet in octets)
            body = b"=\r\n".join(hexed[at : at + 75].encode() for at in range(0, len(hexed), 75))
        else:
            encoding, body = "base64", base64.encodebytes(octets).replace(b"\n", b"\r\n")
        head = f"Content-Type: text/{kind}; charset={label}\r\n"
        return text, f"{head}Content-Transfer-Encoding: {encoding}\r\n".encode(), body
