"""Thunderbird without a screen, driven over its Marionette port.

What it is told to do lies in thunderbird.js beside this file; what it says to the server is
read in its own log.
"""

import base64
import contextlib
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from tests.e2e.appliance import PASSWORDS, Appliance, address, free_port
from tests.e2e.peers.programs import need

START_SECONDS: Final = 60.0
DEED_SECONDS: Final = 30.0
DEEDS: Final = Path(__file__).with_suffix(".js")
SAID_OF_INBOX: Final = re.compile(rb":S-INBOX:SendData: ([^\r\n]*)\r?\n")
QUIET: Final = {
    "app.donation.eoy.version.viewed": 999,
    "datareporting.healthreport.uploadEnabled": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "extensions.update.enabled": False,
    "mail.provider.suppress_dialog_on_startup": True,
    "mail.rights.version": 1,
    "mail.shell.checkDefaultClient": False,
    "mail.spotlight.firstRunDone": True,
    "mailnews.database.global.indexer.enabled": False,
    "mailnews.start_page.enabled": False,
    "network.captive-portal-service.enabled": False,
    "services.settings.server": "data:,",
    "toolkit.telemetry.enabled": False,
}


class Marionette:
    """The port: a command is `length:[0, number, name, parameters]`, its answer begins with 1."""

    def __init__(self, port: int) -> None:
        deadline = time.monotonic() + START_SECONDS
        while True:
            with contextlib.suppress(ConnectionRefusedError):
                self._socket = socket.create_connection(("127.0.0.1", port), START_SECONDS)
                break
            assert time.monotonic() < deadline, "Thunderbird does not listen"
            time.sleep(0.05)
        self._answers = self._socket.makefile("rb")
        self._number = 0
        self._next()

    def close(self) -> None:
        """Close the connection."""
        self._answers.close()
        self._socket.close()

    def say(self, name: str, **parameters: Any) -> Any:
        """Send a command; its result."""
        self._number += 1
        octets = json.dumps([0, self._number, name, parameters]).encode()
        self._socket.sendall(b"%d:%s" % (len(octets), octets))
        _, number, error, result = self._next()
        assert (number, error) == (self._number, None), error
        return result

    def _next(self) -> Any:
        length = b""
        while (octet := self._answers.read(1)) != b":":
            assert octet, "Thunderbird has gone"
            length += octet
        return json.loads(self._answers.read(int(length)))


class Thunderbird:
    """One running Thunderbird with ann's account."""

    def __init__(self, marionette: Marionette, log: Path) -> None:
        self._marionette = marionette
        self._log = log
        self._deeds = DEEDS.read_text()

    def do(self, deed: str, *arguments: str | int) -> Any:
        """One of the deeds; fails where it fails or takes too long."""
        call = f"{deed}(...{json.dumps(arguments)})"
        answer = self._marionette.say(
            "WebDriver:ExecuteAsyncScript",
            script=f"{self._deeds}\nconst answer = arguments[arguments.length - 1];\n"
            f"deeds.{call}.then(value => answer([value ?? null]), error => answer(String(error)));",
            args=[],
            sandbox="system",
        )["value"]
        assert isinstance(answer, list), f"{call}: {answer}"
        return answer[0]

    def await_idle(self) -> None:
        """Return when IDLE is the last that it has said with INBOX selected."""
        deadline = time.monotonic() + DEED_SECONDS
        while True:
            said = SAID_OF_INBOX.findall(self._log.read_bytes())
            if said and said[-1].endswith(b" IDLE"):
                return
            assert time.monotonic() < deadline, f"it does not idle: {said}"
            time.sleep(0.02)


@contextlib.contextmanager
def thunderbird(appliance: Appliance, home: Path) -> Iterator[Thunderbird]:
    """A Thunderbird that knows ann's account, her password and the appliance's authority."""
    program, port = need("thunderbird"), free_port()
    profile = home / "profile"
    profile.mkdir()
    settings = {**QUIET, **_account(appliance), "marionette.port": port}
    (profile / "user.js").write_text(
        "".join(
            f"user_pref({json.dumps(name)}, {json.dumps(value)});\n"
            for name, value in settings.items()
        )
    )
    told = home / "thunderbird.log"
    with told.open("wb") as log:
        process = subprocess.Popen(
            (
                program, "--headless", "--no-remote", "--profile", str(profile),
                "--marionette", "--remote-allow-system-access",
            ),
            env=os.environ
            | {"HOME": str(home), "DBUS_SESSION_BUS_ADDRESS": "disabled:", "MOZ_LOG": "IMAP:3"},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )  # fmt: skip
    try:
        marionette = Marionette(port)
        with contextlib.closing(marionette):
            marionette.say("WebDriver:NewSession", capabilities={})
            marionette.say("Marionette:SetContext", value="chrome")
            marionette.say("WebDriver:SetTimeouts", script=DEED_SECONDS * 1000)
            running = Thunderbird(marionette, told)
            authority = ssl.PEM_cert_to_DER_cert(appliance.authority.read_text())
            running.do("trust", base64.b64encode(authority).decode())
            running.do("remember", address("ann"), PASSWORDS["ann"])
            yield running
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _account(appliance: Appliance) -> dict[str, str | int | bool]:
    """Settings of an account over TLS, with an ordinary password."""
    server, identity = "mail.server.server1", "mail.identity.id1"
    outgoing = "mail.smtpserver.smtp1"
    return {
        "mail.accountmanager.accounts": "account1",
        "mail.accountmanager.defaultaccount": "account1",
        "mail.account.account1.server": "server1",
        "mail.account.account1.identities": "id1",
        f"{server}.type": "imap",
        f"{server}.hostname": "localhost",
        f"{server}.port": appliance.ports["imaps"],
        f"{server}.socketType": 3,
        f"{server}.authMethod": 3,
        f"{server}.userName": address("ann"),
        f"{server}.name": "ann",
        # Nothing is connected to before its authority is known: a dialog would never end.
        f"{server}.login_at_startup": False,
        f"{server}.check_new_mail": False,
        f"{identity}.useremail": address("ann"),
        f"{identity}.fullName": "Ann",
        f"{identity}.valid": True,
        f"{identity}.smtpServer": "smtp1",
        "mail.smtpservers": "smtp1",
        "mail.smtp.defaultserver": "smtp1",
        f"{outgoing}.type": "smtp",
        f"{outgoing}.hostname": "localhost",
        f"{outgoing}.port": appliance.ports["submissions"],
        f"{outgoing}.try_ssl": 3,
        f"{outgoing}.authMethod": 3,
        f"{outgoing}.username": address("ann"),
    }
