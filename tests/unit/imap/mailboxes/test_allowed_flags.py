"""Which flags may be set by whom (RFC 4314 §4)."""

import pytest

from mailbox_server.imap.mailboxes.allowed_flags import allowed, allowed_change
from mailbox_server.model.errors import NoPermission
from mailbox_server.model.keywords import DELETED, FLAGGED, SEEN, FlagKind
from mailbox_server.model.rights import ALL_RIGHTS
from mailbox_server.store.ports import Edit, FlagChange

_THREE = frozenset({SEEN, DELETED, FLAGGED})


def test_who_may_all_changes_all() -> None:
    change = FlagChange(Edit.REPLACE, _THREE)
    assert allowed_change(change, ALL_RIGHTS) is change


@pytest.mark.parametrize("edit", [Edit.ADD, Edit.REMOVE])
def test_the_others_are_left_out(edit: Edit) -> None:
    change = FlagChange(edit, _THREE)
    assert allowed_change(change, frozenset("lrs")) == FlagChange(edit, frozenset({SEEN}))
    assert allowed_change(change, frozenset("wt")).names == {DELETED, FLAGGED}
    # Nothing to change was asked for, and nothing is.
    assert allowed_change(FlagChange(edit, frozenset()), frozenset("s")).names == frozenset()


def test_what_may_not_be_replaced_is_spared() -> None:
    change = allowed_change(FlagChange(Edit.REPLACE, _THREE), frozenset("t"))
    assert change.names == {DELETED} and change.spares == {FlagKind.SEEN, FlagKind.OTHER}
    cleared = allowed_change(FlagChange(Edit.REPLACE, frozenset()), frozenset("w"))
    assert cleared.spares == {FlagKind.SEEN, FlagKind.DELETED}


@pytest.mark.parametrize("edit", Edit)
def test_where_nothing_may_be_done(edit: Edit) -> None:
    for names, rights in ((_THREE, "lr"), (frozenset(), "lr"), (frozenset({FLAGGED}), "st")):
        with pytest.raises(NoPermission):
            allowed_change(FlagChange(edit, names), frozenset(rights))


def test_copies_lose_flags_in_silence() -> None:
    assert allowed(_THREE, frozenset("ri")) == frozenset()
    assert allowed(_THREE, frozenset("sw")) == {SEEN, FLAGGED}
