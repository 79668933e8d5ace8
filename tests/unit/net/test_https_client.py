"""The HTTPS client goes only where it may, believes only a certificate, and keeps its bounds."""

import asyncio
import ipaddress
from collections.abc import Sequence
from pathlib import Path

import pytest
import trustme

from mailbox_server.model.address import IpAddress
from mailbox_server.net.https_client import (
    HttpsAnswer,
    HttpsClient,
    HttpsFailure,
    HttpsPlan,
    HttpsTrouble,
)
from tests.https_server import HttpsServer, https_server, text_answer, write_authority

NAME = "mta-sts.example.org"
URL = f"https://{NAME}/.well-known/mta-sts.txt"
LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"),)
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
AUTHORITY = trustme.CA(key_type=trustme.KeyType.ECDSA)
CERTIFICATE = AUTHORITY.issue_cert(NAME, key_type=trustme.KeyType.ECDSA)


async def loopback(name: str) -> Sequence[IpAddress]:
    return (ipaddress.ip_address("127.0.0.1"),)


@pytest.fixture
def authorities(tmp_path: Path) -> str:
    return write_authority(tmp_path, AUTHORITY)


def client_of(server: HttpsServer, authorities: str) -> HttpsClient:
    return HttpsClient(loopback, HttpsPlan(server.port, LOOPBACK, authorities))


async def ask(
    server: HttpsServer, authorities: str, most: int = 1_000, seconds: float = 5.0
) -> HttpsAnswer | HttpsTrouble:
    return await client_of(server, authorities).get(URL, most, seconds)


async def test_a_question_and_its_answer(authorities: str) -> None:
    async with https_server(CERTIFICATE) as server:
        server.answer = lambda head, body: text_answer(
            b"words", media_type="Text/Plain ; charset=utf-8"
        )
        answer = await ask(server, authorities)
        assert answer == HttpsAnswer(200, "text/plain", b"words")
        (head,) = server.heads
        assert head.startswith(b"GET /.well-known/mta-sts.txt HTTP/1.1\r\n")
        assert b"Accept-Encoding: identity\r\n" in head
        assert b"cookie" not in head.lower()


async def test_posting(authorities: str) -> None:
    async with https_server(CERTIFICATE) as server:
        server.answer = lambda head, body: text_answer(b"", status="201 Created")
        posted = await client_of(server, authorities).post(
            f"https://{NAME}/v1/tlsrpt?a=b", b"\x1f\x8bbody", "application/tlsrpt+gzip", 100, 5.0
        )
        assert isinstance(posted, HttpsAnswer) and posted.status == 201
        assert server.bodies == [b"\x1f\x8bbody"]
        assert server.heads[0].startswith(b"POST /v1/tlsrpt?a=b HTTP/1.1\r\n")
        assert b"Content-Type: application/tlsrpt+gzip\r\n" in server.heads[0]


async def test_redirects_are_answers_and_not_followed(authorities: str) -> None:
    async with https_server(CERTIFICATE) as server:
        server.answer = lambda head, body: text_answer(
            b"", status="301 Moved", more="Location: http://169.254.169.254/\r\n"
        )
        answer = await ask(server, authorities)
        assert isinstance(answer, HttpsAnswer) and answer.status == 301
        assert len(server.heads) == 1


@pytest.mark.parametrize(
    ("octets", "failure"),
    [
        (text_answer(b"x" * 1_001), HttpsFailure.SIZE),
        (CHUNKED + b"7d1\r\n" + b"x" * 2_001 + b"\r\n", HttpsFailure.SIZE),
        (b"HTTP/1.1 200 OK\r\n\r\nbody", HttpsFailure.ANSWER),
        (CHUNKED + b"zz\r\n", HttpsFailure.ANSWER),
        (text_answer(b"\x1f\x8b", more="Content-Encoding: gzip\r\n"), HttpsFailure.ANSWER),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n", HttpsFailure.ANSWER),
        (b"garbage\r\n\r\n", HttpsFailure.ANSWER),
        (b"", HttpsFailure.CONNECTION),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx", HttpsFailure.CONNECTION),
    ],
)
async def test_answers_that_will_not_do(
    authorities: str, octets: bytes, failure: HttpsFailure
) -> None:
    async with https_server(CERTIFICATE) as server:
        server.answer = lambda head, body: octets
        trouble = await ask(server, authorities)
        assert isinstance(trouble, HttpsTrouble)
        assert trouble.failure is failure, trouble
        assert trouble.detail.isprintable()


async def test_silence_ends_at_the_deadline(authorities: str) -> None:
    async with https_server(CERTIFICATE) as server:
        server.gate.clear()
        trouble = await ask(server, authorities, seconds=0.2)
        assert isinstance(trouble, HttpsTrouble)
        assert trouble.failure is HttpsFailure.TIME


