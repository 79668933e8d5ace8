"""The server TLS context of the process: its policy, its certificates, and live reload.

The context given to the listeners never changes.  It holds no certificate itself: for
each handshake the SNI callback puts in the inner context of the fitting certificate.
Loading new files into a live context would not do: OpenSSL keeps one certificate per key
type, so after a change from RSA to ECDSA the old one would still be served, and a bad
key behind a good certificate would leave a broken pair.

Where clients are asked for certificates there is a second such context, for the services
that people log in to: other mail servers have certificates that we know nothing of.

Policy: TLS 1.2 and 1.3, Mozilla's intermediate ciphers, no compression, no renegotiation.
"""

import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import PublicFormat

from mailbox_server.model.envelope import TlsState
from mailbox_server.net.client_certificates import ClientTrust, Vouching, is_acceptable
from mailbox_server.net.tls_ends import ServingContext, end_point_of

_CIPHERS: Final = ":".join(
    (
        "ECDHE-ECDSA-AES128-GCM-SHA256",
        "ECDHE-RSA-AES128-GCM-SHA256",
        "ECDHE-ECDSA-AES256-GCM-SHA384",
        "ECDHE-RSA-AES256-GCM-SHA384",
        "ECDHE-ECDSA-CHACHA20-POLY1305",
        "ECDHE-RSA-CHACHA20-POLY1305",
        "DHE-RSA-AES128-GCM-SHA256",
        "DHE-RSA-AES256-GCM-SHA384",
    )
)


@dataclass(frozen=True, slots=True)
class CertificateFiles:
    """A certificate chain, leaf first, and its private key, both PEM; may be one file."""

    chain: Path
    key: Path


@dataclass(frozen=True, slots=True)
class CertificateUnusable:
    """Why a certificate cannot be served, for the operator."""

    file: Path
    reason: str

    def __str__(self) -> str:
        return f"{self.file}: {self.reason}"


@dataclass(frozen=True, slots=True)
class ServedCertificate:
    """One certificate in service.

    names: DNS names of the leaf, lower case, wildcards as `*.example.com`.
    not_before, not_after: UTC.  An expired one is still served, since no TLS is worse.
    inner: serves it to whoever connects.  asking: likewise, and asks for the client's; None
        where no certificates are taken.
    """

    files: CertificateFiles
    names: tuple[str, ...]
    not_before: datetime
    not_after: datetime
    inner: ServingContext
    asking: ServingContext | None = None


class ServerTls:
    """The live certificates, and the contexts that serve them.

    The first certificate answers peers that name no host or one we do not know.
    login_context: for services that are logged in to; it asks for the client's certificate
        where there is a trust, and is the other one else.
    """

    def __init__(
        self, certificates: Sequence[ServedCertificate], trust: ClientTrust | None = None
    ) -> None:
        self.certificates = tuple(certificates)
        self.context = _policy_context()
        self.context.sni_callback = self._choose
        self._trust = trust
        self.login_context = self.context
        if trust is not None:
            # Whether to ask is taken from here, whom to trust from the context chosen later.
            self.login_context = _policy_context()
            trust.ask_in(self.login_context)
            self.login_context.sni_callback = self._choose_asking

    @classmethod
    def open(
        cls, files: Sequence[CertificateFiles], trust: ClientTrust | None = None
    ) -> "ServerTls | CertificateUnusable":
        """Load one or more certificates; the first that cannot be used is the answer."""
        loaded: list[ServedCertificate] = []
        for pair in files:
            certificate = load_certificate(pair, trust)
            if isinstance(certificate, CertificateUnusable):
                return certificate
            loaded.append(certificate)
        return cls(loaded, trust)

    def take_from_clients(self, certificate: bytes) -> None:
        """From the next handshake on, take a registered certificate (DER) where one is asked."""
        if self._trust is not None:
            asking = (one.asking for one in self.certificates)
            self._trust.add(certificate, [context for context in asking if context is not None])

    def reload(
        self, files: Sequence[CertificateFiles] | None = None
    ) -> tuple[CertificateUnusable, ...]:
        """Read the certificates again, or a new list of them, and serve them from now on.

        Where a file cannot be used, the certificate in service from the same files stays;
        one that was never good is left out, and if nothing good were left, all stays as
        it is.  Connections that stand are not touched.
        """
        wanted = [one.files for one in self.certificates] if files is None else list(files)
        standing = {one.files: one for one in self.certificates}
        troubles: list[CertificateUnusable] = []
        fresh: list[ServedCertificate] = []
        for pair in wanted:
            certificate = load_certificate(pair, self._trust)
            if not isinstance(certificate, CertificateUnusable):
                fresh.append(certificate)
                continue
            troubles.append(certificate)
            if pair in standing:
                fresh.append(standing[pair])
        if fresh:
            self.certificates = tuple(fresh)
        return tuple(troubles)

    def certificate_for(self, server_name: str | None) -> ServedCertificate:
        """The certificate for a host name as TLS carries it (A-labels), or the first."""
        if server_name is not None:
            exact = server_name.lower().rstrip(".")
            wildcard = "*." + exact.partition(".")[2]
            for name in (exact, wildcard):
                for certificate in self.certificates:
                    if name in certificate.names:
                        return certificate
        return self.certificates[0]

    def _choose(
        self, handshake: ssl.SSLSocket | ssl.SSLObject, server_name: str | None, _: ssl.SSLContext
    ) -> None:
        handshake.context = self.certificate_for(server_name).inner

    def _choose_asking(
        self, handshake: ssl.SSLSocket | ssl.SSLObject, server_name: str | None, _: ssl.SSLContext
    ) -> None:
        chosen = self.certificate_for(server_name)
        handshake.context = chosen.asking or chosen.inner


