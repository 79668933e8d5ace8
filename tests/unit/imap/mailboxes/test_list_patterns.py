"""LIST wildcards (RFC 9051 §6.3.9), also where somebody wants them to be slow."""

import fnmatch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailbox_server.imap.grammar.faults import ArgumentsTooMany
from mailbox_server.imap.mailboxes.list_patterns import ListPattern, Matching, beginning_of


@pytest.mark.parametrize(
    ("pattern", "name", "matches"),
    [
        ("*", "a/b", True),
        ("%", "a", True),
        ("%", "a/b", False),
        ("a/%", "a/b", True),
        ("a/%", "a/b/c", False),
        ("a/%", "a", False),
        ("%/%", "a/b", True),
        ("*b", "a/b", True),
        ("%b", "a/b", False),
        ("%%", "ab", True),
        ("*%", "a/b", True),
        ("%*", "a/b", True),
        ("", "a", False),
        ("a", "a", True),
        ("A", "a", False),
        ("a*c", "abbbc", True),
        ("a*c", "abbbcd", False),
        ("inbox", "INBOX", True),
        ("InB%", "INBOX", True),
        ("*box", "INBOX", True),
        ("ınbox", "INBOX", False),
        ("ınb%", "INBOX", False),
        ("*ınbox", "INBOX", False),
        ("inbox/a", "INBOX/a", True),
        ("inbox/A", "INBOX/a", False),
        ("inbox*", "INBOX/a", True),
        ("inboxes", "INBOXes", False),
        ("*", "INBOX", True),
        ("ü%", "über/x", False),
        ("ü*", "über/x", True),
    ],
)
def test_patterns(pattern: str, name: str, matches: bool) -> None:
    assert ListPattern(pattern).matches(name) is matches


def test_hostile_patterns_cost_no_more_than_others() -> None:
    name = "a" * 999 + "b"
    for unit in ("*a", "%a", "*a%"):
        assert not ListPattern((unit * 500)[:999] + "c").matches(name)
    assert ListPattern("*a" * 300 + "*").matches(name)


@given(st.text("ab*", max_size=8), st.text("ab/", max_size=8))
def test_a_star_is_the_star_of_the_shell(pattern: str, name: str) -> None:
    assert ListPattern(pattern).matches(name) is fnmatch.fnmatchcase(name, pattern)


def test_a_command_takes_no_more_steps_than_it_may() -> None:
    matching = Matching([ListPattern("*a*b")] * 2, steps=10)
    assert not matching.matches("xxxxx")
    with pytest.raises(ArgumentsTooMany):
        matching.matches("x")


def test_long_names_against_many_long_patterns_are_refused() -> None:
    matching = Matching([ListPattern("*a" * 400 + "*x") for _ in range(20)])
    with pytest.raises(ArgumentsTooMany):
        for _ in range(3_000):
            matching.matches("a" * 900)


def test_everything_is_always_listed() -> None:
    matching = Matching([ListPattern("*")], steps=0)
    assert matching.matches("a" * 900)


@given(
    st.lists(st.text("iInNbBoOxX/a%*", max_size=8), min_size=1, max_size=3),
    st.one_of(st.just("INBOX"), st.text("iInNbBoOxX/a", max_size=8)),
)
def test_all_that_match_begin_alike(patterns: list[str], name: str) -> None:
    compiled = [ListPattern(pattern) for pattern in patterns]
    if Matching(compiled).matches(name):
        assert name.startswith(beginning_of(compiled))


@pytest.mark.parametrize(
    ("patterns", "beginning"),
    [
        (["Work"], "Work"),
        (["Work/%"], "Work/"),
        (["Work/a*", "Work/b"], "Work/"),
        (["*"], ""),
        (["Work", "%"], ""),
        (["inbox/%"], "INBOX/"),
        (["INB*"], "INB"),
        (["inb*"], ""),
        (["", "Work"], ""),
    ],
)
def test_how_all_that_match_begin(patterns: list[str], beginning: str) -> None:
    assert beginning_of([ListPattern(pattern) for pattern in patterns]) == beginning
