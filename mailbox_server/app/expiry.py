"""Say which certificates are served, and warn of those that end soon."""

from datetime import timedelta
from typing import Final

from mailbox_server.model.ports import Clock, Events
from mailbox_server.net.tls import ServerTls

SOON: Final = timedelta(days=14)


def tell_certificates(tls: ServerTls | None, events: Events, clock: Clock) -> None:
    """One event a certificate; one that has ended, or will within SOON, is a warning."""
    now = clock.now()
    for certificate in () if tls is None else tls.certificates:
        ends = certificate.not_after
        tell = (
            events.info if ends - now > SOON and certificate.not_before <= now else events.warning
        )
        tell(
            "tls.certificate",
            file=str(certificate.files.chain),
            names=", ".join(certificate.names),
            not_before=certificate.not_before.isoformat(),
            not_after=ends.isoformat(),
            days_left=(ends - now).days,
        )
