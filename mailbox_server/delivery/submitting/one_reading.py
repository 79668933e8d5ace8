"""Whether an address field can be read in one way only.

Readers differ about `<boss@here> <me@here>` and its like: some show the first address, others
the last (RFC 5322 §3.4 knows neither).  Who checks one of them vouches for the other as well.
So nothing but what the grammar knows is taken: one address an entry, in brackets or alone,
with at most a name before it, and no route.  A name may look like an address where it is the
same one, as some programs write it.  Work is linear in the field.
"""

import re
from collections.abc import Sequence
from typing import Final

_TOKEN: Final = re.compile(
    rb"(?P<space>[ \t\r\n]++)"
    rb'|(?P<word>[^\0- "(),:;<>@\[\\\]\x7f]++)'
    rb'|(?P<quoted>"(?:[^"\\]++|\\.)*+")'
    rb"|(?P<literal>\[[^\[\]\\]*+\])"
    rb"|(?P<mark>[(,:;<>@])"
    rb"|(?P<other>.)",
    re.S,
)
_COMMENT_MARK: Final = re.compile(rb"[()]|\\.", re.S)

_ENTRY: Final = r"(?:[wql@]*+<[wq]@[wl]>|[wq]*+(?:(?<=[wq])@[wl])?)"
_ENTRIES: Final = rf"(?:{_ENTRY}(?:,{_ENTRY})*+)"
_LIST: Final = re.compile(rf"(?:[wq]*+:{_ENTRIES};|{_ENTRY})(?:,(?:[wq]*+:{_ENTRIES};|{_ENTRY}))*+")
_ALONE: Final = re.compile(r"(?:^|[,:])[wq]{2,}+@")
_IN_BRACKETS: Final = re.compile(r"(?:^|[,:;])([wql@]*+)<")


def has_one_reading(value: bytes) -> bool:
    """Whether that holds of the value of a From or Sender field."""
    found = _tokens(value)
    if found is None:
        return False
    shape, texts = found
    if _LIST.fullmatch(shape) is None or _ALONE.search(shape) is not None:
        return False
    for name in _IN_BRACKETS.finditer(shape):
        inside = texts[name.end() : name.end() + 3]
        if "@" in name[1] and texts[name.start(1) : name.end(1)] != inside:
            return False
    return True


def _tokens(value: bytes) -> tuple[str, Sequence[bytes]] | None:
    """The tokens without space and comments, one letter each, and their texts.

    w is a word, q a quoted one, l a literal, a mark is itself.  None where something is none.
    """
    letters: list[str] = []
    texts: list[bytes] = []
    at = 0
    while at < len(value):
        token = _TOKEN.match(value, at)
        assert token is not None, "any octet is a token"
        at, kind, text = token.end(), token.lastgroup, token[0]
        if text == b"(":
            end = _comment_end(value, at)
            if end is None:
                return None
            at = end
        elif kind == "other":
            return None
        elif kind != "space":
            letters.append(text.decode("ascii") if kind == "mark" else (kind or "")[0])
            texts.append(text.lower())
    return "".join(letters), texts


def _comment_end(value: bytes, at: int) -> int | None:
    depth = 1
    for mark in _COMMENT_MARK.finditer(value, at):
        depth += {b"(": 1, b")": -1}.get(mark[0], 0)
        if depth == 0:
            return mark.end()
    return None
