"""FETCH arguments (RFC 9051 §6.4.5)."""

import pytest

from mailbox_server.imap.grammar.faults import ArgumentsMalformed, ArgumentsTooMany
from mailbox_server.imap.grammar.fetch_items import (
    Attribute,
    BinarySection,
    BinarySize,
    BodySection,
    FetchArguments,
    FetchItem,
    parse_fetch,
)
from mailbox_server.imap.grammar.lexer import Lexer
from mailbox_server.imap.grammar.sequence_sets import By
from mailbox_server.mime.sections import Partial, SectionKind


def read(text: str) -> FetchArguments:
    return parse_fetch(Lexer(b" " + text.encode()), By.NUMBER)


def section(text: str) -> BodySection:
    (item,) = read("1 " + text).items
    assert isinstance(item, BodySection)
    return item


def test_plain_items_come_in_order_and_once() -> None:
    found = read("1:2 (UID flags UID rfc822.size internaldate MODSEQ BODY bodystructure ENVELOPE)")
    assert found.items == (
        Attribute.UID,
        Attribute.FLAGS,
        Attribute.SIZE,
        Attribute.INTERNALDATE,
        Attribute.MODSEQ,
        Attribute.BODY,
        Attribute.BODYSTRUCTURE,
        Attribute.ENVELOPE,
    )
    assert found.by is By.NUMBER
    assert found.changed_since is None


@pytest.mark.parametrize(("macro", "last"), [("fast", 3), ("ALL", 4), ("FULL", 5)])
def test_macros_are_expanded(macro: str, last: int) -> None:
    five = (
        Attribute.FLAGS,
        Attribute.INTERNALDATE,
        Attribute.SIZE,
        Attribute.ENVELOPE,
        Attribute.BODY,
    )
    assert read(f"1 {macro}").items == five[:last]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("BODY[]", BodySection((), SectionKind.WHOLE, (), None, True, b"BODY[]")),
        ("body.peek[]", BodySection((), SectionKind.WHOLE, (), None, False, b"BODY[]")),
        ("BODY[1]", BodySection((1,), SectionKind.WHOLE, (), None, True, b"BODY[1]")),
        ("BODY[header]", BodySection((), SectionKind.HEADER, (), None, True, b"BODY[HEADER]")),
        ("BODY[TEXT]", BodySection((), SectionKind.TEXT, (), None, True, b"BODY[TEXT]")),
        (
            "BODY.PEEK[4.2.MIME]<0.2048>",
            BodySection(
                (4, 2), SectionKind.MIME, (), Partial(0, 2048), False, b"BODY[4.2.MIME]<0>"
            ),
        ),
        (
            'BODY[1.HEADER.FIELDS.NOT (To "odd name")]',
            BodySection(
                (1,),
                SectionKind.HEADER_FIELDS_NOT,
                (b"To", b"odd name"),
                None,
                True,
                b'BODY[1.HEADER.FIELDS.NOT (To "odd name")]',
            ),
        ),
        ("RFC822", BodySection((), SectionKind.WHOLE, (), None, True, b"RFC822")),
        ("RFC822.HEADER", BodySection((), SectionKind.HEADER, (), None, False, b"RFC822.HEADER")),
        ("rfc822.text", BodySection((), SectionKind.TEXT, (), None, True, b"RFC822.TEXT")),
    ],
)
def test_body_sections(text: str, expected: BodySection) -> None:
    assert section(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("BINARY[]", BinarySection((), None, True, b"BINARY[]")),
        ("binary.peek[1.2]", BinarySection((1, 2), None, False, b"BINARY[1.2]")),
        ("BINARY[4]<9.2048>", BinarySection((4,), Partial(9, 2048), True, b"BINARY[4]<9>")),
        ("Binary.Size[3.1]", BinarySize((3, 1), b"BINARY.SIZE[3.1]")),
        ("BINARY.SIZE[]", BinarySize((), b"BINARY.SIZE[]")),
    ],
)
def test_decoded_parts(text: str, expected: FetchItem) -> None:
    assert read("1 " + text).items == (expected,)


def test_a_field_name_cannot_break_out_of_the_label() -> None:
    label = section("BODY[HEADER.FIELDS ({9}\r\na)]\r\n* 1 )]").label
    assert label == b"BODY[HEADER.FIELDS ({9}\r\na)]\r\n* 1 )]"


def test_modifiers() -> None:
    assert read("1:* (FLAGS) (CHANGEDSINCE 12345)").changed_since == 12345
    assert read("1:* FLAGS (changedsince 0)").changed_since == 0


@pytest.mark.parametrize(
    "text",
    ["", "1", "1 ", "x FLAGS", "1 ()", "1 (FLAGS", "1 FOO", "1 BODY[", "1 BODY[1.]", "1 BODY[.1]",
     "1 BODY[0]", "1 BODY[1..2]", "1 BODY[MIME]", "1 BODY[FOO]", "1 BODY[HEADER.FIELDS]",
     "1 BODY[HEADER.FIELDS ()]", "1 BODY[]<0>", "1 BODY[]<0.0>", "1 BODY[]<-1.5>",
     "1 BODY[]<99999999999999999999.1>", "1 FLAGS UID", "1 FLAGS (CHANGEDSINCE)",
     "1 FLAGS (CHANGEDSINCE x)", "1 FLAGS (FOO 1)", "1 FLAGS (CHANGEDSINCE 9223372036854775808)",
     "1 ((FLAGS))", "1 RFC822.PEEK", "1 BODY[1.TEXT", "1 BINARY", "1 BINARY.SIZE", "1 BINARY[1",
     "1 BINARY[TEXT]", "1 BINARY[1.MIME]", "1 BINARY[0]", "1 BINARY[1.]", "1 BINARY.SIZE[1]<0.1>",
     "1 BINARY.PEEK", "1 BINARY[1]<0.0>", "1 BINARY.SIZE.PEEK[1]"],
)  # fmt: skip
def test_refused(text: str) -> None:
    with pytest.raises(ArgumentsMalformed):
        read(text)


def test_limits() -> None:
    with pytest.raises(ArgumentsTooMany):
        read("1 BODY[" + "1." * 100 + "1]")
    with pytest.raises(ArgumentsTooMany):
        read("1 BINARY.SIZE[" + "1." * 100 + "1]")
    with pytest.raises(ArgumentsTooMany):
        read("1 BODY[HEADER.FIELDS (" + "a " * 1_001 + ")]")
    with pytest.raises(ArgumentsTooMany):
        read("1 (" + " ".join(f"BODY[{n}]" for n in range(1, 502)) + ")")
