"""Only addresses that the world can reach are told as ours."""

import socket

import pytest

from mailbox_server.net import own_addresses
from mailbox_server.net.own_addresses import public_addresses


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
