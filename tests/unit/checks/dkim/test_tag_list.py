"""Tag lists: by the grammar of RFC 6376 §3.2, bounded, never raising."""

import pytest

from mailbox_server.checks.dkim.tag_list import TAGS, read_tags, unfolded


@pytest.mark.parametrize(
    ("text", "tags"),
    [
        ("v=DKIM1; k=rsa; p=ab/+=", {"v": "DKIM1", "k": "rsa", "p": "ab/+="}),
        ("v=DKIM1;p=", {"v": "DKIM1", "p": ""}),
        (" a = b ;\r\n\tc=d e; ", {"a": "b", "c": "d e"}),
        ("A=1;a=2", {"A": "1", "a": "2"}),
        ("a_1=x", {"a_1": "x"}),
        ("", {}),
        ("a=1;;b=2", None),
        ("a=1;a=1", None),
        ("a", None),
        ("=1", None),
        ("1a=x", None),
        ("ä=x", None),
        ("a b=x", None),
        ("v=spf1 -all", {"v": "spf1 -all"}),
    ],
)
def test_lists(text: str, tags: dict[str, str] | None) -> None:
    assert read_tags(text) == tags


def test_endless_lists_are_none() -> None:
    names = [f"t{number}=x" for number in range(TAGS + 1)]
    assert read_tags(";".join(names)) is None
    assert read_tags(";".join(names[1:]) + ";") is not None
    assert read_tags("a=1;" * 100_000) is None


def test_folds_in_base_64() -> None:
    assert unfolded("ab\r\n\t cd ef") == "abcdef"
