"""What the connection under a login gives to SASL mechanisms."""

from dataclasses import dataclass

from mailbox_server.net.client_certificates import ClientCertificate
from mailbox_server.net.tls_ends import TlsEnds


@dataclass(frozen=True, slots=True)
class Link:
    """One connection.

    is_confidential: inside TLS, or where plain-text logins are allowed.
    ends: what TLS says of both ends; None in plain text.
    shows_binding: whether this client is shown a mechanism with channel binding, so that one
        which says that there is none was lied to on the way (RFC 5802 §6).
    """

    is_confidential: bool
    ends: TlsEnds | None = None
    shows_binding: bool = False

    @property
    def end_point(self) -> bytes | None:
        """The data of tls-server-end-point, None where there is none (RFC 5929 §4)."""
        return None if self.ends is None else self.ends.end_point

    @property
    def certificate(self) -> ClientCertificate | None:
        """What the client proved to hold in the handshake."""
        return None if self.ends is None else self.ends.certificate
