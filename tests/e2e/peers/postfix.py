"""A private Postfix: own configuration, queue and ports; needs root."""

import subprocess
import time
from pathlib import Path
from typing import Final

from tests.e2e.appliance import free_port
from tests.e2e.peers.programs import find

_MASTER: Final = """\
127.0.0.1:{port} inet n - n - - smtpd
pickup    unix  n       -       n       60      1       pickup
cleanup   unix  n       -       n       -       0       cleanup
qmgr      unix  n       -       n       300     1       qmgr
rewrite   unix  -       -       n       -       -       trivial-rewrite
bounce    unix  -       -       n       -       0       bounce
defer     unix  -       -       n       -       0       bounce
trace     unix  -       -       n       -       0       bounce
verify    unix  -       -       n       -       1       verify
proxymap  unix  -       -       n       -       -       proxymap
smtp      unix  -       -       n       -       -       smtp
lmtp      unix  -       -       n       -       -       lmtp
error     unix  -       -       n       -       -       error
retry     unix  -       -       n       -       -       error
discard   unix  -       -       n       -       -       discard
anvil     unix  -       -       n       -       1       anvil
scache    unix  -       -       n       -       1       scache
tlsmgr    unix  -       -       n       1000?   1       tlsmgr
postlog   unix-dgram n  -       n       -       1       postlogd
"""


class Postfix:
    """One Postfix instance; settings are more lines of main.cf."""

    def __init__(self, home: Path, settings: str) -> None:
        self.port = free_port()
        self._configuration = home / "etc"
        self._log = home / "maillog"
        for name in ("etc", "queue", "lib"):
            (home / name).mkdir(parents=True)
        for place in (home, *home.parents):
            if place.stat().st_uid == 0 and place != Path("/"):
                place.chmod(place.stat().st_mode | 0o011)
        program = find("postfix")
        assert program is not None
        self._program = program
        (self._configuration / "main.cf").write_text(
            f"compatibility_level = 3.6\n"
            f"queue_directory = {home}/queue\ndata_directory = {home}/lib\n"
            f"maillog_file = {self._log}\nmaillog_file_prefixes = {home}\n"
            f"myhostname = peer.example.net\nmydestination =\nalias_maps =\n"
            f"local_recipient_maps =\n"
            f"inet_interfaces = loopback-only\ninet_protocols = ipv4\n"
            f"disable_dns_lookups = yes\nsmtp_dns_support_level = disabled\n"
            f"smtp_host_lookup = native\nlmtp_host_lookup = native\n"
            f"smtpd_relay_restrictions = permit_mynetworks, reject\nmynetworks = 127.0.0.0/8\n"
            f"{settings}\n"
        )
        (self._configuration / "master.cf").write_text(_MASTER.format(port=self.port))
        subprocess.run(["chown", "postfix", str(home / "lib")], check=True)

    def start(self) -> None:
        """Start it; returns when it takes mail."""
        self._run("start")

    def stop(self) -> None:
        """Stop it and wait."""
        self._run("stop", check=False)

    @property
    def pid(self) -> int:
        """The master's process id."""
        return int((self._configuration.parent / "queue" / "pid" / "master.pid").read_text())

    def send(
        self,
        sender: str,
        recipients: list[str],
        message: bytes,
        *,
        notify: str = "failure,delay",
        envelope_id: str = "none",
    ) -> None:
        """Hand a message (LF line ends) to its sendmail."""
        subprocess.run(
            [
                find("sendmail") or "sendmail",
                "-C",
                str(self._configuration),
                "-i",
                "-N",
                notify,
                "-V",
                envelope_id,
                "-f",
                sender,
                "--",
                *recipients,
            ],
            input=message,
            check=True,
            timeout=60,
        )

    def wait_until_delivered(self, recipients: int, seconds: float = 60.0) -> str:
        """Wait until so many deliveries succeeded; returns the log.  Raises AssertionError."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            text = self._log.read_text() if self._log.exists() else ""
            if text.count("status=sent") >= recipients:
                return text
            if "status=bounced" in text or "fatal:" in text:
                break
            time.sleep(0.1)
        raise AssertionError(f"not delivered:\n{text[-4000:]}")

    def _run(self, verb: str, *, check: bool = True) -> None:
        # A file, since a pipe would stay open as long as the daemons run.
        output = self._configuration.parent / "output"
        with output.open("wb") as told:
            done = subprocess.run(
                [self._program, "-c", str(self._configuration), verb],
                check=False,
                stdin=subprocess.DEVNULL,
                stdout=told,
                stderr=told,
                timeout=60,
            )
        if check and done.returncode:
            log = self._log.read_text() if self._log.exists() else ""
            raise AssertionError(f"postfix {verb}:\n{output.read_text()}\n{log[-4000:]}")
