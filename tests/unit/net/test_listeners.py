"""Listening sockets are opened as asked, inherited by name, and refused in words."""

import grp
import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from mailbox_server.net.listeners import (
    AddressUnusable,
    Listener,
    PortInUse,
    PortNotAllowed,
    TcpAddress,
    UnixAddress,
    inherited_listeners,
    open_listener,
)


def opened(address: TcpAddress | UnixAddress) -> Listener:
    listener = open_listener(address)
    assert isinstance(listener, Listener), str(listener)
    return listener


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_port_is_opened_for_fast_answers(host: str) -> None:
    listener = opened(TcpAddress(host, 0))
    (listening,) = listener.sockets
    assert listening.proto == socket.IPPROTO_TCP
    assert listener.port == listening.getsockname()[1] > 0
    assert not listening.getblocking()
    with socket.create_connection((host, listener.port)):
        listening.setblocking(True)
        accepted, _ = listening.accept()
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        accepted.close()
    listener.close()
    listener.close()


def test_every_address_means_both_families() -> None:
    listener = opened(TcpAddress("", 0))
    assert {one.family for one in listener.sockets} == {socket.AF_INET, socket.AF_INET6}
    listener.close()


def test_a_taken_port_is_named() -> None:
    listener = opened(TcpAddress("127.0.0.1", 0))
    address = TcpAddress("127.0.0.1", listener.port)
    trouble = open_listener(address)
    assert trouble == PortInUse(address)
    assert str(trouble) == f"127.0.0.1:{listener.port} is in use by another program"
    listener.close()
    opened(address).close()


def test_a_forbidden_port_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: socket.socket, address: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(socket.socket, "bind", refuse)
    trouble = open_listener(TcpAddress("::1", 25))
    assert trouble == PortNotAllowed(TcpAddress("::1", 25))
    assert str(trouble) == "not allowed to listen on [::1]:25"


def test_a_socket_is_given_to_a_group(tmp_path: Path) -> None:
    """Postfix's programs run in their own group only, whatever groups its user is in."""
    mine = {grp.getgrgid(number).gr_name for number in (os.getegid(), *os.getgroups())}
    for group in mine:
        path = tmp_path / "lmtp"
        listener = opened(UnixAddress(path, 0o660, group))
        assert grp.getgrgid(path.stat().st_gid).gr_name == group
        assert stat.S_IMODE(path.stat().st_mode) == 0o660
        listener.close()


def test_a_group_that_cannot_have_the_socket(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "lmtp"
    unknown = open_listener(UnixAddress(path, 0o660, "no such group"))
    assert isinstance(unknown, AddressUnusable) and "no group no such" in unknown.reason

    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "chown", refuse)
    name = grp.getgrgid(os.getegid()).gr_name
    foreign = open_listener(UnixAddress(path, 0o660, name))
    assert isinstance(foreign, AddressUnusable) and f"group {name}" in foreign.reason


@pytest.mark.parametrize("host", ["192.0.2.1", "2001:db8::1", "mail.example.org", "127.0.0.1\0x"])
def test_an_address_that_is_not_ours_or_none(host: str) -> None:
    trouble = open_listener(TcpAddress(host, 0))
    assert isinstance(trouble, AddressUnusable)
    assert trouble.reason


def test_port_out_of_range() -> None:
    assert isinstance(open_listener(TcpAddress("127.0.0.1", 70_000)), AddressUnusable)


def test_unix_socket(tmp_path: Path) -> None:
    path = tmp_path / "control"
    listener = opened(UnixAddress(path, 0o660))
    assert stat.S_IMODE(path.stat().st_mode) == 0o660
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
    assert open_listener(UnixAddress(path)) == PortInUse(UnixAddress(path))
    listener.close()
    assert not path.exists()


def test_a_stale_unix_socket_is_replaced_and_a_file_is_not(tmp_path: Path) -> None:
    path = tmp_path / "control"
    with socket.socket(socket.AF_UNIX) as left_behind:
        left_behind.bind(str(path))
    opened(UnixAddress(path)).close()
    path.write_text("precious")
    trouble = open_listener(UnixAddress(path))
    assert isinstance(trouble, AddressUnusable)
    assert path.read_text() == "precious"
    gone = open_listener(UnixAddress(tmp_path / "no" / "such" / "place"))
    assert isinstance(gone, AddressUnusable)


INHERIT = """
import os, sys
from mailbox_server.net.listeners import inherited_listeners
environ = dict(os.environ, LISTEN_PID=str(os.getpid()), LISTEN_FDS="3")
environ["LISTEN_FDNAMES"] = "smtp:imap:imap"
found = inherited_listeners(environ)
print({name: [s.getsockname()[1] for s in one.sockets] for name, one in sorted(found.items())})
print([key for key in environ if key.startswith("LISTEN_")])
print(any(os.get_inheritable(s.fileno()) for one in found.values() for s in one.sockets))
"""


def test_sockets_of_the_service_manager_are_taken_over() -> None:
    listeners = [opened(TcpAddress("127.0.0.1", 0)) for _ in range(3)]
    given = [listener.sockets[0].fileno() for listener in listeners]

    def hand_over() -> None:
        # High first: a descriptor to be moved may sit where another one must go.
        aside = [os.dup(descriptor) for descriptor in given]
        spare = [os.dup2(descriptor, 50 + index) for index, descriptor in enumerate(aside)]
        for index, descriptor in enumerate(spare):
            os.dup2(descriptor, 3 + index, inheritable=True)

    done = subprocess.run(
        [sys.executable, "-c", INHERIT],
        preexec_fn=hand_over,
        close_fds=False,
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).resolve().parents[3],
    )
    ports = [listener.port for listener in listeners]
    assert done.stdout.splitlines() == [
        str({"imap": ports[1:], "smtp": ports[:1]}),
        "[]",
        "False",
    ]
    for listener in listeners:
        listener.close()


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"LISTEN_PID": "1", "LISTEN_FDS": "1"},
        {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "many"},
        {"LISTEN_FDS": "1"},
    ],
)
def test_what_is_not_meant_for_us_is_not_taken(environ: dict[str, str]) -> None:
    assert inherited_listeners(environ) == {}
    assert environ == {}
