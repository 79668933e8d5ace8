"""Bounces that come in: by fields, by words of old servers, and what only looks like one."""

import pytest

from mailbox_server.delivery.bounces.causes import Judgement
from mailbox_server.delivery.bounces.incoming import Bounced, Nature, Understood, understand
from mailbox_server.delivery.bounces.plain_text import Said, codes_in, what_was_said
from mailbox_server.mime.reports.reading import read_report
from mailbox_server.mime.scanner import scan
from mailbox_server.model.bounce import Cause


def read(octets: bytes) -> Understood:
    octets = octets.replace(b"\n", b"\r\n")
    structure, header = scan(octets)
    return understand(
        read_report(header, structure, lambda start, length: octets[start : start + length])
    )


def causes(found: Understood) -> list[tuple[str, Cause, bool]]:
    return [(b.address, b.judgement.cause, b.judgement.is_permanent) for b in found.recipients]


def report(*blocks: bytes, words: bytes = b"It failed.\n") -> bytes:
    fields = b"\n".join((b"Reporting-MTA: dns; mx.example.net\n", *blocks))
    return (
        b"From: MAILER-DAEMON\nContent-Type: multipart/report; boundary=b\n\n"
        b"--b\n\n" + words + b"--b\nContent-Type: message/delivery-status\n\n" + fields + b"\n"
        b"--b\nContent-Type: text/rfc822-headers\n\nMessage-ID: <1@example.org>\n\n--b--\n"
    )


UNKNOWN = (
    b"Final-Recipient: rfc822; bob@example.net\nAction: failed\nStatus: 5.0.0\n"
    b"Diagnostic-Code: smtp; 550 5.1.1 no such user\n"
)
FULL = b"Final-Recipient: rfc822; eve@example.net\nAction: delayed\nStatus: 4.2.2\n"
FINE = b"Final-Recipient: rfc822; dan@example.net\nAction: delivered\nStatus: 2.0.0\n"


def test_fields_say_it() -> None:
    found = read(report(UNKNOWN, FINE, FULL))
    assert found.nature is Nature.FAILURE
    assert causes(found) == [
        ("bob@example.net", Cause.NO_SUCH_MAILBOX, True),
        ("eve@example.net", Cause.MAILBOX_FULL, False),
    ]
    assert found.message_id == "1@example.org"
    assert found.worst == found.recipients[0]
    assert found.recipients[0].words == "550 5.1.1 no such user"


def test_a_failure_is_for_good_whatever_the_last_reply_was() -> None:
    expired = b"Final-Recipient: rfc822; bob@example.net\nAction: failed\nStatus: 4.4.1\n"
    assert causes(read(report(expired))) == [("bob@example.net", Cause.UNREACHABLE, True)]


def test_delays_and_good_news_are_no_failures() -> None:
    assert read(report(FULL)).nature is Nature.DELAY
    assert read(report(FINE)).nature is Nature.GOOD
    assert read(report(FINE)).recipients == ()


def test_a_diagnostic_outweighs_a_vague_status_and_words_help_where_it_is_missing() -> None:
    bare = b"Final-Recipient: rfc822; bob@example.net\nAction: failed\nStatus: 5.0.0\n"
    found = read(report(bare, words=b"The mailbox is full.\n"))
    assert causes(found) == [("bob@example.net", Cause.MAILBOX_FULL, True)]


def test_fields_within_the_words_are_seen() -> None:
    found = read(
        b"From: postmaster@example.net\nSubject: Fwd: Returned mail\n\n"
        b"> Final-Recipient: rfc822; bob@example.net\n> Action: failed\n> Status: 5.1.1\n"
    )
    assert causes(found) == [("bob@example.net", Cause.NO_SUCH_MAILBOX, True)]


