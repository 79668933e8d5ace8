"""Postfix delivers to us by SMTP with TLS and by LMTP, many at once, and every octet arrives."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.appliance import Appliance, address
from tests.e2e.mail import content_of, fetch_all
from tests.e2e.peers.postfix import Postfix
from tests.e2e.peers.programs import need, need_root

COUNT = 20


@pytest.fixture
def socket_appliance(tmp_path: Path) -> Iterator[Appliance]:
    """An appliance that takes LMTP on a UNIX socket, for the group that Postfix runs as."""
    need_root()
    need("postfix")
    made = Appliance(tmp_path / "appliance")
    text = made.config.read_text()
    port = f'lmtp = ["127.0.0.1:{made.ports["lmtp"]}"]'
    assert port in text
    made.config.write_text(
        text.replace(port, f'lmtp = ["unix:{tmp_path}/lmtp"]\nlmtp_group = "postfix"')
    )
    made.open_accounts()
    made.start()
    yield made
    assert made.stop() == 0


@pytest.fixture
def postfix(
    appliance: Appliance, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[Postfix]:
    need_root()
    need("postfix")
    transport = request.param
    peer = Postfix(
        tmp_path / "postfix",
        f"default_transport = {transport.format(**appliance.ports)}\n"
        f"smtp_tls_security_level = verify\nsmtp_tls_CAfile = {appliance.authority}\n"
        f"smtp_tls_verify_cert_match = mail.example.test\n",
    )
    peer.start()
    yield peer
    peer.stop()


@pytest.mark.parametrize(
    "postfix",
    ["smtp:[127.0.0.1]:{smtp}", "lmtp:inet:127.0.0.1:{lmtp}"],
    ids=["smtp", "lmtp"],
    indirect=True,
)
def test_postfix_delivers(appliance: Appliance, postfix: Postfix) -> None:
    before = len(fetch_all(appliance))
    for number in range(COUNT):
        message = f"Subject: from postfix {number}\n\n.\n..dots {number}\n".encode()
        postfix.send("sender@example.net", [address("ann"), address("bob")], message)
    postfix.wait_until_delivered(2 * COUNT)
    arrived = fetch_all(appliance)[before:]
    assert len(arrived) == COUNT
    for number in range(COUNT):
        (message,) = [m for m in arrived if f"from postfix {number}\r\n".encode() in m]
        assert content_of(message).endswith(f"\r\n\r\n.\r\n..dots {number}\r\n".encode())


def test_postfix_delivers_over_a_socket(socket_appliance: Appliance, tmp_path: Path) -> None:
    """Its LMTP client runs as the user postfix, which is neither root nor us."""
    peer = Postfix(tmp_path / "postfix", f"default_transport = lmtp:unix:{tmp_path}/lmtp\n")
    peer.start()
    try:
        peer.send("sender@example.net", [address("ann")], b"Subject: by socket\n\nhere\n")
        peer.wait_until_delivered(1)
    finally:
        peer.stop()
    connected = [line for line in socket_appliance.events() if line["event"] == "smtp.connected"]
    assert {line["peer"] for line in connected} == {"unix"}
    (message,) = fetch_all(socket_appliance)
    assert content_of(message).endswith(b"\r\n\r\nhere\r\n")
