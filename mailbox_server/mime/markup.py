"""Take the text out of HTML, for search and previews, never for display.

One pass from tag to tag, linear in the characters whatever they are: no tree is made, so
deep nesting and many attributes cost no more than their length.  Text stays where it
stands, also where a browser would move it (text between the rows of a table).
"""

import re
from html import unescape

MARKUP_CHARACTERS = 256 * 1024

_ZEROS = re.compile(r"&#0+(?=[0-9])")
_TOO_LARGE = re.compile(r"&#[0-9]{8,}")

# All that is no text: elements that are not shown, up to their end tag, of which it gives
# the names; tags, of which it gives the names, with a stroke before if they end; comments;
# declarations.
_MARKUP = re.compile(
    r"""
    <(?: ([sS](?i:cript|tyle)|[tT](?i:itle|emplate)|[nN](?i:oscript)) (?=[\s/>])
         [^<]*+ (?: <(?!/(?i:\1)) [^<]*+ )*
      | (/?[a-zA-Z][a-zA-Z0-9]*+)
         (?: > | [^"'<>]*+ (?: (?: "[^"]*+" | '[^']*+' ) [^"'<>]*+ )* >? )
      | !-- (?: -?> | [^-]*+ (?: -(?!-!?>) [^-]*+ )* (?: --!?> )? )
      | [!?/] [^>]*+ >?
    )""",
    re.VERBOSE,
)
_GROUPS = 2

# fmt: off
_BLOCKS = frozenset((
    "address", "article", "blockquote", "br", "center", "dd", "div", "dl", "dt", "footer",
    "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "li", "ol", "option", "p",
    "pre", "section", "table", "tbody", "td", "th", "tr", "ul",
))
# fmt: on
"""Without a line end before and behind these, words on both sides would run together."""


def markup_text(markup: str) -> str:
    """The text of an HTML document, block elements on lines of their own, no line blank."""
    pieces = _MARKUP.split(markup[:MARKUP_CHARACTERS])
    tags = pieces[2 :: _GROUPS + 1]
    # There are few different tags, and many of each.
    shown = {tag: _shown(tag) for tag in set(tags)}
    pieces[1 :: _GROUPS + 1] = [""] * len(tags)
    pieces[2 :: _GROUPS + 1] = map(shown.__getitem__, tags)
    text = "".join(pieces)
    return _without_blank_lines(_unescaped(text) if "&" in text else text)


def _unescaped(text: str) -> str:
    """Character references replaced; `unescape` cannot take numbers of thousands of digits."""
    if "&#" in text:
        text = _TOO_LARGE.sub("&#xfffd", _ZEROS.sub("&#", text))
    return unescape(text)


def _without_blank_lines(text: str) -> str:
    """The lines that say something, stripped: tables leave five lines for one.

    White space at the ends becomes one line end.
    """
    lines = "\n".join(filter(None, map(str.strip, text.splitlines())))
    before = "\n" if text[:1].isspace() else ""
    after = "\n" if text[-1:].isspace() else ""
    return before + lines + after


def _shown(tag: str | None) -> str:
    """What stands in the text for a tag, or for what is none."""
    is_block = tag is not None and tag.lower().removeprefix("/") in _BLOCKS
    return "\n" if is_block else ""
