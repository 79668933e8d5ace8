"""A client that ends a literal with a second small write is not held up by our kernel."""

import asyncio
import socket

import pytest

from mailbox_server.net.prompt_acknowledgment import acknowledge_now


class _Socket:
    """What a transport's socket must offer, noting what was set."""

    def __init__(self, family: socket.AddressFamily) -> None:
        self.family = family
        self.options: list[tuple[int, int, int]] = []

    def setsockopt(self, level: int, option: int, value: int) -> None:
        self.options.append((level, option, value))


class _Transport(asyncio.BaseTransport):
    def __init__(self, carrier: _Socket | None) -> None:
        super().__init__({"socket": carrier})


@pytest.mark.skipif(not hasattr(socket, "TCP_QUICKACK"), reason="this platform has no TCP_QUICKACK")
@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_the_pending_acknowledgment_goes_out(family: socket.AddressFamily) -> None:
    carrier = _Socket(family)
    acknowledge_now(_Transport(carrier))
    assert carrier.options == [(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)]


def test_other_sockets_are_left_alone() -> None:
    carrier = _Socket(socket.AF_UNIX)
    acknowledge_now(_Transport(carrier))
    acknowledge_now(_Transport(None))
    assert carrier.options == []
