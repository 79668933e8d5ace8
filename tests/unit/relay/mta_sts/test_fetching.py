"""A policy is fetched from its own host, and every failure has the name that reports use."""

import ipaddress
from collections.abc import Sequence
from pathlib import Path

import pytest
import trustme

from mailbox_server.model.address import Domain, IpAddress
from mailbox_server.model.sts_policy import StsMode, StsPolicy
from mailbox_server.model.tls_demand import TlsFault
from mailbox_server.net.https_client import HttpsClient, HttpsPlan
from mailbox_server.relay.mta_sts.fetching import FetchFailed, fetch_policy
from tests.https_server import https_server, text_answer, write_authority

DOMAIN = Domain("example.org")
LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"),)
AUTHORITY = trustme.CA(key_type=trustme.KeyType.ECDSA)
CERTIFICATE = AUTHORITY.issue_cert("mta-sts.example.org", key_type=trustme.KeyType.ECDSA)
SOUND = b"version: STSv1\r\nmode: testing\r\nmx: *.example.org\r\nmax_age: 86400\r\n"


async def loopback(name: str) -> Sequence[IpAddress]:
    assert name == "mta-sts.example.org"
    return (ipaddress.ip_address("127.0.0.1"),)


async def fetched(tmp_path: Path, octets: bytes) -> StsPolicy | FetchFailed:
    authorities = write_authority(tmp_path, AUTHORITY)
    async with https_server(CERTIFICATE) as server:
        server.answer = lambda head, body: octets
        client = HttpsClient(loopback, HttpsPlan(server.port, LOOPBACK, authorities))
        policy = await fetch_policy(DOMAIN, client)
        assert server.heads[0].startswith(b"GET /.well-known/mta-sts.txt HTTP/1.1\r\n")
        return policy


async def test_a_policy(tmp_path: Path) -> None:
    policy = await fetched(tmp_path, text_answer(SOUND, media_type="text/plain; charset=utf-8"))
    assert policy == StsPolicy(StsMode.TESTING, ("*.example.org",), 86_400)


@pytest.mark.parametrize(
    ("octets", "fault"),
    [
        (text_answer(SOUND, status="404 Not Found"), TlsFault.STS_POLICY_FETCH_ERROR),
        (text_answer(SOUND, status="206 Partial"), TlsFault.STS_POLICY_FETCH_ERROR),
        (
            text_answer(b"", status="301 Moved", more="Location: https://example.org/\r\n"),
            TlsFault.STS_POLICY_FETCH_ERROR,
        ),
        (text_answer(SOUND, media_type="text/html"), TlsFault.STS_POLICY_INVALID),
        (text_answer(SOUND, media_type=""), TlsFault.STS_POLICY_INVALID),
        (text_answer(b"<html>"), TlsFault.STS_POLICY_INVALID),
        (text_answer(SOUND + b"\n" * 65_536), TlsFault.STS_POLICY_INVALID),
        (b"", TlsFault.STS_POLICY_FETCH_ERROR),
    ],
)
async def test_failures(tmp_path: Path, octets: bytes, fault: TlsFault) -> None:
    failed = await fetched(tmp_path, octets)
    assert isinstance(failed, FetchFailed)
    assert failed.fault is fault
    assert failed.detail and failed.detail.isprintable()


async def test_a_certificate_that_is_not_to_be_trusted(tmp_path: Path) -> None:
    authorities = write_authority(tmp_path, trustme.CA())
    async with https_server(CERTIFICATE) as server:
        client = HttpsClient(loopback, HttpsPlan(server.port, LOOPBACK, authorities))
        failed = await fetch_policy(DOMAIN, client)
    assert isinstance(failed, FetchFailed)
    assert failed.fault is TlsFault.STS_WEBPKI_INVALID
