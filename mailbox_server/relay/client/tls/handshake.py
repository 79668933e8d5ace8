"""From a TlsDemand to a protected connection, or to what failed.

Contexts are made once and shared: TLS 1.2 and later, no client certificate, no ALPN.  For
VERIFIED OpenSSL checks the path during the handshake, and the names are checked after it; for
DANE everything is checked after it (RFC 7672 §3.1); else any certificate will do.
"""

import asyncio
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mailbox_server.model.address import parse_ip
from mailbox_server.model.ports import Clock
from mailbox_server.model.tls_demand import TlsDemand, TlsFault, TlsLevel, TlsResult
from mailbox_server.net.tls import describe_tls
from mailbox_server.relay.client.tls.certificate_names import is_for_any
from mailbox_server.relay.client.tls.chain import shown_chain
from mailbox_server.relay.client.tls.dane import check_dane
from mailbox_server.relay.client.wire import Wire

_SHUTDOWN_SECONDS: Final = 10.0
# OpenSSL's X509_V_ERR_CERT_HAS_EXPIRED.
_HAS_EXPIRED: Final = 10


@dataclass(frozen=True, slots=True)
class ClientTls:
    """The two contexts that all outgoing connections share."""

    unverified: ssl.SSLContext
    verified: ssl.SSLContext


def open_client_tls(roots: Path | None = None) -> ClientTls:
    """Make the contexts; roots: a PEM file instead of the machine's own.

    Raises OSError or ssl.SSLError where the file cannot be used.
    """
    unverified = _context()
    verified = _context()
    verified.verify_mode = ssl.CERT_REQUIRED
    if roots is None:
        verified.load_default_certs(ssl.Purpose.SERVER_AUTH)
    else:
        verified.load_verify_locations(cafile=str(roots))
    return ClientTls(unverified, verified)


async def secure(
    wire: Wire, demand: TlsDemand, tls: ClientTls, clock: Clock, seconds: float
) -> TlsResult:
    """Do the handshake on a wire, and check what demand asks for; never raises but when cancelled.

    Nothing that the wire has received and not given out may be left.  With a fault the wire
    is of no use any more.
    """
    context = tls.verified if demand.level is TlsLevel.VERIFIED else tls.unverified
    wire.begin_switch()
    try:
        transport = await asyncio.get_running_loop().start_tls(
            wire.transport,
            wire,
            context,
            server_hostname=_server_name(demand.server_name),
            ssl_handshake_timeout=seconds,
            ssl_shutdown_timeout=_SHUTDOWN_SECONDS,
        )
    except (OSError, EOFError, ValueError) as error:
        # ValueError: the server name is none that TLS can carry.
        wire.abort()
        return TlsResult(None, *_failure(error))
    if transport is None:
        wire.abort()
        return TlsResult(None, TlsFault.VALIDATION_FAILURE, "connection closed in the handshake")
    wire.take(transport)
    session = transport.get_extra_info("ssl_object")
    state = describe_tls(session)
    fault, detail = _check(demand, session, clock)
    return TlsResult(state, fault, detail)


def _check(demand: TlsDemand, session: ssl.SSLObject, clock: Clock) -> tuple[TlsFault | None, str]:
    match demand.level:
        case TlsLevel.VERIFIED:
            chain = shown_chain(session)
            if chain and is_for_any(chain[0], demand.names, by_common_name=False):
                return None, ""
            return TlsFault.CERTIFICATE_HOST_MISMATCH, "the certificate is for other names"
        case TlsLevel.DANE:
            return check_dane(shown_chain(session), demand.associations, demand.names, clock.now())
        case _:
            return None, ""


def _failure(error: Exception) -> tuple[TlsFault, str]:
    match error:
        case ssl.SSLCertVerificationError():
            expired = error.verify_code == _HAS_EXPIRED
            return (
                TlsFault.CERTIFICATE_EXPIRED if expired else TlsFault.CERTIFICATE_NOT_TRUSTED,
                error.verify_message,
            )
        case ssl.SSLError():
            reason = (error.reason or "").lower().replace("_", " ")
            return TlsFault.VALIDATION_FAILURE, reason or "the handshake failed"
        case ConnectionAbortedError() | TimeoutError():
            return TlsFault.VALIDATION_FAILURE, "the handshake took too long"
        case _:
            return TlsFault.VALIDATION_FAILURE, "the connection ended in the handshake"


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    return context


def _server_name(name: str) -> str | None:
    """SNI carries names only (RFC 6066 §3)."""
    return None if not name or parse_ip(name) is not None else name
