"""HTTPS to hosts that strangers name: bounded in size and time, and never into our own network.

The name is resolved once, by our own resolver, and the connection goes to an address that was
looked at (no rebinding).  Only https with a certificate by the machine's authorities, no
redirects, no cookies, no proxies, no decompression, no addresses in place of names
(RFC 8461 §3.3; server-side request forgery).
"""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from ipaddress import IPv6Address
from typing import Final
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from mailbox_server.model.address import Domain, IpAddress
from mailbox_server.model.errors import DomainMalformed
from mailbox_server.net.public_address import IpNetwork, is_public

AddressesOf = Callable[[str], Awaitable[Sequence[IpAddress]]]
"""A host's addresses by the DNS; none when there are none or they cannot be had."""

HTTPS_PORT: Final = 443
_URL_CHARACTERS: Final = 2048
_PIECE_OCTETS: Final = 16_384
_DETAIL_CHARACTERS: Final = 200


@dataclass(frozen=True, slots=True)
class HttpsPlan:
    """What an operator, or a test, may set.

    port: the only one that is connected to.  opened: networks that are not public and may be
    connected to all the same.  authorities: PEM file in place of the machine's own.
    """

    port: int = HTTPS_PORT
    opened: Sequence[IpNetwork] = ()
    authorities: str | None = None


class HttpsFailure(Enum):
    """Why there is no answer."""

    URL = "not a URL that we connect to"
    ADDRESS = "no public address"
    CONNECTION = "no connection"
    CERTIFICATE = "no certificate to be trusted"
    TIME = "no answer in time"
    SIZE = "the answer is too large"
    ANSWER = "the answer makes no sense"


@dataclass(frozen=True, slots=True)
class HttpsTrouble:
    """There was no answer; detail is for logs and reports, one line."""

    failure: HttpsFailure
    detail: str


@dataclass(frozen=True, slots=True)
class HttpsAnswer:
    """An answer, whatever its status.

    media_type: lower case, without parameters; "" where none was given.
    """

    status: int
    media_type: str
    octets: bytes


class HttpsClient:
    """Makes one connection a question; trouble is a value, only cancellation is raised."""

    def __init__(self, addresses_of: AddressesOf, plan: HttpsPlan) -> None:
        self._addresses_of = addresses_of
        self._plan = plan
        self._trust: ssl.SSLContext | None = None

    def change_plan(self, plan: HttpsPlan) -> None:
        """Ask by this plan from the next question on."""
        if plan.authorities != self._plan.authorities:
            self._trust = None
        self._plan = plan

    async def get(self, url: str, most_octets: int, seconds: float) -> HttpsAnswer | HttpsTrouble:
        """GET url; a body of more than most_octets is trouble."""
        return await self._ask("GET", url, None, "", most_octets, seconds)

    async def post(
        self, url: str, body: bytes, media_type: str, most_octets: int, seconds: float
    ) -> HttpsAnswer | HttpsTrouble:
        """POST body to url; most_octets bounds the answer."""
        return await self._ask("POST", url, body, media_type, most_octets, seconds)

    async def _ask(
        self,
        method: str,
        text: str,
        body: bytes | None,
        media_type: str,
        most_octets: int,
        seconds: float,
    ) -> HttpsAnswer | HttpsTrouble:
        url = url_to_ask(text, self._plan.port)
        if url is None:
            return HttpsTrouble(HttpsFailure.URL, _one_line(text))
        resolver = _CheckedResolver(self._addresses_of, self._plan)
        headers = {"Accept-Encoding": "identity", "User-Agent": "mailbox-server"}
        if media_type:
            headers["Content-Type"] = media_type
        try:
            async with (
                asyncio.timeout(seconds),
                aiohttp.ClientSession(
                    connector=aiohttp.TCPConnector(
                        resolver=resolver, ssl=await self._context(), use_dns_cache=False, limit=1
                    ),
                    cookie_jar=aiohttp.DummyCookieJar(),
                    timeout=aiohttp.ClientTimeout(total=None),
                    auto_decompress=False,
                    trust_env=False,
                ) as session,
                session.request(
                    method, url, data=body, headers=headers, allow_redirects=False
                ) as response,
            ):
                return await _read(response, most_octets)
        except TimeoutError:
            return HttpsTrouble(HttpsFailure.TIME, f"nothing within {seconds:g} s")
        except aiohttp.ClientSSLError as error:
            return HttpsTrouble(HttpsFailure.CERTIFICATE, _one_line(str(error)))
        except (aiohttp.ClientError, OSError, ValueError) as error:
            if resolver.refused:
                return HttpsTrouble(HttpsFailure.ADDRESS, _one_line(resolver.refused))
            failure = (
                HttpsFailure.ANSWER
                if isinstance(error, aiohttp.ClientResponseError | ValueError)
                else HttpsFailure.CONNECTION
            )
            return HttpsTrouble(failure, _one_line(str(error) or type(error).__name__))

    async def _context(self) -> ssl.SSLContext:
        if self._trust is None:
            # Reading all authorities takes the better part of 0.1 s.
            self._trust = await asyncio.to_thread(_trust, self._plan.authorities)
        return self._trust