QMAIL = b"""From: MAILER-DAEMON@example.net
Subject: failure notice

Hi. This is the qmail-send program at example.net.

<bob@example.net>:
Sorry, no mailbox here by that name. (#5.1.1)

<eve@example.net>:
user is over quota (#5.2.2)

--- Below this line is a copy of the message.

Return-Path: <ann@example.org>
To: carol@example.net
"""


def test_words_about_each_address_are_judged_apart() -> None:
    assert causes(read(QMAIL)) == [
        ("bob@example.net", Cause.NO_SUCH_MAILBOX, True),
        ("eve@example.net", Cause.MAILBOX_FULL, True),
    ]


def test_a_list_of_addresses_shares_the_words() -> None:
    said = what_was_said("a@example.net\nb@example.net\nboth: no such user\n")
    assert [each.address for each in said] == ["a@example.net", "b@example.net"]
    assert all("no such user" in each.words for each in said)


def test_words_without_an_address() -> None:
    assert what_was_said("nothing") == [Said("", "nothing")]
    assert what_was_said("it is <a@example.net> that failed")[0].address == "a@example.net"


@pytest.mark.parametrize(
    ("words", "codes"),
    [
        ("550 5.1.1 no", (550, "5.1.1")),
        ("550-5.7.26 no\n550 5.7.26 still no", (550, "5.7.26")),
        ("said 554 then (#5.2.2)", (554, "5.2.2")),
        ("550 5.0.0 no, 452 4.2.2 full", (452, "4.2.2")),
        ("421 first, #5.1.1 later", (None, "5.1.1")),
        ("4321 550x 192.0.2.1 [4.4.4.4]", (None, "")),
        ("", (None, "")),
    ],
)
def test_codes_in_words(words: str, codes: tuple[int | None, str]) -> None:
    assert codes_in(words) == codes


def test_a_warning_in_words_is_a_delay() -> None:
    found = read(
        b"From: MAILER-DAEMON@example.net\nSubject: Warning: message delayed\n\n"
        b"THIS IS A WARNING MESSAGE ONLY.\n\n<bob@example.net>: user unknown\n"
        b"We will give up later.\n"
    )
    assert found.nature is Nature.DELAY
    assert not any(each.judgement.is_permanent for each in found.recipients)


@pytest.mark.parametrize(
    ("message", "nature"),
    [
        (b"From: bob@example.net\nSubject: Out of office\n\nback soon\n", Nature.HELPER),
        (b"From: bob@example.net\nSubject: Hi\nAuto-Submitted: auto-replied\n\nx\n", Nature.HELPER),
        (b"From: bob@example.net\nSubject: Hi\n\nhow are you\n", Nature.OTHER),
        (b"", Nature.OTHER),
        (
            b"Content-Type: multipart/report; boundary=b\n\n--b\n\nspam!\n--b\n"
            b"Content-Type: message/feedback-report\n\nFeedback-Type: abuse\n\n--b--\n",
            Nature.COMPLAINT,
        ),
    ],
)
def test_what_is_no_bounce(message: bytes, nature: Nature) -> None:
    found = read(message)
    assert found.nature is nature
    assert found.recipients == ()
    assert found.worst is None


@pytest.mark.parametrize(
    "text", [b"-", b">", b" ", b"a@b.c\n", b"\n", b"<a@b", b"550 5.", b"x" * 100, b"\xff", b"\0"]
)
def test_long_nonsense_is_read(text: bytes) -> None:
    read(b"From: mailer-daemon\nSubject: failure notice\n\n" + text * (60_000 // len(text)))


def test_the_worst_is_a_dead_address() -> None:
    first, second, third = (
        Bounced("", Judgement(cause, permanent))
        for cause, permanent in (
            (Cause.NO_SUCH_MAILBOX, False),
            (Cause.POLICY, True),
            (Cause.DISABLED, True),
        )
    )
    assert Understood(Nature.FAILURE, (first, second, third)).worst is third
    assert Understood(Nature.FAILURE, (first, second)).worst is second
