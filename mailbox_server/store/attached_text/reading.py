"""Looks into attached texts for who searches; on the connection of one reader thread.

Whatever fails here, there are no attached texts then, for searches with an index and without.
"""

from collections.abc import Sequence
from typing import Final

from mailbox_server.model.uid_set import runs
from mailbox_server.store.attached_text import layout
from mailbox_server.store.derived_place import DerivedPlace
from mailbox_server.store.derived_reading import DerivedReader, Sight
from mailbox_server.store.search_index import full_text
from mailbox_server.store.search_index.needles import AllOf, Question

_RUNS_MOST: Final = 200
"""Of more runs of ids all between the first and the last are gone through instead."""

_HOLDERS: Final = "SELECT message FROM holder WHERE message BETWEEN ? AND ?"
_TEXT: Final = (
    "SELECT document.text FROM holder JOIN document ON document.content = holder.content "
    "WHERE holder.message = ?"
)
_ANY: Final = "SELECT 1 FROM trigram_terms LIMIT 1"
_TABLE: Final = "trigram"
_BEGINNING: Final = "SELECT doc FROM trigram_terms WHERE term >= ? AND term < ?"


class AttachedTextReader(DerivedReader):
    """One reader, used by one thread at a time; it opens the file when asked."""

    def __init__(self, place: DerivedPlace) -> None:
        super().__init__(place, layout.READER_CACHE_KIB)

    @property
    def is_there(self) -> bool:
        """Whether there are attached texts to look into."""
        return self._place.path is not None

    def holding(self, messages: Sequence[int], needle: str) -> frozenset[int]:
        """Those of the messages whose attached texts hold the normalized needle."""
        return self.ask(lambda sight: _holding(sight, sorted(set(messages)), needle), frozenset())

    def text(self, message: int) -> str:
        """The attached text of a message; "" where there is none."""

        def ask(sight: Sight) -> str:
            row = sight.execute(_TEXT, (message,)).fetchone()
            return "" if row is None else str(row[0])

        return self.ask(ask, "")

    def maybe(self, asked: Question) -> frozenset[int]:
        """Messages whose attached texts may hold the needles that are asked for.

        All that do are among them, and some few of other accounts.
        """
        return self.ask(lambda sight: _maybe(sight, asked), frozenset())


def _maybe(sight: Sight, asked: Question) -> frozenset[int]:
    if not _has_any(sight):
        return frozenset()
    if isinstance(asked, AllOf):
        found = full_text.all_of(sight, _TABLE, asked)
    else:
        found = iter([sight.rows(_BEGINNING, (asked.first, asked.beyond))])
    return frozenset(row[0] for rows in found for row in rows)


def _has_any(sight: Sight) -> bool:
    """Whether any document had text."""
    has_any: bool | None = sight.kept("any")
    if has_any is None:
        has_any = bool(sight.rows(_ANY))
        sight.keep("any", has_any, 0)
    return has_any


def _holding(sight: Sight, messages: Sequence[int], needle: str) -> frozenset[int]:
    if not _has_any(sight):
        return frozenset()
    wanted = frozenset(messages)
    asked = runs(messages)
    if len(asked) > _RUNS_MOST:
        asked = [(messages[0], messages[-1])]
    holders = [
        message for run in asked for (message,) in sight.execute(_HOLDERS, run) if message in wanted
    ]
    texts = (sight.execute(_TEXT, (message,)).fetchone() for message in holders)
    return frozenset(
        message for message, row in zip(holders, texts, strict=True) if row and needle in row[0]
    )
