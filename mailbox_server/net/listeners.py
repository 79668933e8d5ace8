"""Listening sockets: opened by us or handed over by the service manager.

Sockets are made with IPPROTO_TCP, because asyncio sets TCP_NODELAY only on connections
of such listeners; without it each TLS connection waits 40 ms for Nagle.
"""

import contextlib
import errno
import grp
import os
import socket
import stat
from collections.abc import MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

BACKLOG: Final = 1024
_FIRST_INHERITED: Final = 3


@dataclass(frozen=True, slots=True)
class TcpAddress:
    """Where to listen; host is an IP address as text, "" means every IPv4 and IPv6 address.

    port: 0 lets the system choose one (the same for IPv4 and IPv6 is not promised).
    """

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class UnixAddress:
    """A UNIX stream socket; mode as for chmod, group by name ("" is our own)."""

    path: Path
    mode: int = 0o600
    group: str = ""

    def __str__(self) -> str:
        return str(self.path)


ListenAddress = TcpAddress | UnixAddress


@dataclass(frozen=True, slots=True)
class PortInUse:
    """Another program listens there already."""

    address: ListenAddress

    def __str__(self) -> str:
        return f"{self.address} is in use by another program"


@dataclass(frozen=True, slots=True)
class PortNotAllowed:
    """The operating system does not let us listen there (ports under 1024 need a right)."""

    address: ListenAddress

    def __str__(self) -> str:
        return f"not allowed to listen on {self.address}"


@dataclass(frozen=True, slots=True)
class AddressUnusable:
    """The machine does not have this address, or it is no address at all."""

    address: ListenAddress
    reason: str

    def __str__(self) -> str:
        return f"cannot listen on {self.address}: {self.reason}"


CannotListen = PortInUse | PortNotAllowed | AddressUnusable


class Listener:
    """One or two listening sockets under one name; ready to be accepted from."""

    def __init__(self, address: ListenAddress | str, sockets: tuple[socket.socket, ...]) -> None:
        self.address = address
        self.sockets = sockets
        first = sockets[0].getsockname()
        self.port: int = first[1] if isinstance(first, tuple) else 0

    def __str__(self) -> str:
        return str(self.address)

    def close(self) -> None:
        """Close the sockets and remove what they left in the file system."""
        for listening in self.sockets:
            listening.close()
        if isinstance(self.address, UnixAddress):
            with contextlib.suppress(OSError):
                self.address.path.unlink()


def open_listener(address: ListenAddress) -> Listener | CannotListen:
    """Bind and listen; trouble comes back as a value that names the address."""
    opened: list[socket.socket] = []
    try:
        if isinstance(address, UnixAddress):
            opened.append(_open_unix(address))
        else:
            for family, host in _families(address.host):
                opened.append(_open_tcp(family, host, address.port))
    except (OSError, ValueError, OverflowError) as error:
        for listening in opened:
            listening.close()
        return _trouble(address, error)
    return Listener(address, tuple(opened))


def _families(host: str) -> list[tuple[socket.AddressFamily, str]]:
    if host:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return [(family, host)]
    every = [(socket.AF_INET, "0.0.0.0")]
    if _has_ipv6():
        every.append((socket.AF_INET6, "::"))
    return every


def _has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as trial:
            trial.bind(("::1", 0))
    except OSError:
        return False
    return True


def _open_tcp(family: socket.AddressFamily, host: str, port: int) -> socket.socket:
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listening.setblocking(False)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if family == socket.AF_INET6:
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        # Only addresses here: a name would be looked up, and wait.
        socket.inet_pton(family, host)
        listening.bind((host, port))
        listening.listen(BACKLOG)
    except BaseException:  # whatever it is, the descriptor must not leak
        listening.close()
        raise
    return listening


def _open_unix(address: UnixAddress) -> socket.socket:
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listening.setblocking(False)
        _remove_stale(address.path)
        # Nobody else may come in before the socket has its group.
        before = os.umask(0o177)
        try:
            listening.bind(str(address.path))
        finally:
            os.umask(before)
        if address.group:
            _give_to_group(address.path, address.group)
        os.chmod(address.path, address.mode)
        listening.listen(BACKLOG)
    except BaseException:  # whatever it is, the descriptor must not leak
        listening.close()
        raise
    return listening


def _give_to_group(path: Path, group: str) -> None:
    try:
        os.chown(path, -1, grp.getgrnam(group).gr_gid)
    except KeyError as error:
        raise ValueError(f"there is no group {group}") from error
    except PermissionError as error:
        raise ValueError(f"it cannot be given to group {group}, of which we are none") from error


def _remove_stale(path: Path) -> None:
    """Remove a socket that nobody answers any more, left by a process that was killed."""
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise FileExistsError(errno.EEXIST, "something that is no socket stands there")
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as trial:
        trial.setblocking(False)
        try:
            trial.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
        except BlockingIOError:
            pass  # its backlog is full: somebody is there
    raise OSError(errno.EADDRINUSE, "somebody answers on this socket")


def _trouble(address: ListenAddress, error: Exception) -> CannotListen:
    number = error.errno if isinstance(error, OSError) else None
    if number == errno.EADDRINUSE:
        return PortInUse(address)
    if number in (errno.EACCES, errno.EPERM):
        return PortNotAllowed(address)
    if number == errno.EADDRNOTAVAIL:
        return AddressUnusable(address, "this machine does not have the address")
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return AddressUnusable(address, reason)


def inherited_listeners(environ: MutableMapping[str, str]) -> dict[str, Listener]:
    """Take over the sockets that the service manager opened (sd_listen_fds(3)), by name.

    Sockets of one name become one Listener; nameless ones are called `unknown`, as
    systemd does.  LISTEN_* are removed from environ, so that no child believes in them.
    Descriptors that are no listening stream sockets are left alone.
    """
    owner = environ.pop("LISTEN_PID", "")
    count = environ.pop("LISTEN_FDS", "")
    names = environ.pop("LISTEN_FDNAMES", "").split(":")
    if owner != str(os.getpid()) or not count.isdigit():
        return {}
    by_name: dict[str, list[socket.socket]] = {}
    for index in range(int(count)):
        taken = _take_over(_FIRST_INHERITED + index)
        if taken is not None:
            name = (names[index] if index < len(names) else "") or "unknown"
            by_name.setdefault(name, []).append(taken)
    return {name: Listener(name, tuple(taken)) for name, taken in by_name.items()}


def _take_over(descriptor: int) -> socket.socket | None:
    try:
        # dup first: a socket object that turns out useless must not close a stranger's fd.
        taken = socket.socket(fileno=os.dup(descriptor))
    except OSError:
        return None
    is_tcp = taken.family in (socket.AF_INET, socket.AF_INET6)
    if (
        taken.type != socket.SOCK_STREAM
        or not (is_tcp or taken.family == socket.AF_UNIX)
        or not taken.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    ):
        taken.close()
        return None
    os.close(descriptor)
    taken.setblocking(False)
    taken.set_inheritable(False)
    if is_tcp:
        taken.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return taken
