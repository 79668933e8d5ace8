"""Splitting header blocks, and picking fields octet for octet."""

from mailbox_server.mime.header_fields import (
    FIELDS,
    LISTED_FIELDS,
    LISTED_OCTETS,
    HeaderFields,
    field_values,
    header_lines,
    merged,
    named_fields,
    select,
    split_fields,
)
from mailbox_server.model.message import ListedFields

HEADER = (
    b"Received: from a\r\n\tby b\r\nFrom: ann@x\r\nSUBJECT : one\r\n two\r\n"
    b"not a field\r\nX-A: 1\nSubject: again\r\n\r\nSubject: in the body\r\n"
)


def test_selected_fields_are_as_they_stand() -> None:
    assert select(HEADER, {b"subject", b"from"}) == (
        b"From: ann@x\r\nSUBJECT : one\r\n two\r\nSubject: again\r\n\r\n"
    )


def test_the_others_include_what_is_no_field() -> None:
    assert select(HEADER, {b"subject", b"from"}, keep=False) == (
        b"Received: from a\r\n\tby b\r\nnot a field\r\nX-A: 1\n\r\n"
    )


def test_a_last_field_without_a_line_end_gets_one() -> None:
    assert select(b"Subject: x", {b"subject"}) == b"Subject: x\r\n\r\n"
    assert select(b"Subject: x\r", {b"subject"}) == b"Subject: x\r\n\r\n"
    assert select(b"", {b"subject"}) == b"\r\n"


def test_named_fields_are_those_that_select_gives() -> None:
    names = {b"subject", b"from"}
    for header in (HEADER, HEADER[:40], b"", b"\r\n", b"Subject: x", b"Subject: x\r", b"x:\n y"):
        lines = header_lines(select(header, names))
        parted = [line.partition(b":")[::2] for line in lines if b":" in line]
        taken = [(name.rstrip(b" \t").lower(), value.rstrip(b"\r\n")) for name, value in parted]
        found = [(name, value.rstrip(b"\r\n")) for name, value in named_fields(header, names)]
        assert found == taken
    many = b"From: x\r\n" * FIELDS + b"Subject: y\r\n" + b"From: x\r\n"
    assert list(named_fields(many, {b"subject"})) == [(b"subject", b" y\r\n")]
    assert len(list(named_fields(many, {b"from"}))) == FIELDS


def test_a_bare_cr_begins_no_field() -> None:
    header = b"Subject: x\rBcc: z@q\r\n\rTo: y\r\n\r\n"
    assert select(header, {b"bcc", b"to"}) == b"\r\n"
    assert HeaderFields(header).first(b"bcc") is None


def test_ranges() -> None:
    block = HEADER[: HEADER.index(b"\r\n\r\n") + 4]
    assert [name for name, _, _ in split_fields(block)] == [
        b"received",
        b"from",
        b"subject",
        b"",
        b"x-a",
        b"subject",
    ]
    assert b"".join(block[start:end] for _, start, end in split_fields(block)) == block[:-2]


def test_values_by_name() -> None:
    fields = HeaderFields(HEADER)
    assert fields.first(b"subject") == b" one\r\n two\r\n"
    assert fields.each(b"subject") == [b" one\r\n two\r\n", b" again\r\n"]
    assert fields.each(b"to") == []
    assert fields.first(b"in the body") is None
    assert field_values(HEADER, "Subject") == fields.each(b"subject")
    assert field_values(HEADER, "Tö") == []


def test_listed_fields_leave_out_the_rest() -> None:
    listed = HeaderFields(HEADER).listed()
    assert listed is not None
    assert listed.first == b"From: ann@x\r\nSUBJECT : one\r\n two\r\nSubject: again\r\n"
    assert (listed.rest, listed.order) == (b"", b"\1\1\1")
    assert HeaderFields(b"Subject: " + b"x" * LISTED_OCTETS).listed() is None


def test_listed_fields_are_merged_in_the_order_of_the_header() -> None:
    header = b"Sender: a@x\r\nFrom: b@x\r\nList-Id: c\r\n <d>\r\nX: y\r\nTo: e@x"
    listed = HeaderFields(header).listed()
    assert listed == ListedFields(
        b"From: b@x\r\nTo: e@x\r\n",
        b"Sender: a@x\r\nList-Id: c\r\n <d>\r\n",
        b"\0\1\0\1",
    )
    assert merged(listed.first, listed.rest, listed.order) == (
        b"Sender: a@x\r\nFrom: b@x\r\nList-Id: c\r\n <d>\r\nTo: e@x\r\n"
    )
    many = HeaderFields(b"Sender: a@x\r\nX: y\r\n" * 20_000 + b"To: e@x\r\n").listed()
    assert many is None
    many = HeaderFields(b"Sender: a@x\r\n" + b"X: y\r\n" * 20_000 + b"To: e@x\r\n").listed()
    assert many == ListedFields(b"To: e@x\r\n", b"Sender: a@x\r\n", b"\0\1")


def test_no_listed_field_is_one_that_a_trace_holds() -> None:
    assert not LISTED_FIELDS & {
        b"authentication-results",
        b"delivered-to",
        b"received",
        b"received-spf",
        b"return-path",
    }
    assert all(name == name.lower() for name in LISTED_FIELDS)


def test_a_hundred_thousand_fields() -> None:
    header = b"X-A: b\r\n" * 100_000 + b"Subject: last\r\n\r\n"
    assert select(header, {b"subject"}) == b"Subject: last\r\n\r\n"
    assert len(split_fields(header)) == FIELDS
    assert HeaderFields(header).first(b"subject") is None
