"""Calendars and cards give what people read in them."""

import pytest

from mailbox_server.mime.documents.kinds import Kind
from mailbox_server.mime.documents.outcomes import Outcome
from mailbox_server.mime.documents.reading import read_document

CALENDAR = "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\n{}END:VEVENT\r\nEND:VCALENDAR\r\n"


def text_of(text: str | bytes, charset: str | None = None) -> str:
    octets = text.encode() if isinstance(text, str) else text
    found = read_document(Kind.CALENDAR, octets, charset, 10_000, lambda: False)
    assert found.outcome is Outcome.READ
    return found.text


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("SUMMARY:Sheep shearing\r\n", "sheep shearing"),
        ("SUMMARY;LANGUAGE=en:Sheep\r\n", "sheep"),
        (
            "DESCRIPTION:bring she\r\n ars\\, oil\\nand\\; wool\\\\\r\n",
            "bring shears, oil and; wool\\",
        ),
        ("DESCRIPTION:tab\n\tbed\n", "tabbed"),
        (
            'ATTENDEE;CN="Ann: Q^\'s";ROLE=CHAIR:mailto:ann@example.org\r\n',
            'ann: q"s ann@example.org',
        ),
        ("ORGANIZER;CN=Bob Reed:mailto:bob@example.org\r\n", "bob reed bob@example.org"),
        ("UID:secret-number\r\nDTSTAMP:20260101T000000Z\r\nX-ODD:nothing\r\n", ""),
        ("no line at all\r\n:\r\n;;;\r\nSUMMARY\r\n", ""),
        ('ATTENDEE;CN="never closed:mailto:x\r\nSUMMARY:after\r\n', "after"),
        ("summary:low\r\n", "low"),
    ],
)
def test_lines_of_a_calendar(line: str, text: str) -> None:
    assert text_of(CALENDAR.format(line)) == text


def test_a_fold_inside_a_character_is_undone() -> None:
    octets = CALENDAR.format("SUMMARY:Bl@ten\r\n").encode().replace(b"@", b"\xc3\r\n \xbc")
    assert text_of(octets) == "blüten"


def test_the_charset_of_the_part_counts() -> None:
    octets = CALENDAR.format("SUMMARY:Блины\r\n").encode("koi8-r")
    assert text_of(octets, "koi8-r") == "блины"


def test_a_card_of_an_address() -> None:
    card = (
        "BEGIN:VCARD\r\nVERSION:4.0\r\nFN:Ada Miller\r\nN:Miller;Ada;;;\r\n"
        "item1.EMAIL;TYPE=home:ada@example.org\r\nADR:;;12 Mill Lane;Ely;;;UK\r\n"
        "NOTE:keeps geese\r\nPHOTO;ENCODING=b:AAAA\r\nNOTE;ENCODING=b:QUJD\r\nEND:VCARD\r\n"
    )
    found = text_of(card)
    assert found == "ada miller miller ada ada@example.org 12 mill lane ely uk keeps geese"


def test_an_old_card_in_quoted_printable() -> None:
    card = (
        "BEGIN:VCARD\r\nVERSION:2.1\r\nFN;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:J=C3=BC=\r\n"
        "rgen\r\nTEL:123\r\nEND:VCARD\r\n"
    )
    assert text_of(card) == "jürgen 123"


def test_a_long_hostile_line_takes_linear_time() -> None:
    hostile = "ATTENDEE;" + 'CN="' * 100_000 + "\r\nSUMMARY:end\r\n"
    assert text_of(CALENDAR.format(hostile)).endswith("end")
