"""UIDs are found alike in a table and in a hash."""

from collections.abc import Sequence
from random import Random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mailbox_server.imap.facts.uid_lookup import chosen, numbered, places

LAST = (1 << 32) - 1
KNOWN: Sequence[Sequence[int]] = (
    (7,),
    range(1, 300),
    range(5_000, 5_300),
    range(3, 900, 3),
    (1, 2, 9, LAST - 1, LAST),
)


@pytest.mark.parametrize("known", KNOWN)
def test_numbers_are_places_among_the_known(known: Sequence[int]) -> None:
    asked = Random(1).sample(known, len(known))
    assert numbered(asked, known) == [known.index(uid) + 1 for uid in asked]
    assert numbered(asked[:1], known) == [known.index(asked[0]) + 1]
    assert numbered((), known) == []


@pytest.mark.parametrize("known", KNOWN)
def test_an_unknown_uid_has_no_number(known: Sequence[int]) -> None:
    for unknown in {known[0] - 1, known[-1] + 1, known[0] + 1} - {*known}:
        with pytest.raises(KeyError):
            numbered((known[0], unknown), known)
    with pytest.raises(KeyError):
        numbered((1,), ())


@pytest.mark.parametrize("wanted", KNOWN)
def test_those_wanted_are_chosen_in_their_order(wanted: Sequence[int]) -> None:
    for uids in KNOWN:
        mixed = Random(2).sample(uids, len(uids))
        assert chosen(mixed, wanted) == [uid for uid in mixed if uid in wanted]
    assert chosen((), wanted) == chosen(wanted, ()) == []


@given(st.frozensets(st.integers(1, 200)), st.frozensets(st.integers(1, 200)))
@example(frozenset(range(10, 190)), frozenset(range(1, 100)) | frozenset(range(102, 150)))
@example(frozenset(range(1, 200, 2)), frozenset(range(1, 200, 3)))
def test_places_are_those_of_the_ones_that_are_there(
    wanted: frozenset[int], among: frozenset[int]
) -> None:
    known = sorted(among)
    assert places(sorted(wanted), known) == [known.index(each) for each in sorted(wanted & among)]