class _CheckedResolver(AbstractResolver):
    """Gives aiohttp only addresses that may be connected to.

    refused: what stood in the way, once it has been asked.
    """

    def __init__(self, addresses_of: AddressesOf, plan: HttpsPlan) -> None:
        self._addresses_of = addresses_of
        self._plan = plan
        self.refused = ""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        ips = await self._addresses_of(host)
        public = [ip for ip in ips if is_public(ip, self._plan.opened)]
        if not public:
            self.refused = f"{host} has only private addresses" if ips else f"{host} has no address"
            raise OSError(self.refused)
        return [
            ResolveResult(
                hostname=host,
                host=str(ip),
                port=port,
                family=socket.AF_INET6 if isinstance(ip, IPv6Address) else socket.AF_INET,
                proto=socket.IPPROTO_TCP,
                flags=socket.AI_NUMERICHOST,
            )
            for ip in public
        ]

    async def close(self) -> None:
        """Nothing is held."""


def url_to_ask(text: str, port: int) -> str | None:
    """The URL to ask, with the port of the plan; None for one that we do not connect to.

    Put together anew from a host that is a name for certain, so that nobody can read
    another host into it.
    """
    if len(text) > _URL_CHARACTERS or not text.isascii() or not text.isprintable() or " " in text:
        return None
    try:
        parts = urlsplit(text)
        has_other_port = parts.port not in (None, HTTPS_PORT)
        host = Domain.parse(parts.hostname or "").ascii
    except (ValueError, DomainMalformed):
        return None
    is_plain = parts.username is None and parts.password is None and "\\" not in text
    if parts.scheme != "https" or has_other_port or not is_plain:
        return None
    place = f"{host}:{port}" if port != HTTPS_PORT else host
    query = f"?{parts.query}" if parts.query else ""
    return f"https://{place}{parts.path or '/'}{query}"


async def _read(response: aiohttp.ClientResponse, most: int) -> HttpsAnswer | HttpsTrouble:
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        return HttpsTrouble(HttpsFailure.ANSWER, "the body is encoded although we refuse that")
    if response.content_length is None and "Transfer-Encoding" not in response.headers:
        # Whoever can cut the connection could cut the body, and nobody would know.
        return HttpsTrouble(HttpsFailure.ANSWER, "where the body ends is not told")
    pieces: list[bytes] = []
    size = 0
    while piece := await response.content.read(_PIECE_OCTETS):
        size += len(piece)
        if size > most:
            return HttpsTrouble(HttpsFailure.SIZE, f"more than {most} octets")
        pieces.append(piece)
    stated = response.headers.get("Content-Type", "")
    media_type = stated.partition(";")[0].strip(" \t").lower()
    return HttpsAnswer(response.status, media_type, b"".join(pieces))


def _trust(authorities: str | None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=authorities)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # DNS-IDs only (RFC 8461 §3.3).
    context.hostname_checks_common_name = False
    return context


def _one_line(text: str) -> str:
    printable = "".join(c if c.isprintable() else " " for c in text[: 4 * _DETAIL_CHARACTERS])
    return " ".join(printable.split())[:_DETAIL_CHARACTERS]
