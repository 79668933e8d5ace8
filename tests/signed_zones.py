"""Zones signed with DNSSEC, served on loopback, and an unbound over them that checks it all.

signed.example   signed, with its key as a trust anchor
bogus.example    the same, with signatures that do not fit
plain.example    not signed
"""

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import dns.dnssec
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.node
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdataset
import dns.rdatatype
import dns.rrset
import dns.zone
from cryptography.hazmat.primitives.asymmetric import ec

from mailbox_server.dns.resolver import NameServer
from tests.e2e.appliance import free_ports

UNBOUND: Final = shutil.which("unbound", path="/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin")
SIGNED, BOGUS, PLAIN = "signed.example", "bogus.example", "plain.example"
_STARTED: Final = b"start of service"

Records = Mapping[tuple[str, str], Sequence[str]]


class SignedZones:
    """Answers with authority for all three zones, with proofs where there are any.

    failing: names that get SERVFAIL.
    """

    def __init__(self, records: Records) -> None:
        self.failing: set[str] = set()
        self.asked: list[tuple[str, str]] = []
        self.anchors: list[str] = []
        self._zones: list[dns.zone.Zone] = []
        for origin in (SIGNED, BOGUS, PLAIN):
            self._zones.append(self._zone(origin, records))

    def _zone(self, origin: str, records: Records) -> dns.zone.Zone:
        lines = [
            f"$ORIGIN {origin}.",
            "@ 300 IN SOA ns host 1 3600 600 86400 300",
            "@ 300 IN NS ns",
            "ns 300 IN A 127.0.0.1",
        ]
        for (name, kind), texts in records.items():
            if name == origin or name.endswith(f".{origin}"):
                lines += [f"{name}. 300 IN {kind} {text}" for text in texts]
        zone = dns.zone.from_text("\n".join(lines), origin, relativize=False)
        if origin == PLAIN:
            return zone
        key = ec.generate_private_key(ec.SECP256R1())
        public = dns.dnssec.make_dnskey(key.public_key(), "ECDSAP256SHA256", flags=257)
        dns.dnssec.sign_zone(zone, keys=[(key, public)], lifetime=86_400)
        if origin == BOGUS:
            other = ec.generate_private_key(ec.SECP256R1())
            public = dns.dnssec.make_dnskey(other.public_key(), "ECDSAP256SHA256", flags=257)
        self.anchors.append(f"{origin}. 300 IN DNSKEY {public.to_text()}")
        return zone

    def respond(self, wire: bytes) -> bytes | None:
        """The answer to one query."""
        try:
            query = dns.message.from_wire(wire)
        except dns.exception.DNSException:
            return None
        question = query.question[0]
        kind = question.rdtype
        self.asked.append((question.name.to_text(True).lower(), dns.rdatatype.to_text(kind)))
        response = dns.message.make_response(query)
        response.flags |= dns.flags.AA
        zone = next((z for z in self._zones if question.name.is_subdomain(z.origin)), None)
        if zone is None:
            response.set_rcode(dns.rcode.REFUSED)
        elif question.name.to_text(True).lower() in self.failing:
            response.set_rcode(dns.rcode.SERVFAIL)
        else:
            self._fill(response, zone, question.name, kind)
        return response.to_wire(max_size=65_535)

    def _fill(
        self,
        response: dns.message.Message,
        zone: dns.zone.Zone,
        name: dns.name.Name,
        kind: dns.rdatatype.RdataType,
    ) -> None:
        node = zone.get_node(name)
        for wanted in (kind, dns.rdatatype.CNAME):
            found = None if node is None else node.get_rdataset(dns.rdataclass.IN, wanted)
            if found is not None:
                self._add(response.answer, zone, name, wanted)
                return
        if node is None and not any(n.is_subdomain(name) for n in zone.nodes):
            response.set_rcode(dns.rcode.NXDOMAIN)
        assert zone.origin is not None
        self._add(response.authority, zone, zone.origin, dns.rdatatype.SOA)
        for proof in {
            self._before(zone, name),
            self._before(zone, dns.name.Name([b"*", *zone.origin])),
        }:
            self._add(response.authority, zone, proof, dns.rdatatype.NSEC)

    @staticmethod
    def _before(zone: dns.zone.Zone, name: dns.name.Name) -> dns.name.Name:
        """Whose NSEC record covers name: itself, or the last one before it."""
        names = sorted(n for n in zone.nodes if isinstance(n, dns.name.Name))
        return [n for n in names if n <= name][-1]

    @staticmethod
    def _add(
        section: list[dns.rrset.RRset],
        zone: dns.zone.Zone,
        name: dns.name.Name,
        kind: dns.rdatatype.RdataType,
    ) -> None:
        rrset = zone.get_rrset(name, kind)
        if rrset is None:
            return
        section.append(rrset)
        signature = zone.get_rrset(name, dns.rdatatype.RRSIG, covers=kind)
        if signature is not None:
            section.append(signature)


