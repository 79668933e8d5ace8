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

# Splits a text at its tags, of which it gives the names, with a stroke before if they end.
_TAG = re.compile(r"""<(/?[a-zA-Z][a-zA-Z0-9]*)(?:[^"'<>]++|"[^"]*+"|'[^']*+')*+>?""")
_ANY_TAG = re.compile(r"<[^<>]*>?")
# fmt: off
_BLOCKS = frozenset((
    "address", "article", "blockquote", "br", "center", "dd", "div", "dl", "dt", "footer",
    "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "li", "ol", "option", "p",
    "pre", "section", "table", "tbody", "td", "th", "tr", "ul",
))
_BREAKS = _BLOCKS | {"/" + name for name in _BLOCKS}
"""Without a line end before these, the words on both sides would run together."""

_VOID = frozenset((
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param",
    "source", "track", "wbr", "p", "li",
))
# fmt: on
"""Elements that never nest in themselves: without content, or closed by their like."""

_UNSEEN = frozenset(("head", "script", "style", "template", "title", "noscript"))


def markup_text(markup: str) -> str:
    """The text of an HTML document, block elements on lines of their own."""
    # Text and the names of tags in turn.
    pieces = _TAG.split(markup[:MARKUP_CHARACTERS])
    names = [name.lower() for name in pieces[1::2]]
    if not _is_deep(names):
        pieces[1::2] = [
            f"\n<{written}>" if name in _BREAKS else f"<{written}>"
            for written, name in zip(pieces[1::2], names, strict=True)
        ]
        try:
            parser = LexborHTMLParser("".join(pieces))
            unseen = _UNSEEN.intersection(names)
            if unseen:
                parser.strip_tags(list(unseen))
            return parser.body.text() if parser.body is not None else ""
        except (SelectolaxError, ValueError, RuntimeError):
            pass
    pieces[1::2] = ["<x>"] * len(names)
    return unescape(_ANY_TAG.sub(" ", "".join(pieces)))


def _is_deep(names: list[str]) -> bool:
    """Whether more than NESTING elements may be open at once.

    An end tag counts only where its element is open: parsers ignore others.
    """
    if len(names) <= NESTING:
        return False
    is_open: dict[str, int] = {}
    depth = 0
    for name in names:
        if name.startswith("/"):
            name = name[1:]
            count = is_open.get(name, 0)
            if count:
                is_open[name] = count - 1
                depth -= 1
        elif name not in _VOID:
            is_open[name] = is_open.get(name, 0) + 1
            depth += 1
            if depth > NESTING:
                return True
    return False
