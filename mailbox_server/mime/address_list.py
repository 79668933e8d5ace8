"""Read the address lists of From, To and the like (RFC 5322 §3.4), as tolerantly as IMAP
needs and in linear time.

Addresses are never taken from comments or encoded words.  Obsolete routes are dropped
(RFC 5322 §4.4), quoting is removed (RFC 9051 §7.5.2).  Text in angle brackets is the
address whatever stands before it.  At most ADDRESSES entries of a list are read.
"""

import re

import msgspec

ADDRESSES = 10_000
ENTRIES = 2 * ADDRESSES
"""Places between commas that are looked at, empty ones too."""

_LOCAL = rb"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]+"
_USUAL = re.compile(
    rb'([^<>,:;@"()\[\]\\\x00-\x08\x0a-\x1f\x7f]*)(?:"([^"\\]*)"[ \t]*)?'
    rb"<(" + _LOCAL + rb")@([A-Za-z0-9.-]+)>[ \t]*(?:,|\Z)"
)
_BARE = re.compile(rb"[ \t]*(" + _LOCAL + rb")@([A-Za-z0-9.-]+)[ \t]*(?:,|\Z)")
_TOKEN = re.compile(
    rb'(?P<space>[ \t\r\n]++)|(?P<word>[^\0- "(),:;<>@\[\\]++)|"(?P<quoted>(?:[^"\\]++|\\.)*+)"?'
    rb"|\[(?P<literal>[^\]\\<>]*+)\]?|(?P<mark>[(),:;<>@])|(?P<other>.)",
    re.S,
)
_COMMENT_MARK = re.compile(rb"[()]|\\.", re.S)
_QUOTED_PAIR = re.compile(rb"\\(.)", re.S)


class ListedAddress(msgspec.Struct, frozen=True):
    """One entry of an address list, as ENVELOPE shows it (RFC 9051 §7.5.2).

    host None marks group syntax: the start with the group's name as mailbox, the end with
    mailbox None.  name is None where there is none; a missing domain is the empty host.
    is_usual: mailbox and host are known to be ASCII atoms and dots.
    """

    name: bytes | None
    mailbox: bytes | None
    host: bytes | None
    is_usual: bool = False


GROUP_END = ListedAddress(None, None, None)


def read_addresses(value: bytes) -> list[ListedAddress]:
    """The entries of an address-list value; what is no address is passed over."""
    value = value.rstrip(b" \t\r\n")
    if b"\n" in value:
        value = value.replace(b"\r\n", b"").replace(b"\n", b"").rstrip(b" \t\r")
    found: list[ListedAddress] = []
    at = 0
    in_group = False
    size = len(value)
    for _ in range(ENTRIES):
        if at >= size or len(found) >= ADDRESSES:
            break
        usual = _USUAL.match(value, at)
        if usual is not None:
            phrase, quoted, mailbox, host = usual.groups()
            found.append(ListedAddress(_phrase(phrase, quoted), mailbox, host, True))
            at = usual.end()
            continue
        bare = _BARE.match(value, at)
        if bare is not None:
            found.append(ListedAddress(None, bare[1], bare[2], True))
            at = bare.end()
            continue
        entry = _Entry(value, at)
        at = entry.end
        if entry.stopped_by == b":":
            if in_group:
                found.append(GROUP_END)
            found.append(ListedAddress(None, entry.phrase or b"", None))
            in_group = True
            continue
        address = entry.address()
        if address is not None:
            found.append(address)
        if entry.stopped_by == b";" and in_group:
            found.append(GROUP_END)
            in_group = False
    if in_group:
        found.append(GROUP_END)
    return found


def _phrase(phrase: bytes, quoted: bytes | None) -> bytes | None:
    words = phrase.split()
    if quoted is not None:
        words.append(quoted)
    return b" ".join(words) or None


