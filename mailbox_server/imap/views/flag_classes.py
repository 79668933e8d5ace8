"""Flag classes: each different set of flags of a mailbox under one small number.

A mailbox of 100,000 messages has a handful of different flag sets; the view keeps a number
a message, and what a set looks like on the wire is made once.
"""

from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from mailbox_server.model.keywords import DELETED, SYSTEM_FLAGS, flag_kind
from mailbox_server.store.ports import Edit, FlagChange

_ORDER: Final[tuple[str, ...]] = SYSTEM_FLAGS


@dataclass(frozen=True, slots=True)
class FlagClass:
    """One set of flags: names in stored form, and `\\Seen $Junk` ready for the wire."""

    names: frozenset[str]
    text: bytes


class FlagClasses:
    """The flag classes of one mailbox view, numbered from 0 as they are met."""

    def __init__(self) -> None:
        self.known: list[FlagClass] = []
        self.texts: list[bytes] = []
        self._numbers: dict[tuple[int, bool], int] = {}
        self._by_names: dict[frozenset[str], int] = {}

    def missing(self, keyword_sets: Iterable[int]) -> list[int]:
        """Those keyword sets whose names have to be looked up, ascending."""
        return sorted({each for each in keyword_sets if each and not self._is_known(each)})

    def _is_known(self, keyword_set: int) -> bool:
        return (keyword_set, False) in self._numbers

    def learn(self, keyword_sets: Mapping[int, frozenset[str]]) -> None:
        """Take names of keyword sets."""
        for keyword_set, names in keyword_sets.items():
            self._learn(keyword_set, names)

    def number(self, keyword_set: int, deleted: bool) -> int:
        """The class of a learned keyword set (0 is the empty one) with or without \\Deleted."""
        found = self._numbers.get((keyword_set, deleted))
        if found is None:
            self._learn(keyword_set, frozenset())
            found = self._numbers[keyword_set, deleted]
        return found

    def where(self, holds: Callable[[frozenset[str]], bool]) -> list[bool]:
        """By class number, whether its flags satisfy holds."""
        return [holds(flag_class.names) for flag_class in self.known]

    def names(self) -> tuple[str, ...]:
        """System flags, then every keyword met, in order of name."""
        seen = {name for flag_class in self.known for name in flag_class.names}
        return (*_ORDER, *sorted(seen.difference(_ORDER), key=str.lower))

    def _learn(self, keyword_set: int, names: frozenset[str]) -> None:
        for deleted in (False, True):
            whole = names | {DELETED} if deleted else names - {DELETED}
            number = self._by_names.get(whole)
            if number is None:
                number = self._by_names[whole] = len(self.known)
                self.known.append(FlagClass(whole, flag_text(whole)))
                self.texts.append(self.known[-1].text)
            self._numbers[keyword_set, deleted] = number


def which(numbers: Sequence[int], wanted: Sequence[bool]) -> bytes:
    """Of each class number whether it is wanted: an octet each, 1 or 0."""
    if isinstance(numbers, array) and numbers.itemsize == 1:
        return numbers.tobytes().translate(bytes(wanted[:256]).ljust(256, b"\0"))
    return bytes(map(wanted.__getitem__, numbers))


def flag_text(names: frozenset[str]) -> bytes:
    """`\\Seen $Junk`: system flags in their order, then keywords by name."""
    ordered = [name for name in _ORDER if name in names]
    ordered += sorted(names.difference(_ORDER), key=str.lower)
    return " ".join(ordered).encode("ascii")


def changed_names(names: frozenset[str], change: FlagChange) -> frozenset[str]:
    """What a STORE makes of a set of flags; a keyword keeps the spelling it has."""
    if change.edit is Edit.REPLACE:
        spared = (name for name in names if flag_kind(name) in change.spares)
        return change.names.union(spared)
    keys = {name.lower() for name in (names if change.edit is Edit.ADD else change.names)}
    if change.edit is Edit.REMOVE:
        return frozenset(name for name in names if name.lower() not in keys)
    return names | {name for name in change.names if name.lower() not in keys}
