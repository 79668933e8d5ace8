"""The record of a domain's report places is read strictly; places that make no sense are left."""

import pytest

from mailbox_server.relay.tls_reports.record import read_places


def places(text: str) -> tuple[list[str], list[str]] | None:
    found = read_places([text.encode()])
    return None if found is None else ([str(one) for one in found.mailboxes], list(found.urls))


@pytest.mark.parametrize(
    ("text", "mailboxes", "urls"),
    [
        ("v=TLSRPTv1;rua=mailto:reports@example.com", ["reports@example.com"], []),
        (
            "v=TLSRPTv1; rua=https://reporting.example.com/v1/tlsrpt?a=b",
            [],
            ["https://reporting.example.com/v1/tlsrpt?a=b"],
        ),
        (
            "v=TLSRPTv1; x=y; rua=mailto:a@b.example , MAILTO:c@d.example; ",
            ["a@b.example", "c@d.example"],
            [],
        ),
        ("v=TLSRPTv1; rua=mailto:a%2Bb@c.example?subject=x", ["a+b@c.example"], []),
        ("v=TLSRPTv1; rua=mailto:a@b.example,mailto:a@b.example", ["a@b.example"], []),
        ("v=TLSRPTv1; rua=http://a.example/, ftp://a.example/", [], []),
        ("v=TLSRPTv1; rua=mailto:, mailto:x, mailto:a@[192.0.2.1], mailto:%ff@b.example", [], []),
        ("v=TLSRPTv1; rua=mailto:a%0d%0ab@c.example", [], []),
        ("v=TLSRPTv1; rua=mailto:a%00@c.example", [], []),
        ("v=TLSRPTv1; rua=mailto:a@b.example; rua=mailto:c@d.example", ["a@b.example"], []),
        ("v=TLSRPTv1; rua=https://" + "x" * 3_000, [], []),
    ],
)
def test_places(text: str, mailboxes: list[str], urls: list[str]) -> None:
    assert places(text) == (mailboxes, urls)


@pytest.mark.parametrize(
    ("uri", "octets", "is_there"),
    [
        ("mailto:a@b.example!10m", 10 * 1024 * 1024, True),
        ("mailto:a@b.example!10m", 10 * 1024 * 1024 + 1, False),
        ("mailto:a@b.example!5K", 5 * 1024, True),
        ("https://b.example/v1!100", 100, True),
        ("https://b.example/v1!100", 101, False),
        ("https://b.example/v1!0", 1, False),
        ("https://b.example/v1!", 1, False),
        ("https://b.example/!/v1", 1, False),
        ("mailto:a@b.example!10x", 1, False),
        ("mailto:a@b.example!1m!2m", 1, False),
        ("mailto:a@b.example!" + "9" * 2_000, 1, False),
        ("mailto:a@b.example", 1 << 60, True),
    ],
)
def test_a_size_behind_a_place_is_the_largest_report(uri: str, octets: int, is_there: bool) -> None:
    found = read_places([f"v=TLSRPTv1; rua={uri}".encode()], octets)
    assert found is not None
    assert bool(found.mailboxes or found.urls) is is_there
    assert not any("!" in url for url in found.urls)


@pytest.mark.parametrize(
    "records",
    [
        [],
        [b"v=TLSRPTv1"],
        [b"v=TLSRPTv1;"],
        [b"v=TLSRPTv1; ru=mailto:a@b.example"],
        [b"v=TLSRPTv1; rua="],
        [b"v=TLSRPTv2; rua=mailto:a@b.example"],
        [b"v=TLSRPTv1; rua=mailto:a@b.example"] * 2,
        [b"v=TLSRPTv1; rua=mailto:a\0@b.example"],
        [b"v=TLSRPTv1; rua=mailto:\xff@b.example"],
    ],
)
def test_no_reports_wanted(records: list[bytes]) -> None:
    assert read_places(records) is None


def test_a_thousand_places_are_four() -> None:
    many = ",".join(f"mailto:a{number}@b.example" for number in range(100))
    found = read_places([f"v=TLSRPTv1; rua={many}".encode()])
    assert found is not None
    assert len(found.mailboxes) == 4
