"""A small authoritative DNS server on loopback, UDP and TCP, for tests."""

import asyncio
import contextlib
import ipaddress
from collections.abc import AsyncIterator, Mapping

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

Zone = Mapping[tuple[str, str], list[str]]


class DnsServer:
    """Answers from a dict of (name, type) to record texts; follows CNAME.

    A name none of whose types is known is NXDOMAIN.  Behaviours are switched by the test:
    rcode (answer all with it), rcode_of (a type's own), is_silent, is_authenticated
    (set AD), is_garbling, ttl, and truncates (UDP answers say "ask by TCP").
    """

    def __init__(self, zone: Zone, ttl: int = 300) -> None:
        self.zone = {(name.lower(), kind): texts for (name, kind), texts in zone.items()}
        self.ttl = ttl
        self.rcode: int | None = None
        self.rcode_of: Mapping[str, int] = {}
        self.is_silent = False
        self.is_authenticated = False
        self.is_garbling = False
        self.truncates = False
        self.has_soa = True
        self.asked: list[tuple[str, str]] = []
        self.asked_by_tcp = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.port = 0

    async def respond(self, wire: bytes, *, by_tcp: bool) -> bytes | None:
        """The answer to one query, or None for silence."""
        try:
            query = dns.message.from_wire(wire)
        except dns.exception.DNSException:
            return None
        question = query.question[0]
        name = question.name.to_text(omit_final_dot=True).lower()
        kind = dns.rdatatype.to_text(question.rdtype)
        self.asked.append((name, kind))
        self.asked_by_tcp += by_tcp
        await self.gate.wait()
        if self.is_silent:
            return None
        if self.is_garbling:
            return wire[:2] + b"\xff" * 9
        response = dns.message.make_response(query, recursion_available=True)
        if self.is_authenticated:
            response.flags |= dns.flags.AD
        if self.truncates and not by_tcp:
            response.flags |= dns.flags.TC
        elif (rcode := self.rcode_of.get(kind, self.rcode)) is not None:
            response.set_rcode(dns.rcode.Rcode(rcode))
        else:
            self._fill(response, name, question.rdtype)
        return response.to_wire(max_size=65535)

    def _fill(
        self, response: dns.message.Message, name: str, kind: dns.rdatatype.RdataType
    ) -> None:
        for _ in range(8):
            alias = self.zone.get((name, "CNAME"))
            if alias is None or kind == dns.rdatatype.CNAME:
                break
            response.answer.append(self._rrset(name, "CNAME", alias))
            name = alias[0].rstrip(".").lower()
        texts = self.zone.get((name, dns.rdatatype.to_text(kind)))
        if texts:
            response.answer.append(self._rrset(name, dns.rdatatype.to_text(kind), texts))
            return
        if not any(known == name for known, _ in self.zone):
            response.set_rcode(dns.rcode.NXDOMAIN)
        if self.has_soa:
            soa = f"ns.invalid. host.invalid. 1 3600 600 86400 {self.ttl}"
            response.authority.append(self._rrset(name.rpartition(".")[2], "SOA", [soa]))

    def _rrset(self, name: str, kind: str, texts: list[str]) -> dns.rrset.RRset:
        return dns.rrset.from_text_list(
            dns.name.from_text(name), self.ttl, dns.rdataclass.IN, kind, texts
        )


class _Udp(asyncio.DatagramProtocol):
    def __init__(self, server: DnsServer, tasks: set[asyncio.Task[None]]) -> None:
        self._server = server
        self._tasks = tasks

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: object) -> None:
        task = asyncio.get_running_loop().create_task(self._answer(data, addr))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, data: bytes, addr: object) -> None:
        response = await self._server.respond(data, by_tcp=False)
        if response is not None:
            self._transport.sendto(response, addr)  # type: ignore[attr-defined]


@contextlib.asynccontextmanager
async def dns_server(zone: Zone, ttl: int = 300) -> AsyncIterator[DnsServer]:
    """Serve zone on one loopback port, by UDP and TCP, until the block ends."""
    server = DnsServer(zone, ttl)
    tasks: set[asyncio.Task[None]] = set()

    async def by_tcp(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                length = int.from_bytes(await reader.readexactly(2), "big")
                response = await server.respond(await reader.readexactly(length), by_tcp=True)
                if response is not None:
                    writer.write(len(response).to_bytes(2, "big") + response)
        writer.close()

    loop = asyncio.get_running_loop()
    tcp = await asyncio.start_server(by_tcp, "127.0.0.1", 0)
    server.port = tcp.sockets[0].getsockname()[1]
    udp, _ = await loop.create_datagram_endpoint(
        lambda: _Udp(server, tasks), local_addr=("127.0.0.1", server.port)
    )
    try:
        yield server
    finally:
        server.gate.set()
        udp.close()
        tcp.close()
        for task in list(tasks):
            task.cancel()


def reverse_name(ip: str) -> str:
    """The name under which PTR records of ip stand."""
    return ipaddress.ip_address(ip).reverse_pointer
