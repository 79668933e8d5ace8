"""Read tag lists, of which signatures and key records are made (RFC 6376 §3.2)."""

import re
from collections.abc import Mapping
from typing import Final

TAGS: Final = 100
"""More tags than that are a list that nobody means."""

_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]*\Z")
_SPACE: Final = " \t\r\n"


def read_tags(text: str) -> Mapping[str, str] | None:
    """The values by name, white space around them dropped; None where it is no tag list.

    A name that stands there twice makes the whole list invalid.
    """
    pieces = text.split(";", TAGS + 1)
    if not pieces[-1].strip(_SPACE):
        pieces.pop()
    if len(pieces) > TAGS:
        return None
    tags: dict[str, str] = {}
    for piece in pieces:
        name, equals, value = piece.partition("=")
        name = name.strip(_SPACE)
        if not equals or name in tags or not _NAME.match(name):
            return None
        tags[name] = value.strip(_SPACE)
    return tags


def unfolded(value: str) -> str:
    """A base 64 value without the white space that may stand in it."""
    return re.sub(r"[ \t\r\n]+", "", value)
