"""Foreign programs: which are here, and how they are run to their end.

A test that needs a missing one is skipped with a reason.
"""

import os
import pty
import select
import shutil
import socket
import subprocess
import time

import pytest

_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def find(program: str) -> str | None:
    """The program's path, or None."""
    return shutil.which(program, path=f"{os.environ.get('PATH', '')}:{_SYSTEM_PATH}")


def need(program: str) -> str:
    """The program's path; skips the test where it is missing."""
    path = find(program)
    if path is None:
        pytest.skip(f"{program} is not installed")
    return path


def need_root() -> None:
    """Skip the test for ordinary users."""
    if os.geteuid() != 0:
        pytest.skip("only root can run this server privately")


def await_listening(process: "subprocess.Popen[bytes]", port: int) -> None:
    """Return when the port of a server that was just started takes connections."""
    deadline = time.monotonic() + 30
    while True:
        with socket.socket() as one:
            one.bind(("127.0.0.1", 0))
            if one.connect_ex(("127.0.0.1", port)) == 0:
                return
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)


def run(*command: str, environment: dict[str, str] | None = None, stdin: bytes = b"") -> bytes:
    """Run a program; returns what it said.  Fails with all that it said where it fails."""
    done = subprocess.run(
        command, input=stdin, capture_output=True, timeout=90, env=os.environ | (environment or {})
    )
    assert done.returncode == 0, (done.stdout + done.stderr).decode(errors="replace")
    return done.stdout


def run_on_terminal(*command: str, environment: dict[str, str]) -> None:
    """Run a program that wants a screen; what it shows is told where it fails."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, env=os.environ | environment
    )
    os.close(theirs)
    shown = b""
    deadline = time.monotonic() + 30
    while process.poll() is None and time.monotonic() < deadline:
        if select.select([ours], [], [], 0.2)[0]:
            try:
                shown += os.read(ours, 65536)
            except OSError:  # the program has closed its end
                break
    os.close(ours)
    if time.monotonic() >= deadline:
        process.kill()
    assert process.wait(10) == 0, shown.decode(errors="replace")
