"""Put lines together that were broken for the way only: format=flowed with DelSp=yes (RFC 3676).

Programs that write languages without spaces break lines so between any two characters: the
space before the line end was put in with it (§4.2).  With DelSp=no the space belongs to the
text, and a line end behind it changes nothing for who takes white space together.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from mailbox_server.mime.attachment import parameter_text
from mailbox_server.mime.structure import Part

LINE_CHARACTERS: Final = 32 * 1024
"""Of a line that is not at its end, so much is kept waiting at most."""

_ENDING: Final = 2
"""Characters that tell how a line ends: a space and CR."""
_SIGNATURE: Final = "-- "


def has_broken_lines(part: Part) -> bool:
    """Whether a part is such a text."""
    if part.media_subtype != b"plain" or not any(name == b"delsp" for name, _ in part.parameters):
        return False
    return all(
        (parameter_text(part.parameters, name) or "").lower() == value
        for name, value in ((b"delsp", "yes"), (b"format", "flowed"))
    )


def put_together(pieces: Iterable[str]) -> Iterator[str]:
    """The text of such a part, which comes in pieces cut anywhere; so does what is given out."""
    lines = _Lines()
    for piece in pieces:
        yield lines.feed(piece)
    yield lines.finish()


class _Lines:
    """The lines of one text.

    A flowed line goes on with the next of the same depth of quotes (§4.5), of which quote
    marks and stuffing (§4.4) are left out; what separates a signature is no such line (§4.3).
    """

    def __init__(self) -> None:
        self._waiting = ""
        self._has_begun = False
        self._depth = 0
        self._is_fixed = False
        self._goes_on_at: int | None = None
        self._break = ""

    def feed(self, text: str) -> str:
        """What is decided by now."""
        *whole, self._waiting = (self._waiting + text).split("\n")
        done = [self._line(each) for each in whole]
        if len(self._waiting) > LINE_CHARACTERS:
            done.append(self._begun(self._waiting[:-_ENDING]))
            self._waiting = self._waiting[-_ENDING:]
        return "".join(done)

    def finish(self) -> str:
        """The rest."""
        return self._line(self._waiting)

    def _line(self, line: str) -> str:
        """The line, or what of it has not been given out yet, as it ends now."""
        text = self._begun(line.removesuffix("\r"))
        self._has_begun = False
        self._break = "\n"
        if self._is_fixed or not text.endswith(" "):
            self._goes_on_at = None
            return text
        self._goes_on_at = self._depth
        return text[:-1]

    def _begun(self, text: str) -> str:
        """The text, which goes on from what was given out of the line, or begins it."""
        if self._has_begun:
            return text
        self._has_begun = True
        content = text.lstrip(">")
        self._depth = len(text) - len(content)
        content = content.removeprefix(" ")
        self._is_fixed = content in ("", _SIGNATURE)
        if self._goes_on_at == self._depth and content != _SIGNATURE:
            return content
        return self._break + text
