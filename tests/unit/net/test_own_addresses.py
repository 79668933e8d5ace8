"""Only addresses that the world can reach are told as ours; those of interfaces are known."""

import socket
from ipaddress import ip_address

import pytest

from mailbox_server.net import own_addresses
from mailbox_server.net.own_addresses import TakesMail, is_own, public_addresses


class Probe:
    """A socket that is bound to what the test says, or has no route."""

    answers: tuple[str | None, str | None] = (None, None)

    def __init__(self, family: int, kind: int) -> None:
        self._answer = self.answers[family == socket.AF_INET6]

    def __enter__(self) -> "Probe":
        return self

    def __exit__(self, *_: object) -> None:
        return

    def connect(self, far: tuple[str, int]) -> None:
        if self._answer is None:
            raise OSError("no route")

    def getsockname(self) -> tuple[str, int]:
        assert self._answer is not None
        return self._answer, 1


@pytest.mark.parametrize(
    ("answers", "told"),
    [
        (("8.8.4.4", "2a00:1450::7"), ["8.8.4.4", "2a00:1450::7"]),
        (("10.0.0.2", "fe80::1%eth0"), []),
        (("100.64.0.1", "fd00::1"), []),
        (("127.0.0.1", "::1"), []),
        ((None, None), []),
        ((None, "2a00:1450::7"), ["2a00:1450::7"]),
    ],
)
def test_public_addresses(
    answers: tuple[str | None, str | None], told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Probe, "answers", answers)
    monkeypatch.setattr(own_addresses.socket, "socket", Probe)
    assert [str(address) for address in public_addresses()] == told


@pytest.mark.parametrize(
    ("answers", "ip", "own"),
    [
        (("203.0.113.7", None), "203.0.113.7", True),
        (("203.0.113.7", None), "203.0.113.8", False),
        ((None, "2001:db8::7"), "2001:db8::7", True),
        ((None, "fe80::1%eth0"), "fe80::1", True),
        ((None, None), "203.0.113.7", False),
    ],
)
def test_an_address_of_an_interface_is_reached_from_itself(
    answers: tuple[str | None, str | None], ip: str, own: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Probe, "answers", answers)
    monkeypatch.setattr(own_addresses.socket, "socket", Probe)
    address = ip_address(ip)
    assert is_own(address) is own
    assert TakesMail(families=frozenset({4, 6}))(address) is own
    assert TakesMail(families=frozenset({10 - address.version}))(address) is False
    assert TakesMail(frozenset({address}))(address) is True
    assert TakesMail()(address) is False


def test_the_system_knows_its_own_loopback_which_is_no_target() -> None:
    assert is_own(ip_address("127.0.0.1"))
    assert not is_own(ip_address("192.0.2.1"))
    everywhere = TakesMail(frozenset({ip_address("127.0.0.1")}), frozenset({4, 6}))
    assert not everywhere(ip_address("127.0.0.1")) and not everywhere(ip_address("::1"))
