"""The flags of many messages, ready for the wire: each different text once."""

from array import array
from collections.abc import Iterator, Sequence
from typing import Final, overload

_MARKED: Final = bytes(range(128, 256)) * 2


class FlagTexts(Sequence[bytes]):
    """A text a message, without parentheses.

    kinds: by message, a place among texts.  texts: of ASCII; others may come to stand behind
    them meanwhile.
    """

    __slots__ = ("kinds", "texts")

    def __init__(self, kinds: Sequence[int], texts: Sequence[bytes]) -> None:
        self.kinds = kinds
        self.texts = texts

    def __len__(self) -> int:
        return len(self.kinds)

    @overload
    def __getitem__(self, place: int) -> bytes: ...
    @overload
    def __getitem__(self, place: slice) -> "FlagTexts": ...
    def __getitem__(self, place: int | slice) -> "bytes | FlagTexts":
        if isinstance(place, slice):
            return FlagTexts(self.kinds[place], self.texts)
        return self.texts[self.kinds[place]]

    def __iter__(self) -> Iterator[bytes]:
        return map(self.texts.__getitem__, self.kinds)

    def at(self, places: Sequence[int]) -> "FlagTexts":
        """Those at these places."""
        return FlagTexts([self.kinds[place] for place in places], self.texts)

    def marks(self) -> tuple[bytes, dict[bytes, bytes]] | None:
        """An octet beyond ASCII a message, and by octet the text that it stands for.

        None where texts are more than there are such octets.
        """
        kinds, count = self.kinds, len(self.texts)
        if count > len(_MARKED) // 2:
            return None
        are_octets = isinstance(kinds, array) and kinds.itemsize == 1
        marks = bytes(kinds if are_octets else list(kinds)).translate(_MARKED)
        each = ((_MARKED[kind : kind + 1], self.texts[kind]) for kind in range(count))
        return marks, {mark: text for mark, text in each if mark in marks}

    def followed(self, ranges: Sequence[tuple[int, int]], flag: bytes) -> "FlagTexts":
        """The same, with one flag more in ranges of places: the first, and the one behind."""
        if not ranges:
            return self
        kinds, texts = list(self.kinds), list(self.texts)
        becomes: dict[int, int] = {}
        for first, beyond in ranges:
            for kind in set(kinds[first:beyond]).difference(becomes):
                becomes[kind] = len(texts)
                texts.append(texts[kind] + b" " + flag if texts[kind] else flag)
            kinds[first:beyond] = map(becomes.__getitem__, kinds[first:beyond])
        return FlagTexts(kinds, texts)
