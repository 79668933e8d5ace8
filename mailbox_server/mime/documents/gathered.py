"""Text while it is gathered from a document, up to a limit."""


class Enough(Exception):
    """The limit is reached; what was gathered is the beginning of the text."""


class Gathered:
    """Pieces of text that follow one on the other."""

    def __init__(self, most_characters: int) -> None:
        self._pieces: list[str] = []
        self._left = most_characters
        self.is_cut = False

    def add(self, text: str) -> None:
        """Raises Enough."""
        self._pieces.append(text[: self._left])
        self._left -= len(text)
        if self._left < 0:
            self.is_cut = True
            raise Enough

    def add_line(self, text: str) -> None:
        """The same for a text that stands by itself; none where it is empty.  Raises Enough."""
        if text:
            self.add(f"{text}\n")

    def text(self) -> str:
        """All of it; halves of characters that were written as two are joined, or replaced."""
        joined = "".join(self._pieces)
        return joined.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
