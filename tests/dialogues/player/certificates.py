"""Both ends of TLS for scripts in which clients show a certificate."""

import ssl
from collections.abc import Sequence

import trustme
from cryptography import x509

from mailbox_server.net.client_certificates import Vouching
from mailbox_server.net.tls_ends import ServingContext, end_point_of


def serving_context(authority: trustme.CA) -> ServingContext:
    """A server's context for localhost."""
    issued = authority.issue_cert("localhost")
    context = ServingContext(ssl.PROTOCOL_TLS_SERVER)
    issued.configure_cert(context)
    leaf = x509.load_pem_x509_certificate(issued.cert_chain_pems[0].bytes())
    context.end_point = end_point_of(leaf)
    return context


def trusting_context(authority: trustme.CA) -> ssl.SSLContext:
    """A client's context that trusts nobody else; the system's authorities take long to read."""
    return ssl.create_default_context(cadata=authority.cert_pem.bytes().decode())


def asking_contexts(
    authority: trustme.CA, addresses: Sequence[str]
) -> tuple[ServingContext, ssl.SSLContext]:
    """A server that asks for certificates, and a client that has one for addresses."""
    asking = serving_context(authority)
    asking.verify_mode = ssl.CERT_OPTIONAL
    asking.vouching = Vouching.AUTHORITY
    authority.configure_trust(asking)
    client = trusting_context(authority)
    authority.issue_cert(*addresses).configure_cert(client)
    return asking, client