class _Udp(asyncio.DatagramProtocol):
    def __init__(self, zones: SignedZones) -> None:
        self._zones = zones

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: object) -> None:
        response = self._zones.respond(data)
        if response is not None:
            self._transport.sendto(response, addr)  # type: ignore[attr-defined]


@contextlib.asynccontextmanager
async def validating_resolver(
    records: Records, place: Path
) -> AsyncIterator[tuple[SignedZones, NameServer]]:
    """Serve the zones, and run an unbound over them until the block ends."""
    zones = SignedZones(records)
    loop = asyncio.get_running_loop()
    udp, _ = await loop.create_datagram_endpoint(lambda: _Udp(zones), local_addr=("127.0.0.1", 0))
    port = udp.get_extra_info("sockname")[1]
    process = None
    try:
        process, listening = await _started_unbound(zones, port, place)
        yield zones, NameServer("127.0.0.1", listening)
    finally:
        udp.close()
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


async def _started_unbound(
    zones: SignedZones, port: int, place: Path
) -> tuple[asyncio.subprocess.Process, int]:
    """An unbound that answers, and its port; another port where somebody was quicker."""
    assert UNBOUND is not None
    config = place / "unbound.conf"
    said = b""
    for listening in free_ports(5):
        config.write_text(_config(zones, port, listening, place))
        process = await asyncio.create_subprocess_exec(
            UNBOUND, "-d", "-d", "-c", str(config), stderr=asyncio.subprocess.PIPE
        )
        assert process.stderr is not None
        async with asyncio.timeout(60):
            while line := await process.stderr.readline():
                said += line
                if _STARTED in line:
                    return process, listening
        await process.wait()
    raise AssertionError(f"unbound does not start: {said.decode()}")


def _config(zones: SignedZones, port: int, listening: int, place: Path) -> str:
    stubs = "".join(
        f'stub-zone:\n  name: "{origin}."\n  stub-addr: 127.0.0.1@{port}\n'
        for origin in (SIGNED, BOGUS, PLAIN)
    )
    anchors = "".join(f'  trust-anchor: "{anchor}"\n' for anchor in zones.anchors)
    return (
        "server:\n"
        f'  directory: "{place}"\n  chroot: ""\n  username: ""\n  pidfile: ""\n'
        "  use-syslog: no\n  do-daemonize: no\n  verbosity: 1\n  num-threads: 1\n"
        f"  interface: 127.0.0.1\n  port: {listening}\n  do-ip6: no\n"
        "  access-control: 127.0.0.0/8 allow\n  do-not-query-localhost: no\n"
        '  module-config: "validator iterator"\n  local-zone: "example." nodefault\n'
        "  qname-minimisation: no\n"
        f"{anchors}"
        "remote-control:\n  control-enable: no\n"
        f"{stubs}"
    )
