"""A process that has the program imported, and becomes it again and again: each time a fork.

    python -m tests.e2e.parent SOCKET

SOCKET is the number of an inherited SOCK_SEQPACKET socket.  Each packet on it holds a Birth as
JSON, and the descriptors that become the child's standard ones, and one to be told on, a line
each: the child's number, and its exit code when it has ended.  The parent ends with the socket.
Nothing is open when it forks: no database, no loop, no thread.
"""

import gc
import importlib
import os
import runpy
import select
import socket
import sys
from typing import Final

import msgspec

from mailbox_server.cli.main import VERBS

PROGRAM: Final = "mailbox_server"
PACKET_OCTETS: Final = 131_072
STANDARD: Final = 3


class Birth(msgspec.Struct, frozen=True):
    """What a child is: the words of its command line, its environment and place.

    leads: it leads a session of its own.
    """

    words: list[str]
    environment: dict[str, str]
    place: str
    leads: bool


def main() -> None:
    """Bear children until the socket ends; each returns from here as the program itself."""
    asked = socket.socket(fileno=int(sys.argv[1]))
    for _, module, _ in VERBS:
        importlib.import_module(module)
    # What the collector does not touch in a child need not be copied for it.
    gc.collect()
    gc.freeze()
    living: dict[int, tuple[int, int]] = {}
    poll = select.poll()
    poll.register(asked, select.POLLIN)
    while True:
        for ready, _ in poll.poll():
            if ready != asked.fileno():
                poll.unregister(ready)
                os.close(ready)
                _bury(*living.pop(ready))
                continue
            packet, descriptors, _, _ = socket.recv_fds(asked, PACKET_OCTETS, STANDARD + 1)
            if not packet:
                return
            birth = msgspec.json.decode(packet, type=Birth)
            child = os.fork()
            if not child:
                for other in (asked.detach(), descriptors.pop(), *living):
                    os.close(other)
                for _, told in living.values():
                    os.close(told)
                _become(birth, descriptors)
                return
            told = descriptors.pop()
            for descriptor in descriptors:
                os.close(descriptor)
            handle = os.pidfd_open(child)
            living[handle] = child, told
            poll.register(handle, select.POLLIN)
            _tell(told, child)


def _bury(child: int, told: int) -> None:
    _, status = os.waitpid(child, 0)
    _tell(told, os.waitstatus_to_exitcode(status))
    os.close(told)


def _tell(told: int, number: int) -> None:
    try:
        os.write(told, b"%d\n" % number)
    except BrokenPipeError:
        """Nobody wants to know any more."""


def _become(birth: Birth, descriptors: list[int]) -> None:
    """Be what `python -m mailbox_server` is, with these as standard input, output and errors."""
    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number)
        os.close(descriptor)
    if birth.leads:
        os.setsid()
    os.environ.clear()
    os.environ.update(birth.environment)
    os.chdir(birth.place)
    sys.argv[1:] = birth.words
    runpy.run_module(PROGRAM, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
