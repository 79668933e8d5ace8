"""A TLS handshake that fails leaves a line in the log, whichever way TLS was to begin."""

import contextlib
import socket
import ssl
import time

import pytest

from tests.e2e.appliance import Appliance


@pytest.mark.parametrize("service", ["smtp_tls", "imaps", "pop3s"])
def test_who_speaks_no_tls_is_told_in_the_log(appliance: Appliance, service: str) -> None:
    with contextlib.closing(
        socket.create_connection(("127.0.0.1", appliance.ports[service]), 20)
    ) as client:
        client.sendall(b"EHLO in plain text\r\n\r\n")
        assert client.recv(4096)[:1] in (b"", b"\x15")
    assert failed(appliance, service)["peer"] == "127.0.0.1"


def test_who_does_not_trust_us_is_told_in_the_log(appliance: Appliance) -> None:
    with (
        socket.create_connection(("127.0.0.1", appliance.ports["imaps"]), 20) as client,
        pytest.raises(ssl.SSLCertVerificationError),
    ):
        ssl.create_default_context().wrap_socket(client, server_hostname="localhost")
    until = time.monotonic() + 20
    while failed(appliance, "imaps")["reason"] != "TLSV1_ALERT_UNKNOWN_CA":
        assert time.monotonic() < until


def failed(appliance: Appliance, service: str) -> dict[str, str]:
    """The latest failure there, as soon as there is one."""
    until = time.monotonic() + 20
    while True:
        lines = [
            line
            for line in appliance.events()
            if line["event"] == "net.handshake_failed" and line["service"] == service
        ]
        if lines:
            return lines[-1]
        assert time.monotonic() < until, "no line in the log"
        time.sleep(0.02)
