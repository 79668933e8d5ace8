"""Only addresses of the public Internet may be named by strangers."""

import ipaddress

import pytest

from mailbox_server.net.public_address import is_public


@pytest.mark.parametrize(
    "text",
    [
        "0.0.0.0",
        "0.1.2.3",
        "10.1.2.3",
        "100.64.0.1",
        "100.127.255.255",
        "127.0.0.1",
        "127.255.255.254",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.8",
        "192.168.1.1",
        "198.19.0.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::7f00:1",
        "::ffff:127.0.0.1",
        "::ffff:8.8.8.8",
        "64:ff9b::a00:1",
        "64:ff9b:1::1",
        "100::1",
        "fc00::1",
        "fd12:3456::1",
        "fe80::1",
        "fec0::1",
        "ff02::1",
        "2002:7f00:1::1",
        "2002:c0a8:101::1",
        "2001:0:4136:e378:8000:63bf:f5ff:fffe",
    ],
)
def test_what_is_not_public(text: str) -> None:
    assert not is_public(ipaddress.ip_address(text))


@pytest.mark.parametrize(
    "text",
    [
        *["8.8.8.8", "100.63.255.255", "100.128.0.1", "172.15.0.1", "172.32.0.1", "192.0.2.1"],
        *["2001:db8::1", "2a00:1450::1", "2002:808:808::1", "64:ff9b::808:808"],
    ],
)
def test_what_is_public(text: str) -> None:
    assert is_public(ipaddress.ip_address(text))


def test_what_an_operator_opens() -> None:
    opened = (ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("::1/128"))
    assert is_public(ipaddress.ip_address("10.1.2.3"), opened)
    assert is_public(ipaddress.ip_address("::1"), opened)
    assert not is_public(ipaddress.ip_address("127.0.0.1"), opened)
    assert not is_public(ipaddress.ip_address("::ffff:10.1.2.3"), opened)
