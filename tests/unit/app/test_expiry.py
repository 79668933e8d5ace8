"""A certificate that ends soon is a warning, days before it hurts."""

import ssl
from datetime import timedelta
from pathlib import Path

import pytest

from mailbox_server.app.expiry import tell_certificates
from mailbox_server.net.tls import CertificateFiles, ServedCertificate, ServerTls
from tests.unit.auth.memory_store import HandClock


class Levels:
    def __init__(self) -> None:
        self.seen: list[tuple[str, object]] = []

    def info(self, event: str, /, **fields: object) -> None:
        self.seen.append(("info", fields["days_left"]))

    def warning(self, event: str, /, **fields: object) -> None:
        self.seen.append(("warning", fields["days_left"]))

    def fault(self, event: str, error: BaseException, /, **fields: object) -> None:
        raise AssertionError(event)


@pytest.mark.parametrize(
    ("begins", "ends", "level"),
    [(-1, 90, "info"), (-1, 14, "warning"), (-90, -1, "warning"), (1, 90, "warning")],
)
def test_days_left(begins: int, ends: int, level: str) -> None:
    clock, events = HandClock(), Levels()
    files = CertificateFiles(Path("c.pem"), Path("k.pem"))
    now = clock.now()
    served = ServedCertificate(
        files,
        ("mail.example",),
        now + timedelta(days=begins),
        now + timedelta(days=ends),
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER),
    )
    tell_certificates(ServerTls([served]), events, clock)
    assert events.seen == [(level, ends)]


def test_without_tls_there_is_nothing_to_tell() -> None:
    events = Levels()
    tell_certificates(None, events, HandClock())
    assert events.seen == []