class _Entry:
    """One entry in its unusual forms, read token by token from a position on.

    end: where the next entry begins.  stopped_by: the mark that ended it, `:` for the
    start of a group.
    """

    __slots__ = (
        "_angle",
        "_at_sign",
        "_bare",
        "_comment",
        "_domain",
        "_in_angle",
        "_local",
        "_words",
        "end",
        "stopped_by",
    )

    def __init__(self, value: bytes, start: int) -> None:
        self._words: list[bytes] = []  # before any @ or <, with the spaces between
        self._bare: list[bytes] = []  # the same without the spaces
        self._local: list[bytes] = []
        self._domain: list[bytes] = []
        self._at_sign = False
        self._angle = False
        self._in_angle = False
        self._comment: bytes | None = None
        self.stopped_by = b""
        self.end = self._read(value, start)

    @property
    def phrase(self) -> bytes | None:
        """The display name: its words and the spaces between them."""
        return b" ".join(b"".join(self._words).split()) or None

    def address(self) -> ListedAddress | None:
        """What the entry stands for; None for an empty one."""
        comment = self._comment
        if self._angle:
            name = self.phrase
            if not (self._local or self._domain):
                return None if name is None else ListedAddress(name, b"", b"")
            return ListedAddress(name or comment, b"".join(self._local), self._host())
        if self._at_sign:
            return ListedAddress(comment, b"".join(self._bare), self._host())
        phrase = self.phrase
        if phrase is None:
            return None
        if b" " in phrase:
            return ListedAddress(phrase, b"", b"")
        return ListedAddress(comment, phrase, b"")

    def _host(self) -> bytes:
        return b"".join(self._domain)

    def _read(self, value: bytes, at: int) -> int:
        size = len(value)
        while at < size:
            token = _TOKEN.match(value, at)
            if token is None:
                return size
            at = token.end()
            kind = token.lastgroup
            text = token[0]
            if kind == "quoted":
                text = _QUOTED_PAIR.sub(rb"\1", token["quoted"])
            if kind != "mark":
                self._add(text, is_space=kind == "space")
            elif text == b"(":
                at = self._skip_comment(value, at)
            elif self._stops(text, value, at):
                self.stopped_by = text
                return at
        return size

    def _add(self, text: bytes, *, is_space: bool) -> None:
        if not self._in_angle:
            if self._angle:
                return
            if not self._at_sign:
                self._words.append(b" " if is_space else text)
                if not is_space:
                    self._bare.append(text)
                return
        if not is_space:
            (self._domain if self._at_sign else self._local).append(text)

    def _stops(self, mark: bytes, value: bytes, at: int) -> bool:
        """Take a mark into account; True if it ends the entry."""
        if mark == b"<":
            if self._at_sign and not self._in_angle:
                # `a@x <b@x>`: the text before was a display name after all.
                self._words += [b"@", *self._domain]
            self._local, self._domain = [], []
            self._at_sign = False
            self._angle = self._in_angle = True
        elif mark == b">":
            self._in_angle = False
        elif mark == b"@":
            if self._angle and not self._in_angle:
                return False
            if self._at_sign:
                # The last @ parts local part and domain.
                again = [b"@", *self._domain]
                if self._in_angle:
                    self._local += again
                else:
                    self._words += again
                    self._bare += again
                self._domain = []
            self._at_sign = True
        elif mark == b":" and self._in_angle:
            # The end of an obsolete route: `<@a,@b:user@host>`.
            self._local, self._domain = [], []
            self._at_sign = False
        elif mark == b",":
            return not (self._in_angle and self._at_sign and not self._local)
        elif mark == b":":
            return not self._at_sign and not self._angle
        elif mark == b";":
            return True
        return False

    def _skip_comment(self, value: bytes, start: int) -> int:
        """Pass over a comment whose parenthesis was read; it may serve as a name."""
        depth = 1
        for mark in _COMMENT_MARK.finditer(value, start):
            depth += {b"(": 1, b")": -1}.get(mark[0], 0)
            if depth == 0:
                text = _QUOTED_PAIR.sub(rb"\1", value[start : mark.start()]).strip()
                self._comment = text or self._comment
                return mark.end()
        return len(value)
