"""Addresses of peers as sockets tell them."""

from ipaddress import ip_address

import pytest

from mailbox_server.net.peer_address import ip_of_host, ip_of_name, unmapped


@pytest.mark.parametrize(
    ("host", "told"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("::FFFF:c000:201", "192.0.2.1"),
        ("::ffff:127.0.0.1", "127.0.0.1"),
        ("2001:db8::1", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("::1", "::1"),
        # Compatible and translated forms are addresses of their own.
        ("::192.0.2.1", "::192.0.2.1"),
        ("64:ff9b::192.0.2.1", "64:ff9b::192.0.2.1"),
    ],
)
def test_an_ipv4_peer_is_told_as_one(host: str, told: str) -> None:
    assert ip_of_host(host) == ip_address(told)
    assert ip_of_name((host, 25, 0, 0)) == ip_address(told)
    assert unmapped(ip_address(host.partition("%")[0])) == ip_address(told)


@pytest.mark.parametrize("name", ["", "/run/lmtp.sock", b"\0abstract", None])
def test_a_unix_socket_has_no_address(name: object) -> None:
    assert ip_of_name(name) is None


def test_no_address_is_refused() -> None:
    with pytest.raises(ValueError):
        ip_of_host("mail.example")
