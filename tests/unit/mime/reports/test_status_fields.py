"""Fields of delivery reports: written to the letter, read whatever they are."""

from datetime import UTC, datetime

import pytest

from mailbox_server.mime.reports.delivery_status import Action, DeliveryStatus, RecipientStatus
from mailbox_server.mime.reports.status_fields import (
    READ_OCTETS,
    RECIPIENTS,
    read_status,
    write_status,
)
from mailbox_server.model.envelope import OriginalRecipient

MOMENT = datetime(2026, 11, 29, 10, 30, tzinfo=UTC)
FULL = RecipientStatus(
    final="bob@example.net",
    action=Action.FAILED,
    status="5.1.1",
    original=OriginalRecipient("rfc822", "Bob+x@example.net"),
    remote_mta="mx.example.net",
    diagnostic="550 5.1.1 No such user",
    last_attempt=MOMENT,
    retry_until=MOMENT,
)


def written(*recipients: RecipientStatus, utf8: bool = False) -> bytes:
    status = DeliveryStatus("mx.example.org", recipients, "QQ314159", MOMENT)
    return write_status(status, utf8=utf8)


def test_every_field_in_the_order_of_the_standard() -> None:
    # RFC 3464 §2.2, §2.3.
    assert written(FULL).decode("ascii").split("\r\n") == [
        "Original-Envelope-Id: QQ314159",
        "Reporting-MTA: dns; mx.example.org",
        "Arrival-Date: Sun, 29 Nov 2026 10:30:00 +0000",
        "",
        "Original-Recipient: rfc822; Bob+x@example.net",
        "Final-Recipient: rfc822; bob@example.net",
        "Action: failed",
        "Status: 5.1.1",
        "Remote-MTA: dns; mx.example.net",
        "Diagnostic-Code: smtp; 550 5.1.1 No such user",
        "Last-Attempt-Date: Sun, 29 Nov 2026 10:30:00 +0000",
        "Will-Retry-Until: Sun, 29 Nov 2026 10:30:00 +0000",
        "",
    ]


@pytest.mark.parametrize("action", Action)
@pytest.mark.parametrize("utf8", [False, True])
def test_read_back_it_is_the_same(action: Action, utf8: bool) -> None:
    status = DeliveryStatus(
        "mx.example.org",
        (FULL, RecipientStatus("jörg\\+=@exämple.net", action, "2.0.0")),
        "a b",
        MOMENT,
    )
    assert read_status(write_status(status, utf8=utf8)) == status


def test_addresses_beyond_ascii_in_seven_bits() -> None:
    # RFC 6533 §3: utf-8-addr-xtext in message/delivery-status.
    octets = written(RecipientStatus("jörg+x@example.net", Action.FAILED, "5.1.1"))
    assert b"Final-Recipient: utf-8; j\\x{F6}rg\\x{2B}x@example.net\r\n" in octets
    octets = written(RecipientStatus("jörg+x@example.net", Action.FAILED, "5.1.1"), utf8=True)
    assert "Final-Recipient: utf-8; jörg+x@example.net\r\n".encode() in octets


def test_what_a_peer_said_begins_no_field_of_its_own() -> None:
    said = "550 no\r\nAction: delivered\r\n\r\nFinal-Recipient: rfc822; x@y\0\x0b " + "w" * 5_000
    octets = written(
        RecipientStatus("a@b", Action.FAILED, "5.0.0", diagnostic=said, remote_mta="m\r\nx: y")
    )
    assert octets.isascii()
    assert max(map(len, octets.split(b"\r\n"))) < 998
    found = read_status(octets)
    assert len(found.recipients) == 1
    assert found.recipients[0].action is Action.FAILED
    assert found.recipients[0].remote_mta == "m x: y"


def test_text_beyond_ascii_stays_only_where_it_may() -> None:
    recipient = RecipientStatus("a@b", Action.FAILED, "5.0.0", diagnostic="550 größer")
    assert b"550 gr??er" in written(recipient)
    assert "550 größer".encode() in written(recipient, utf8=True)


def test_unusual_forms_are_read() -> None:
    found = read_status(
        b"\r\n\r\nReporting-MTA: mx.example.net\r\n"
        b"FINAL-RECIPIENT: RFC822;<bob@example.net>\r\n"
        b"Action: Failed (nothing helped)\r\n"
        b"Status: 5.1.1 (bad destination\r\n mailbox address)\r\n"
        b"Diagnostic-Code: 550 no such user\r\n\r\n \r\n"
        b"Original-Recipient: utf-8; j\\x{F6}rg@example.net\r\n"
        b"Action: deliverable\r\nStatus: delayed\r\n"
        b"Will-Retry-Until: never\r\n"
    )
    first, second = found.recipients
    assert found.reporting_mta == "mx.example.net"
    assert (first.final, first.action, first.status) == ("bob@example.net", Action.FAILED, "5.1.1")
    assert (first.diagnostic, first.diagnostic_type) == ("550 no such user", "smtp")
    assert second.original == OriginalRecipient("utf-8", "jörg@example.net")
    assert (second.final, second.action, second.status) == ("", Action.DELAYED, "")
    assert second.retry_until is None


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"\0\0\0",
        b"\r\r\r\n\n\n" * 50_000,
        b"\n" * READ_OCTETS,
        (b"\n" + b" " * 999) * 300,
        b"Final-Recipient" * 20_000,
        b"Final-Recipient: " + b";" * 200_000,
        b"Status: " + b"5." * 100_000,
        b"Action: " + b"(" * 100_000,
        b"Final-Recipient: =?utf-8?q?" + b"=FF" * 50_000 + b"?=",
        b"Final-Recipient: utf-8; " + b"\\x{D800}\\x{110000}\\x{" * 9_000,
        b"\xff\xfe" * 60_000,
        b"Arrival-Date: " + b"9" * 1_000 + b"\n",
    ],
)
def test_nothing_raises(octets: bytes) -> None:
    read_status(octets)


def test_recipients_are_bounded() -> None:
    octets = b"Action: failed\n\n" * (RECIPIENTS + 10)
    assert len(read_status(octets).recipients) == RECIPIENTS
