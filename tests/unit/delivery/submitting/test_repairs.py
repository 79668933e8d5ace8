"""What a header gets and loses on its way out, and what stays as it is."""

import re
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailbox_server.delivery.submitting.repairs import (
    MOST_BARE,
    Missing,
    TooManyFields,
    repaired,
    with_domain,
)
from mailbox_server.model.address import Address, Domain

MISSING = Missing(
    Address.parse("ann@example.org"),
    datetime(2026, 11, 29, 12, 0, tzinfo=UTC),
    lambda: "1@mx.example.org",
    Domain.parse("example.org"),
)
DATE = b"Date: Sun, 29 Nov 2026 12:00:00 +0000\r\n"
FROM = b"From: ann@example.org\r\n"
ID = b"Message-ID: <1@mx.example.org>\r\n"
WHOLE = b"From: Ann <ann@example.org>\r\ndate: whenever\r\nMESSAGE-ID :\t<x@y>\r\n"


@pytest.mark.parametrize(
    ("header", "mended"),
    [
        (b"", DATE + FROM + ID + b"\r\n"),
        (b"\r\n", DATE + FROM + ID + b"\r\n"),
        (b"Subject: x\r\n\r\n", DATE + FROM + ID + b"Subject: x\r\n\r\n"),
        (b"Subject: x\r\n", DATE + FROM + ID + b"Subject: x\r\n\r\n"),
        (b"Subject: x", DATE + FROM + ID + b"Subject: x\r\n\r\n"),
        (WHOLE + b"\r\n", WHOLE + b"\r\n"),
        (WHOLE + b"X-Any:\r\n \r\n\tfolded \r\n\r\n", WHOLE + b"X-Any:\r\n \r\n\tfolded \r\n\r\n"),
        # Bcc in any form, folded, twice, and what is ours to write.
        (
            b"bCC: a@b,\r\n\tc@d\r\n"
            + WHOLE
            + b"Bcc :x\r\nResent-Bcc: y\r\nReturn-Path: <z>\r\n\r\n",
            WHOLE + b"\r\n",
        ),
        # Empty ones are missing ones.
        (b"Date: \r\nFrom:\r\n\t\r\nMessage-ID:\r\n\r\n", DATE + FROM + ID + b"\r\n"),
        # A mailbox's separator is no header, and a body no field.
        (b"From ann Mon Nov 23 10:00:00 2026\r\n" + WHOLE + b"\r\n", WHOLE + b"\r\n"),
        (b"Hello there\r\n\r\n", DATE + FROM + ID + b"\r\nHello there\r\n\r\n"),
        (b" folded first\r\n", DATE + FROM + ID + b"\r\n folded first\r\n"),
        # A line that is no field stays, in its place.
        (WHOLE + b"no field\r\nX: y\r\n\r\n", WHOLE + b"no field\r\nX: y\r\n\r\n"),
        (WHOLE + b"X: \xff\xfe\r\n\r\n", WHOLE + b"X: \xff\xfe\r\n\r\n"),
    ],
)
def test_repairs(header: bytes, mended: bytes) -> None:
    assert repaired(header, MISSING) == mended
    assert repaired(mended.partition(b"\r\n\r\n")[0] + b"\r\n\r\n", MISSING).startswith(
        mended.partition(b"\r\n\r\n")[0]
    )


@pytest.mark.parametrize(
    ("value", "mended"),
    [
        (b" bob", b" bob@example.org"),
        (b" bob@example.net", b" bob@example.net"),
        (b" Bob <bob>", b" Bob <bob@example.org>"),
        (b' "Bob, the" <bob>, ann , c@d', b' "Bob, the" <bob@example.org>, ann@example.org , c@d'),
        (b" bob (comment, with (nested) @)", b" bob@example.org (comment, with (nested) @)"),
        (b" <bob> (c)", b" <bob@example.org> (c)"),
        (b' "b b"', b' "b b"@example.org'),
        (b" undisclosed-recipients:;", b" undisclosed-recipients:;"),
        (
            b" friends: bob, <ann>;, c",
            b" friends: bob@example.org, <ann@example.org>;, c@example.org",
        ),
        (b" bob,\r\n\tann", b" bob@example.org,\r\n\tann@example.org"),
        # Names alone, routes, literals, garbage: not ours to guess at.
        (b" Bob Builder", b" Bob Builder"),
        (b" =?utf-8?q?Bob?=", b" =?utf-8?q?Bob?="),
        (b" <@a,@b:c@d>", b" <@a,@b:c@d>"),
        (b" bob@[192.0.2.1]", b" bob@[192.0.2.1]"),
        (b" <>", b" <>"),
        (b" ,,, ;", b" ,,, ;"),
        (b" (", b" ("),
        (b' "', b' "'),
        (b" <bob", b" <bob@example.org"),
    ],
)
def test_bare_local_parts_get_our_domain(value: bytes, mended: bytes) -> None:
    assert with_domain(b"To:" + value + b"\r\n", MISSING.domain) == b"To:" + mended + b"\r\n"


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from((b" Bob <b@b>", b"b", *(bytes((n,)) for n in b" \t<>@,:;(.\xe9")))))
def test_usual_fields_are_mended_as_all_others(pieces: list[bytes]) -> None:
    field = b"To:" + b"".join(pieces) + b"\r\n"
    mended = with_domain(field, MISSING.domain)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("mailbox_server.delivery.submitting.repairs._WHOLE", re.compile(rb"(?!)"))
        assert with_domain(field, MISSING.domain) == mended


def test_too_many_fields_are_refused() -> None:
    with pytest.raises(TooManyFields):
        repaired(b"a:\r\n" * 9_990 + b"Bcc: hidden@example.net\r\n\r\n", MISSING)
    assert b"Bcc" not in repaired(b"a:\r\n" * 9_989 + b"Bcc: hidden@example.net\r\n\r\n", MISSING)


def test_a_field_of_very_many_bare_local_parts_is_refused() -> None:
    assert with_domain(b"To: " + b"a," * MOST_BARE + b"\r\n", MISSING.domain)
    with pytest.raises(TooManyFields):
        with_domain(b"To: " + b"a," * (MOST_BARE + 1) + b"\r\n", MISSING.domain)
