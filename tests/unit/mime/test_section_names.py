"""Names of sections as URLs have them."""

import pytest

from mailbox_server.mime.section_names import FIELDS_MOST, PARTS_MOST, read_section
from mailbox_server.mime.sections import Partial, Section, SectionKind


@pytest.mark.parametrize(
    ("name", "section"),
    [
        (b"", Section()),
        (b"1.2", Section((1, 2))),
        (b"text", Section((), SectionKind.TEXT)),
        (b"1.MIME", Section((1,), SectionKind.MIME)),
        (b"3.2.Header", Section((3, 2), SectionKind.HEADER)),
        (
            b'HEADER.FIELDS (From "to" FROM)',
            Section((), SectionKind.HEADER_FIELDS, frozenset({b"from", b"to"})),
        ),
        (
            b"2.HEADER.FIELDS.NOT (Bcc)",
            Section((2,), SectionKind.HEADER_FIELDS_NOT, frozenset({b"bcc"})),
        ),
    ],
)
def test_names(name: bytes, section: Section) -> None:
    assert read_section(name) == section


def test_the_partial_goes_with_it() -> None:
    assert read_section(b"", Partial(3, 5)) == Section(partial=Partial(3, 5))


@pytest.mark.parametrize(
    "name",
    [
        b"0",
        b"1.",
        b".1",
        b"1..2",
        b"MIME",
        b"1.2.PEEK",
        b"HEADER.FIELDS",
        b"HEADER.FIELDS ()",
        b"HEADER.FIELDS (From",
        b"HEADER.FIELDS(From)",
        b"HEADER.FIELDS (From  To)",
        b"TEXT (From)",
        b"HEADER ",
        b"HEADER.FIELDS (From x(y))",
        b"1\n",
        b"\xff",
        b"12345678901",
        b".".join([b"1"] * (PARTS_MOST + 1)),
        b"HEADER.FIELDS (" + b" ".join([b"x"] * (FIELDS_MOST + 1)) + b")",
    ],
)
def test_no_names(name: bytes) -> None:
    assert read_section(name) is None
