"""Each FETCH item is answered from the cheapest source, octet for octet."""

import pytest

from mailbox_server.imap.fetch.fetch_plan import FetchPlan, Source, listed_octets, plan
from mailbox_server.imap.grammar.fetch_items import parse_fetch
from mailbox_server.imap.grammar.lexer import Lexer
from mailbox_server.imap.grammar.sequence_sets import By
from mailbox_server.mime.header_fields import FIRST_FIELDS, LISTED_FIELDS, HeaderFields, select
from mailbox_server.mime.scanner import scan
from mailbox_server.mime.sections import Stored, header_extent, length, pieces
from mailbox_server.store.ports import Column

HEADER = (
    b"X-First: 1\r\nSender: s@example.test\r\nSubject: folded\r\n\tover: lines\r\n"
    b"To : a@example.test\r\nsubject: again\r\nList-Id: <l>\r\n\t(folded)\r\n"
    b"Content-Type: multipart/mixed; boundary=b\r\nFrom: b@example.test\r\n\r\n"
)
BODY = (
    b"--b\r\n\r\none\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n"
    b"Subject: in\r\n\r\nx\r\n--b--\r\n"
)
TRACE = b"Received: from here\r\n"


def planned(items: str) -> FetchPlan:
    return plan(parse_fetch(Lexer(f" 1 {items}".encode()), By.NUMBER).items)


def stored() -> Stored:
    content = HEADER + BODY
    structure, _ = scan(content)
    return Stored(1, TRACE, len(TRACE + content), len(HEADER), structure)


def from_rows(items: str) -> bytes:
    """The one section of items, from the columns of listed fields."""
    listed = HeaderFields(HEADER).listed()
    assert listed is not None
    columns = {
        Column.LISTED: listed.first,
        Column.LISTED_REST: listed.rest,
        Column.LISTED_ORDER: listed.order,
    }
    [section] = planned(items).sections
    return listed_octets(section, *(columns[column] for column in section.columns))


def octets(items: str) -> bytes | None:
    """The one section of items, read from the content as RowFetch would."""
    content, message = HEADER + BODY, stored()
    [section] = planned(items).from_content.sections
    extent = header_extent(section.wanted, message)
    header = b"" if extent is None else content[extent.start : extent.end]
    found = pieces(section.wanted, message, header)
    if found is None:
        return None
    whole = b"".join(p if isinstance(p, bytes) else content[p.start : p.end] for p in found)
    assert length(found) == len(whole)
    return whole


def test_what_the_view_knows_needs_no_store() -> None:
    assert not planned("(UID FLAGS MODSEQ)").needs_store
    assert planned("(UID FLAGS RFC822.SIZE)").columns == (Column.SIZE,)


def test_columns_are_asked_for_once() -> None:
    assert planned("(ENVELOPE BODYSTRUCTURE INTERNALDATE RFC822.SIZE)").columns == (
        Column.ENVELOPE,
        Column.BODY_STRUCTURE,
        Column.DATED,
        Column.SIZE,
    )


@pytest.mark.parametrize(
    ("items", "source"),
    [
        ("BODY[HEADER.FIELDS (From SUBJECT)]", Source.LISTED),
        ("BODY[HEADER.FIELDS (From X-First)]", Source.OWN_HEADER),
        ("BODY[HEADER.FIELDS.NOT (From)]", Source.OWN_HEADER),
        ("BODY[]", Source.OWN_HEADER),
        ("BODY[1]", Source.PARTS),
        ("BODY[2.HEADER.FIELDS (Subject)]", Source.PARTS),
    ],
)
def test_sources(items: str, source: Source) -> None:
    assert planned(items).sections[0].source is source


@pytest.mark.parametrize(
    ("items", "wanted"),
    [
        ("BODY[]", TRACE + HEADER + BODY),
        ("RFC822", TRACE + HEADER + BODY),
        ("BODY[HEADER]", TRACE + HEADER),
        ("RFC822.HEADER", TRACE + HEADER),
        ("BODY[TEXT]", BODY),
        ("BODY[HEADER.FIELDS (Received)]", TRACE + b"\r\n"),
        ("BODY[HEADER.FIELDS (nothing)]", b"\r\n"),
        ("BODY[HEADER.FIELDS (to)]", b"To : a@example.test\r\n\r\n"),
        ("BODY[1]", b"one"),
        ("BODY[2]", b"Subject: in\r\n\r\nx"),
        ("BODY[2.HEADER]", b"Subject: in\r\n\r\n"),
        ("BODY[2.HEADER.FIELDS (Subject)]", b"Subject: in\r\n\r\n"),
        ("BODY[2.HEADER.FIELDS.NOT (Subject)]", b"\r\n"),
        ("BODY[2.TEXT]", b"x"),
        ("BODY[2.MIME]", b"Content-Type: message/rfc822\r\n\r\n"),
        ("BODY[3]", None),
        ("BODY[1.HEADER.FIELDS (Subject)]", None),
        ("BODY[]<5.30>", (TRACE + HEADER + BODY)[5:35]),
        ("BODY[]<0.9999999>", TRACE + HEADER + BODY),
        ("BODY[]<9999999.1>", b""),
        ("BODY[HEADER]<19.4>", (TRACE + HEADER)[19:23]),
        ("BODY[1]<1.1>", b"n"),
        ("BODY[HEADER.FIELDS (to)]<3.2>", b": "),
    ],
)
def test_sections(items: str, wanted: bytes | None) -> None:
    assert octets(items) == wanted
    if planned(items).is_in_rows:
        assert from_rows(items) == wanted


_LISTS = [
    *([name] for name in sorted(LISTED_FIELDS)),
    sorted(FIRST_FIELDS),
    sorted(LISTED_FIELDS),
    [*sorted(FIRST_FIELDS), b"sender"],
    [b"sender", b"list-id"],
    [b"sender", b"to"],
]


@pytest.mark.parametrize("names", _LISTS)
def test_listed_fields_are_the_same_from_both_sources(names: list[bytes]) -> None:
    items = f"BODY[HEADER.FIELDS ({b' '.join(names).decode()})]"
    wanted = select(TRACE + HEADER, names)
    assert planned(items).is_in_rows
    assert from_rows(items) == wanted
    assert octets(items) == wanted


def test_only_the_columns_of_listed_fields_that_are_needed_are_asked_for() -> None:
    assert planned("(UID BODY[HEADER.FIELDS (From)])").columns == (Column.LISTED,)
    assert planned("BODY[HEADER.FIELDS (Sender)]").columns == (Column.LISTED_REST,)
    assert (
        planned("BODY[HEADER.FIELDS (Sender From)]").listed
        == planned("(BODY[HEADER.FIELDS (From Sender)] UID)").columns
    )
    both = planned("(BODY[HEADER.FIELDS (From)] BODY[])")
    assert not both.is_in_rows
    assert Column.LISTED not in both.columns
