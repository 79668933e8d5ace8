"""Take the text out of HTML, for search and previews, never for display.

The parser needs quadratic time for deep nesting (250 KB of nested div: 4 s) and for many
attributes.  So HTML is cut to MARKUP_CHARACTERS, loses all attributes first, and where it
is nested too deeply never reaches the parser but is only stripped of its tags.
"""

import re
from html import unescape

from selectolax.lexbor import LexborHTMLParser, SelectolaxError

MARKUP_CHARACTERS = 256 * 1024
NESTING = 200

_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*)>")
_ATTRIBUTES = re.compile(r"""<(/?[a-zA-Z][a-zA-Z0-9]*)(?:[^"'<>]++|"[^"]*+"|'[^']*+')*+>?""")
_ANY_TAG = re.compile(r"<[^<>]*>?")
# Without a line end before them, the words on both sides of these would run together.
_BREAKS = re.compile(
    r"(?i)(?=</?(?:address|article|blockquote|br|center|dd|div|dl|dt|footer|form|h[1-6]|header|hr"
    r"|li|ol|option|p|pre|section|table|tbody|td|th|tr|ul)\b)"
)
# fmt: off
_VOID = frozenset((
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param",
    "source", "track", "wbr", "p", "li",
))
# fmt: on
"""Elements that never nest in themselves: without content, or closed by their like."""

_UNSEEN = ("head", "script", "style", "template", "title", "noscript")


def markup_text(markup: str) -> str:
    """The text of an HTML document, block elements on lines of their own."""
    bare = _ATTRIBUTES.sub(r"<\1>", markup[:MARKUP_CHARACTERS])
    if not _is_deep(bare):
        try:
            parser = LexborHTMLParser(_BREAKS.sub("\n", bare))
            parser.strip_tags(list(_UNSEEN))
            return parser.body.text() if parser.body is not None else ""
        except (SelectolaxError, ValueError, RuntimeError):
            pass
    return unescape(_ANY_TAG.sub(" ", bare))


def _is_deep(bare: str) -> bool:
    """Whether more than NESTING elements may be open at once; attributes are gone already.

    An end tag counts only where its element is open: parsers ignore others.
    """
    if bare.count("<") <= NESTING:
        return False
    is_open: dict[str, int] = {}
    depth = 0
    for closing, name in _TAG.findall(bare):
        name = name.lower()
        if name in _VOID:
            continue
        count = is_open.get(name, 0)
        if not closing:
            is_open[name] = count + 1
            depth += 1
            if depth > NESTING:
                return True
        elif count:
            is_open[name] = count - 1
            depth -= 1
    return False
