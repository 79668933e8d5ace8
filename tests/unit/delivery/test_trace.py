"""The trace: Return-Path and one Received field, folded, with what is known and no more."""

from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import ip_address

import pytest

from mailbox_server.delivery.trace import received, return_path
from mailbox_server.model.address import Address, Domain, ReversePath
from mailbox_server.model.envelope import BodyType, Envelope, Peer, Recipient, Return, TlsState

NOW = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)
HOSTNAME = Domain.parse("mx.example.org")
ENVELOPE = Envelope(
    peer=Peer(ip_address("192.0.2.7"), 40_000, "c0ffee"),
    peer_name=None,
    greeting_name="client.example",
    protocol="ESMTP",
    tls=None,
    reverse_path=ReversePath(Address.parse("bob@example.net")),
    recipients=(Recipient(Address.parse("ann@example.org")),),
    body=BodyType.SEVEN_BIT,
    smtputf8=False,
    require_tls=False,
    ret=Return.UNSAID,
    envelope_id=None,
    declared_size=None,
    started=NOW,
)


def written(envelope: Envelope) -> str:
    stamp = received(envelope, HOSTNAME, "c0ffee-1", NOW)
    return (return_path(envelope.reverse_path) + stamp).decode("utf-8")


def unfolded(envelope: Envelope) -> list[str]:
    return written(envelope).replace("\r\n\t", " ").split("\r\n")


def test_the_whole() -> None:
    assert unfolded(ENVELOPE) == [
        "Return-Path: <bob@example.net>",
        "Received: from client.example ([192.0.2.7]) by mx.example.org (mailbox-server)"
        " with ESMTP id c0ffee-1 for <ann@example.org>; Tue, 24 Nov 2026 12:00:00 +0000",
        "",
    ]


def test_what_is_known_is_told() -> None:
    tls = TlsState("TLSv1.3", "TLS_AES_256_GCM_SHA384", 256)
    envelope = replace(
        ENVELOPE,
        peer_name="mail.client.example",
        tls=tls,
        protocol="UTF8SMTPS",
        reverse_path=ReversePath(None),
        recipients=ENVELOPE.recipients * 2,
    )
    first, received, _ = unfolded(envelope)
    assert first == "Return-Path: <>"
    assert "from client.example (mail.client.example [192.0.2.7]) by" in received
    assert (
        "with UTF8SMTPS (using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256 bits)) id"
        in received
    )
    assert " for " not in received


@pytest.mark.parametrize(
    ("ip", "literal"),
    [("192.0.2.7", "[192.0.2.7]"), ("2001:db8::7", "[IPv6:2001:db8::7]")],
)
def test_a_peer_without_a_usable_name_goes_by_its_address(ip: str, literal: str) -> None:
    envelope = replace(ENVELOPE, greeting_name="", peer=Peer(ip_address(ip), 1, "c"))
    assert f"from {literal} ({literal}) by" in unfolded(envelope)[1]


def test_a_peer_on_a_unix_socket() -> None:
    envelope = replace(ENVELOPE, greeting_name="", peer=Peer(None, 0, "c"))
    assert "from localhost (local) by" in unfolded(envelope)[1]


def test_lines_are_folded_where_they_can_be() -> None:
    long = Address.parse("x" * 60 + "@" + ".".join(["y" * 40] * 3) + ".example")
    lines = written(replace(ENVELOPE, recipients=(Recipient(long),))).split("\r\n")
    assert all(len(line) < 78 for line in lines if str(long) not in line)
    assert max(len(line) for line in lines) <= 998


def test_addresses_beyond_ascii_are_utf8() -> None:
    envelope = replace(ENVELOPE, reverse_path=ReversePath(Address.parse("jörg@example.net")))
    assert written(envelope).startswith("Return-Path: <jörg@example.net>\r\n")


def test_a_quoted_local_part_stays_quoted() -> None:
    envelope = replace(ENVELOPE, reverse_path=ReversePath(Address.parse('"a b"@example.net')))
    assert written(envelope).startswith('Return-Path: <"a b"@example.net>\r\n')
