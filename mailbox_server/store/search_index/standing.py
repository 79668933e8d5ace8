"""How the index stands for an account: which segments answer, and what they say nothing of."""

from collections.abc import Sequence
from typing import Final

from mailbox_server.model.ids import AccountId
from mailbox_server.store.derived_reading import Sight
from mailbox_server.store.search_index import full_text, layout
from mailbox_server.store.search_index.layout import Live
from mailbox_server.store.search_index.needles import more

ID_OCTETS: Final = 40
"""Of memory, that an id takes where it is kept."""


def live(sight: Sight) -> Sequence[Live]:
    """The segments, in the order of their messages.  Raises sqlite3.Error."""
    found: Sequence[Live] | None = sight.kept("live")
    if found is None:
        found = layout.live_segments(sight.rows)
        sight.keep("live", found, sum(ID_OCTETS * len(each.tables) for each in found))
    return found


def waiting(sight: Sight, segments: Sequence[Live], account: AccountId) -> Sequence[int]:
    """Messages of which the segments say nothing.  Raises sqlite3.Error."""
    key = "waiting", account
    found: Sequence[int] | None = sight.kept(key)
    if found is None:
        asked = "SELECT message FROM waiting WHERE segment = ? AND account = ?"
        rows = (row for each in segments for row in sight.rows(asked, (each.number, account)))
        found = [row[0] for row in rows]
        sight.keep(key, found, ID_OCTETS * len(found))
    return found


def holding_more(sight: Sight, segment: Live, kind: str, account: AccountId) -> Sequence[int]:
    """Messages of which texts of a kind may hold more than is indexed.  Raises sqlite3.Error."""
    if kind not in segment.tables:
        return ()
    key = "more", segment.number, kind, account
    found: Sequence[int] | None = sight.kept(key)
    if found is None:
        matching = full_text.matches(sight, f"{kind}_{segment.number}", more(account))
        found = [row[0] for rows in matching for row in rows]
        sight.keep(key, found, ID_OCTETS * len(found))
    return found


def upto(segments: Sequence[Live]) -> int:
    """The message id up to which the index has all."""
    return segments[-1].upto if segments else 0