async def test_a_resolver_that_hangs_ends_at_the_deadline(authorities: str) -> None:
    async def never(name: str) -> Sequence[IpAddress]:
        await asyncio.Event().wait()
        return ()

    client = HttpsClient(never, HttpsPlan(443, LOOPBACK, authorities))
    trouble = await client.get(URL, 1_000, 0.1)
    assert isinstance(trouble, HttpsTrouble)
    assert trouble.failure is HttpsFailure.TIME


@pytest.mark.parametrize("name", ["other.example.org", "*.sts.example.org"])
async def test_another_name_in_the_certificate(authorities: str, name: str) -> None:
    other = AUTHORITY.issue_cert(name, key_type=trustme.KeyType.ECDSA)
    async with https_server(other) as server:
        trouble = await ask(server, authorities)
        assert isinstance(trouble, HttpsTrouble)
        assert trouble.failure is HttpsFailure.CERTIFICATE
        assert server.heads == []


async def test_a_wildcard_for_the_whole_label_will_do(authorities: str) -> None:
    wildcard = AUTHORITY.issue_cert("*.example.org", key_type=trustme.KeyType.ECDSA)
    async with https_server(wildcard) as server:
        assert isinstance(await ask(server, authorities), HttpsAnswer)


async def test_an_unknown_authority(authorities: str) -> None:
    stranger = trustme.CA(key_type=trustme.KeyType.ECDSA)
    async with https_server(stranger.issue_cert(NAME)) as server:
        trouble = await ask(server, authorities)
        assert isinstance(trouble, HttpsTrouble)
        assert trouble.failure is HttpsFailure.CERTIFICATE


@pytest.mark.parametrize(
    "ip", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1"]
)
async def test_no_connection_into_our_own_network(authorities: str, ip: str) -> None:
    async def inside(name: str) -> Sequence[IpAddress]:
        return (ipaddress.ip_address(ip),)

    async with https_server(CERTIFICATE) as server:
        client = HttpsClient(inside, HttpsPlan(server.port, (), authorities))
        trouble = await client.get(URL, 1_000, 5.0)
        assert isinstance(trouble, HttpsTrouble)
        assert trouble.failure is HttpsFailure.ADDRESS
        assert server.heads == []


async def test_another_plan_while_running(authorities: str) -> None:
    async with https_server(CERTIFICATE) as server:
        client = HttpsClient(loopback, HttpsPlan(server.port, (), authorities))
        before = await client.get(URL, 1_000, 5.0)
        client.change_plan(HttpsPlan(server.port, LOOPBACK, authorities))
        after = await client.get(URL, 1_000, 5.0)
        assert isinstance(before, HttpsTrouble) and isinstance(after, HttpsAnswer)


async def test_no_address_at_all(authorities: str) -> None:
    async def nothing(name: str) -> Sequence[IpAddress]:
        return ()

    client = HttpsClient(nothing, HttpsPlan(443, LOOPBACK, authorities))
    trouble = await client.get(URL, 1_000, 5.0)
    assert trouble == HttpsTrouble(HttpsFailure.ADDRESS, f"{NAME} has no address")


async def test_nobody_listens(authorities: str) -> None:
    async with https_server(CERTIFICATE) as server:
        port = server.port
    client = HttpsClient(loopback, HttpsPlan(port, LOOPBACK, authorities))
    trouble = await client.get(URL, 1_000, 5.0)
    assert isinstance(trouble, HttpsTrouble)
    assert trouble.failure is HttpsFailure.CONNECTION


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/",
        "file:///etc/passwd",
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://0x7f.1/",
        "https://2130706433/",
        "https://user@example.org/",
        "https://user:password@example.org/",
        "https://example.org:25/",
        "https://example.org:99999/",
        "https://example.org:x/",
        "https://",
        "https:///path",
        "https://exa mple.org/",
        "https://example.org/\r\nX: y",
        "https://example.org\\@127.0.0.1/",
        "https://example.org/" + "x" * 3_000,
        "https://bücher.example/",
        "",
    ],
)
async def test_urls_that_are_not_asked(url: str) -> None:
    async def never(name: str) -> Sequence[IpAddress]:
        raise AssertionError(name)

    trouble = await HttpsClient(never, HttpsPlan()).get(url, 1_000, 5.0)
    assert isinstance(trouble, HttpsTrouble)
    assert trouble.failure is HttpsFailure.URL
    assert trouble.detail.isprintable() and len(trouble.detail) <= 200


async def test_a_numeric_last_label_is_no_name() -> None:
    async def nothing(name: str) -> Sequence[IpAddress]:
        raise AssertionError(name)

    trouble = await HttpsClient(nothing, HttpsPlan()).get("https://127.1/", 1_000, 5.0)
    assert isinstance(trouble, HttpsTrouble)
