"""Targets of what other domains publish about their TLS: policies, records, report places."""

from mailbox_server.model.sts_policy import StsMode, StsPolicy
from mailbox_server.net.https_client import url_to_ask
from mailbox_server.relay.mta_sts.policy import read_policy, read_policy_id
from mailbox_server.relay.routes import chosen_by_hand
from mailbox_server.relay.tls_reports.record import MOST_PLACES, read_places
from tests.fuzz.target import Target, text_of


def _policy(octets: bytes) -> None:
    """A policy written down is the same policy; why there is none is one plain line."""
    policy = read_policy(octets)
    if isinstance(policy, str):
        assert policy.isprintable() and policy
        return
    assert policy.mx or policy.mode is StsMode.NONE
    assert 0 <= policy.max_age <= 31_557_600
    again = read_policy("\r\n".join(policy.lines()).encode())
    assert isinstance(again, StsPolicy) and again == policy
    for pattern in policy.mx:
        assert pattern.isascii() and pattern == pattern.lower() and " " not in pattern
        host = pattern.replace("*.", "a.", 1)
        assert policy.names(host)


def _records(octets: bytes) -> None:
    """What came of a record holds nothing that could end a line, and not too much."""
    records = octets.split(b"\xff")
    identity = read_policy_id(records)
    assert identity is None or (identity.isascii() and identity.isalnum() and len(identity) <= 32)
    places = read_places(records)
    if places is not None:
        assert len(places.mailboxes) + len(places.urls) <= MOST_PLACES
        for text in (*map(str, places.mailboxes), *places.urls):
            assert text.isascii() and text.isprintable()
        assert not any("!" in url for url in places.urls)
        smaller = read_places(records, 1_000_000)
        assert smaller is not None and set(smaller.urls) <= set(places.urls)


def _urls(octets: bytes) -> None:
    """A URL that is asked names a host by name, and one that we can see."""
    text = text_of(octets)
    url = url_to_ask(text, 443)
    if url is not None:
        assert url.startswith("https://") and url.isascii() and url.isprintable()
        host = url.removeprefix("https://").split("/")[0]
        assert host and not set(host) & set("@:[]\\?#%") and not host.split(".")[-1].isdigit()
    host_by_hand = chosen_by_hand(text, ())
    assert host_by_hand is None or 0 < host_by_hand.port <= 65_535


POLICY_TARGETS = (
    Target(
        "sts-policies",
        "MTA-STS policies",
        _policy,
        (
            b"version: STSv1\r\nmode: enforce\r\nmx: a.example\r\nmax_age: 9\r\n",
            b"version: STSv1\nmode: none\nmax_age: 0\n\n",
        ),
        (b"version: STSv1\n", b"mode: testing\n", b"mx: ", b"*.", b"max_age: 1\n", b"\r\n", b"\0"),
        1_000,
    ),
    Target(
        "tls-records",
        "records of MTA-STS and of TLS reports",
        _records,
        (
            b"v=STSv1; id=20160831085700Z;",
            b"v=TLSRPTv1; rua=mailto:a%2Bb@c.example, https://d.example/v1?e=f; x=y",
            b"v=TLSRPTv1; rua=mailto:a@b.example!10m,https://d.example/v1!5k",
            b"v=spf1 -all\xffv=STSv1; id=1",
        ),
        (
            b"v=STSv1;",
            b"v=TLSRPTv1;",
            b"id=",
            b"rua=",
            b"mailto:",
            b"https://",
            b"%0d",
            b",",
            b"\xff",
        ),
        1_000,
    ),
    Target(
        "outside-urls",
        "URLs and hosts that we are to connect to",
        _urls,
        (b"https://reports.example/v1?a=b#c", b"https://a:b@c.example:443/", b"[2001:db8::1]:25"),
        (b"https://", b"@", b":443", b"[::1]", b"\\", b"127.0.0.1", b"0x7f", b"%00", b"#", b"?"),
        400,
    ),
)