def load_certificate(
    files: CertificateFiles, trust: ClientTrust | None = None
) -> ServedCertificate | CertificateUnusable:
    """Read and check one chain and key; says in words what is wrong with which file."""
    try:
        chain = x509.load_pem_x509_certificates(files.chain.read_bytes())
    except OSError as error:
        return CertificateUnusable(files.chain, error.strerror or "cannot be read")
    except ValueError:
        return CertificateUnusable(files.chain, "holds no certificate in PEM form")
    try:
        key = serialization.load_pem_private_key(files.key.read_bytes(), None)
    except OSError as error:
        return CertificateUnusable(files.key, error.strerror or "cannot be read")
    except TypeError:
        return CertificateUnusable(files.key, "the key is protected by a passphrase")
    except Exception:  # OpenSSL's refusals are of many classes; all mean the same here
        return CertificateUnusable(files.key, "holds no private key in PEM form")
    leaf = chain[0]
    if _public_octets(key.public_key()) != _public_octets(leaf.public_key()):
        return CertificateUnusable(files.key, f"is not the key of {files.chain}")
    inner, asking = _policy_context(), None if trust is None else _policy_context()
    try:
        for context in (inner, asking):
            if context is not None:
                context.end_point = end_point_of(leaf)
                context.load_cert_chain(files.chain, files.key, password=_no_passphrase)
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or error.args[-1]
        return CertificateUnusable(files.chain, f"OpenSSL refuses it: {reason}")
    if trust is not None and asking is not None:
        trust.ask_in(asking)
        asking.vouching = trust.vouching
    return ServedCertificate(
        files, _dns_names(leaf), leaf.not_valid_before_utc, leaf.not_valid_after_utc, inner, asking
    )


def load_authorities(file: Path) -> ClientTrust | CertificateUnusable:
    """Trust in the clients' certificates that the authorities of a PEM file have issued."""
    try:
        found = x509.load_pem_x509_certificates(file.read_bytes())
    except OSError as error:
        return CertificateUnusable(file, error.strerror or "cannot be read")
    except ValueError:
        return CertificateUnusable(file, "holds no certificate in PEM form")
    octets = [one.public_bytes(serialization.Encoding.DER) for one in found]
    if not all(is_acceptable(one) for one in octets):
        return CertificateUnusable(file, "OpenSSL refuses it")
    return ClientTrust(Vouching.AUTHORITY, octets)


def describe_tls(session: ssl.SSLObject | ssl.SSLSocket | None) -> TlsState | None:
    """Version, cipher and bits of a session whose handshake is done; None without one."""
    cipher = None if session is None else session.cipher()
    if cipher is None:
        return None
    name, version, bits = cipher
    # A cipher's own version is the oldest that knows it; the session's is what was agreed.
    agreed = None if session is None else session.version()
    return TlsState(agreed or version, name, bits)


def _policy_context() -> ServingContext:
    context = ServingContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    # Each costs the loop 25 µs; who comes again over as many connections has one for each.
    context.num_tickets = 1
    # Clients know best which cipher their hardware likes; all of ours are good.
    context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
    context.set_ciphers(_CIPHERS)
    return context


def _no_passphrase() -> bytes:
    """Without it OpenSSL would ask on the terminal and wait."""
    return b""


def _public_octets(key: object) -> bytes:
    encode = getattr(key, "public_bytes", None)
    if encode is None:
        return b""
    octets: bytes = encode(serialization.Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return octets


def _dns_names(leaf: x509.Certificate) -> tuple[str, ...]:
    try:
        extension = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except (x509.ExtensionNotFound, ValueError):
        return ()
    return tuple(name.lower() for name in extension.value.get_values_for_type(x509.DNSName))
