"""ENVELOPE from header blocks: texts, defaults, and strings that cannot break out."""

import pytest

from mailbox_server.mime.envelope import NO_ENVELOPE, envelope


def test_the_example_of_rfc_9051() -> None:
    header = (
        b"Date: Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\r\n"
        b"From: Terry Gray <gray@cac.washington.edu>\r\n"
        b"Subject: IMAP4rev2 WG mtg summary and minutes\r\n"
        b"To: imap@cac.washington.edu\r\n"
        b"cc: minutes@CNRI.Reston.VA.US, John Klensin <KLENSIN@MIT.EDU>\r\n"
        b"Message-Id: <B27397-0100000@cac.washington.edu>\r\n\r\n"
    )
    gray = b'(("Terry Gray" NIL "gray" "cac.washington.edu"))'
    assert envelope(header) == (
        b'("Wed, 17 Jul 1996 02:23:25 -0700 (PDT)" "IMAP4rev2 WG mtg summary and minutes" '
        + b" ".join((gray, gray, gray))
        + b' ((NIL NIL "imap" "cac.washington.edu"))'
        b' ((NIL NIL "minutes" "CNRI.Reston.VA.US")("John Klensin" NIL "KLENSIN" "MIT.EDU"))'
        b' NIL NIL "<B27397-0100000@cac.washington.edu>")'
    )


def test_nothing_and_emptiness_differ_for_texts_only() -> None:
    assert envelope(b"\r\n") == NO_ENVELOPE
    assert envelope(b"Subject:\r\nTo: \r\nDate:\r\n\r\n") == (
        b'("" "" NIL NIL NIL NIL NIL NIL NIL NIL)'
    )


def test_sender_and_reply_to_default_to_from_when_absent_or_empty() -> None:
    ann = b'((NIL NIL "ann" "x"))'
    bob = b'((NIL NIL "bob" "x"))'
    header = b"From: ann@x\r\nSender: \r\nReply-To: bob@x\r\n\r\n"
    assert envelope(header) == b"(NIL NIL %b %b %b NIL NIL NIL NIL NIL)" % (ann, ann, bob)


def test_recipients_of_repeated_fields_come_together_others_count_once() -> None:
    header = b"From: a@x\r\nFrom: b@x\r\nTo: c@x\r\nTo: d@x\r\nSubject: 1\r\nSubject: 2\r\n\r\n"
    found = envelope(header)
    assert b'((NIL NIL "c" "x")(NIL NIL "d" "x"))' in found
    assert found.count(b'"a"') == 3 and b'"b"' not in found
    assert found.startswith(b'(NIL "1" ')


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"plain", b'"plain"'),
        (b'a "b" \\c', b'"a \\"b\\" \\\\c"'),
        (b"fold\r\n ed", b'"fold ed"'),
        (b"caf\xc3\xa9", b"{5}\r\ncaf\xc3\xa9"),
        (b"a\rb", b"{3}\r\na\rb"),
        (b"a\0b", b'"a?b"'),
        (b"\xff\0", b"{2}\r\n\xff?"),
        (b"x" * 1_001, b"{1001}\r\n" + b"x" * 1_001),
        (b"=?utf-8?q?=C3=A9?=", b'"=?utf-8?q?=C3=A9?="'),
    ],
)
def test_subjects_as_strings(value: bytes, expected: bytes) -> None:
    found = envelope(b"Subject: " + value + b"\r\n\r\n")
    assert found == b"(NIL " + expected + b" NIL NIL NIL NIL NIL NIL NIL NIL)"


def test_a_bare_cr_brings_in_no_field() -> None:
    assert b'"z"' not in envelope(b"Subject: x\rBcc: z@q\r\n\r\n")
