"""Open the server's certificates, and whose it takes from clients, as the settings say."""

import ssl
from pathlib import Path

from mailbox_server.app.settings import Settings
from mailbox_server.model.errors import SettingsMalformed
from mailbox_server.model.ports import Events
from mailbox_server.net.client_certificates import ClientTrust, Vouching, fingerprint_of
from mailbox_server.net.tls import (
    CertificateFiles,
    CertificateUnusable,
    ServerTls,
    load_authorities,
)
from mailbox_server.store.ports import Store


def certificate_files(settings: Settings) -> list[CertificateFiles]:
    """The certificates to serve; none without TLS."""
    if not settings.tls.certificate:
        return []
    return [CertificateFiles(Path(settings.tls.certificate), Path(settings.tls.key))]


def open_tls(settings: Settings) -> ServerTls | None:
    """The certificates in service, None without any.  Raises SettingsMalformed."""
    files = certificate_files(settings)
    if not files:
        return None
    trust = _client_trust(settings)
    opened = trust if isinstance(trust, CertificateUnusable) else ServerTls.open(files, trust)
    if isinstance(opened, CertificateUnusable):
        raise SettingsMalformed(f"tls: {opened}")
    return opened


def _client_trust(settings: Settings) -> ClientTrust | CertificateUnusable | None:
    match settings.tls.client_certificates:
        case "none":
            return None
        case "registered":
            return ClientTrust(Vouching.REGISTRATION, [])
        case "issued":
            return load_authorities(Path(settings.tls.client_authority))


async def take_registered(tls: ServerTls, store: Store, events: Events) -> None:
    """Have the handshakes take all certificates that are registered."""
    for certificate in await store.read(lambda tx: tx.tokens.certificates()):
        try:
            tls.take_from_clients(certificate)
        except ssl.SSLError as error:
            fingerprint = fingerprint_of(certificate).hex()
            events.fault("tls.certificate_not_taken", error, fingerprint=fingerprint)
