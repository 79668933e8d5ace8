"""Flag classes: one number a set of flags, its text ready, its names known."""

from array import array

import pytest

from mailbox_server.imap.views.flag_classes import FlagClasses, changed_names, flag_text, which
from mailbox_server.store.ports import Edit, FlagChange


def test_the_empty_set_needs_no_learning() -> None:
    classes = FlagClasses()
    assert classes.missing([0, 0]) == []
    assert classes.known[classes.number(0, False)].text == b""
    assert classes.known[classes.number(0, True)].text == b"\\Deleted"


def test_what_was_learned_is_not_missing() -> None:
    classes = FlagClasses()
    assert classes.missing([7, 3, 7]) == [3, 7]
    classes.learn({7: frozenset({"\\Seen"})})
    assert classes.missing([7, 3, 0]) == [3]


def test_equal_sets_share_a_class() -> None:
    classes = FlagClasses()
    classes.learn({1: frozenset({"\\Seen"}), 2: frozenset({"\\Seen"})})
    assert classes.number(1, False) == classes.number(2, False)
    assert classes.number(1, False) != classes.number(1, True)


def test_text_has_system_flags_first_then_keywords_by_name() -> None:
    assert flag_text(frozenset({"$b", "\\Draft", "A", "\\Answered"})) == b"\\Answered \\Draft $b A"


def test_names_lists_system_flags_always() -> None:
    classes = FlagClasses()
    classes.learn({1: frozenset({"$Work", "apple"})})
    system = ("\\Answered", "\\Flagged", "\\Deleted", "\\Seen", "\\Draft")
    assert classes.names() == (*system, "$Work", "apple")


def test_where_speaks_of_every_class() -> None:
    classes = FlagClasses()
    classes.learn({1: frozenset({"\\Seen"})})
    seen, empty = classes.number(1, True), classes.number(0, False)
    unseen = classes.where(lambda names: "\\Seen" not in names)
    assert not unseen[seen]
    assert unseen[empty]


@pytest.mark.parametrize(
    ("edit", "names", "after"),
    [
        (Edit.ADD, {"$work", "$new"}, {"\\Seen", "$Work", "$new"}),
        (Edit.REMOVE, {"$WORK"}, {"\\Seen"}),
        (Edit.REPLACE, {"\\Draft"}, {"\\Draft"}),
        (Edit.REPLACE, set(), set()),
    ],
)
def test_changed_names_compare_without_case(edit: Edit, names: set[str], after: set[str]) -> None:
    before = frozenset({"\\Seen", "$Work"})
    assert changed_names(before, FlagChange(edit, frozenset(names))) == after


def test_which_of_many_are_wanted_is_told_in_any_width() -> None:
    wanted = [place % 3 == 0 for place in range(300)]
    narrow = array("B", [0, 1, 3, 255, 0])
    assert which(narrow, wanted) == bytes([1, 0, 1, 1, 1])
    assert which(narrow[:3], wanted[:4]) == bytes([1, 0, 1])
    assert which(array("H", [299, 297, 0]), wanted) == bytes([0, 1, 1])
    assert which([1, 3], wanted) == bytes([0, 1])
    assert which(array("B"), []) == b""
