"""Take the text out of HTML, for search and previews, never for display.

HTML that is too large is cut; HTML nested too deeply is never given to the parser, which
needs quadratic time for it (250 KB of nested div: 4 s), but stripped of its tags.
"""

import re
from html import unescape

from selectolax.lexbor import LexborHTMLParser, SelectolaxError

MARKUP_CHARACTERS = 256 * 1024
NESTING = 200

_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*)")
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

_UNSEEN = ["head", "script", "style", "template", "title", "noscript"]


def markup_text(markup: str) -> str:
    """The text of an HTML document, block elements on lines of their own."""
    markup = markup[:MARKUP_CHARACTERS]
    if _is_deep(markup):
        return unescape(_ANY_TAG.sub(" ", markup))
    try:
        parser = LexborHTMLParser(_BREAKS.sub("\n", markup))
        parser.strip_tags(_UNSEEN)
        return parser.body.text() if parser.body is not None else ""
    except (SelectolaxError, ValueError, RuntimeError):
        return unescape(_ANY_TAG.sub(" ", markup))


def _is_deep(markup: str) -> bool:
    """Whether more than NESTING elements may be open at once."""
    if markup.count("<") <= NESTING:
        return False
    depth = 0
    for closing, name in _TAG.findall(markup):
        if closing:
            depth = max(0, depth - 1)
        elif name.lower() not in _VOID:
            depth += 1
            if depth > NESTING:
                return True
    return False
