"""A private Exim: own configuration, spool and port; needs root.

Its package cannot be installed beside Postfix's.  `.ci/run` unpacks it into a folder of its
own, and makes the user that it runs as.
"""

import contextlib
import pwd
import shutil
import smtplib
import ssl
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import pytest

from tests.e2e.appliance import free_port
from tests.e2e.peers.programs import await_listening, need_root
from tests.issued import Issued

PROGRAM: Final = Path("/var/cache/mailbox-server-tests/exim/usr/sbin/exim4")
USER: Final = "Debian-exim"
_NO_LIBRARY: Final = 127
LOGIN: Final = ("us", "s3cret")


def need_exim() -> None:
    """Skip the test where Exim or its user is missing."""
    need_root()
    if not PROGRAM.exists() or USER not in {user.pw_name for user in pwd.getpwall()}:
        pytest.skip("exim is not unpacked here")
    if subprocess.run([PROGRAM, "-bV"], capture_output=True).returncode == _NO_LIBRARY:
        pytest.skip("exim lacks a library")


class Exim:
    """One that knows what exim.conf beside this file says.

    certificate: what it shows.  source: the address that it sends from.
    """

    def __init__(self, certificate: Issued, source: str) -> None:
        self.port: Final = free_port()
        # Not within a folder that is root's alone: it must reach its log at any time.
        self._home = home = Path(tempfile.mkdtemp())
        home.chmod(0o711)
        self._process: subprocess.Popen[bytes] | None = None
        self._spool, self._mail = home / "spool", home / "mail"
        for folder in (self._spool, self._mail):
            folder.mkdir(parents=True)
            subprocess.run(["chown", USER, str(folder)], check=True)
        self._macros = {
            "PROGRAM": str(PROGRAM),
            "HOME": str(home),
            "LISTEN": str(self.port),
            "SEND_FROM": source,
            "CERTIFICATE": str(certificate.file(home)),
        }

    def start(self, send_to: int, roots: Path) -> None:
        """Start it; returns when it takes mail.

        send_to: the port of the server it sends to, whose certificate must lead to roots.
        """
        trusted = self._home / "roots.pem"
        trusted.write_bytes(roots.read_bytes())
        macros = {**self._macros, "SEND_TO": str(send_to), "ROOTS": str(trusted)}
        configuration = self._home / "exim.conf"
        configuration.write_text(
            "".join(f"{name} = {value}\n" for name, value in macros.items())
            + Path(__file__).with_suffix(".conf").read_text()
        )
        with (self._home / "output").open("wb") as told:
            self._process = subprocess.Popen(
                [PROGRAM, "-C", configuration, "-bdf"],
                stdin=subprocess.DEVNULL,
                stdout=told,
                stderr=told,
            )
        await_listening(self._process, self.port)

    def stop(self) -> None:
        """End it, wait, and leave nothing behind."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(30)
        shutil.rmtree(self._home)

    @contextlib.contextmanager
    def client(self) -> Iterator[smtplib.SMTP]:
        """A program at its port that may send anywhere."""
        with smtplib.SMTP("127.0.0.1", self.port, timeout=30) as client:
            client.starttls(context=ssl._create_unverified_context())
            client.login(*LOGIN)
            client.command_encoding = "utf-8"
            yield client

    def open_up(self) -> None:
        """From now on it takes what it has deferred."""
        (self._spool / "open").touch()

    @property
    def log(self) -> str:
        """What it says of each message."""
        return (self._spool / "mainlog").read_text()

    def kept(self, *marks: bytes) -> Sequence[bytes]:
        """The messages it has delivered that hold all of the marks, CRLF line ends."""
        messages = [file.read_bytes() for file in sorted((self._mail / "new").glob("*"))]
        return [one for one in messages if all(mark in one for mark in marks)]
