"""Message ids out of the fields that tie conversations together."""

import pytest

from mailbox_server.mime.references import (
    ID_OCTETS,
    IDS,
    ancestors,
    linked_ids,
    message_id,
    message_ids,
)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, ()),
        (b"", ()),
        (b" <a@b>", ("a@b",)),
        (b"<a@b>\r\n\t<c@d><e@f>", ("a@b", "c@d", "e@f")),
        (b"<a@b> <c@d> <a@b>", ("c@d", "a@b")),
        (b'Your message of "Mon" <a@b>', ("a@b",)),
        (b"a@b", ()),
        (b"<a b> <> <<c@d>> <e\0f>", ("c@d",)),
        (b"<" + b"x" * (ID_OCTETS + 1) + b"> <a@b>", ("a@b",)),
        (b"<\xff@x>", ("\ufffd@x",)),
        (b"<\xff@x> <a@b> <\xfe@x>", ("a@b", "\ufffd@x")),
    ],
)
def test_ids(value: bytes | None, expected: tuple[str, ...]) -> None:
    assert message_ids(value) == expected


def test_the_last_hundred_count() -> None:
    found = message_ids(b"".join(b"<%d@x> " % n for n in range(1_000)))
    assert len(found) == IDS
    assert (found[0], found[-1]) == ("900@x", "999@x")


@pytest.mark.parametrize(
    ("references", "in_reply_to", "expected"),
    [
        (None, None, []),
        (b"<a@x> <b@x>", b"<c@x>", ["a@x", "b@x"]),
        (b"<a@x> <b@x> <a@x>", None, ["a@x", "b@x", "a@x"]),
        (b"<1@x> <2@x> <3@x> <4@x>", None, ["2@x", "3@x", "4@x"]),
        (b"nothing <>", b"<c@x> <d@x> <c@x>", ["c@x"]),
        (None, b"yours <c@x" + b" " * 300_000 + b"> <d@x>", []),
        (b'<"a"@x> <"b\\"c"@x> <"\\d"@x> <e\\\\"@x>', None, ['b"c@x', "d@x", "e\\@x"]),
    ],
)
def test_what_threads_link_by(
    references: bytes | None, in_reply_to: bytes | None, expected: list[str]
) -> None:
    assert linked_ids(references, in_reply_to, 3) == expected


def test_ancestors_are_those_of_both_fields() -> None:
    assert ancestors(None, None) == ()
    assert ancestors(None, b"<a@x>") == ("a@x",)
    assert ancestors(b"<a@x> <b@x>", b"<b@x>") == ("a@x", "b@x")
    assert ancestors(b"<a@x> <b@x>", b"<c@x>") == ("c@x", "a@x", "b@x")
    many = b"".join(b"<%d@x> " % n for n in range(1_000))
    found = ancestors(many, many + b"<c@x>")
    assert len(found) == IDS
    assert "c@x" in found and found[-1] == "999@x"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (b" <a@b>\r\n", "a@b"),
        (b"a@b", "a@b"),
        (b"two words", None),
        (b"", None),
        (b"<>", None),
        (b"a>b", None),
        (b"<a<b", None),
        (b"<" + b"x" * (ID_OCTETS + 1) + b">", None),
        (b"<a@b> <c@d>", "a@b"),
    ],
)
def test_the_id_of_a_message(value: bytes | None, expected: str | None) -> None:
    assert message_id(value) == expected
