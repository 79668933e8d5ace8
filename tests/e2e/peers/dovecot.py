"""A private Dovecot: own configuration, mail store and ports; needs root."""

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Final

from tests.e2e.appliance import free_port
from tests.e2e.peers.programs import find

PASSWORD: Final = "dovecot-pass"

_CONFIGURATION: Final = """\
base_dir = {run}
state_dir = {run}
instance_name = {name}
log_path = {home}/dovecot.log
protocols = imap pop3 lmtp
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
auth_mechanisms = plain login
mail_location = {location}
mail_uid = {user}
mail_gid = {group}
first_valid_uid = 1
mail_home = {home}/mail/%u
default_internal_user = dovecot
default_login_user = dovenull
default_vsz_limit = 1G
mail_max_userip_connections = 2000
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={user} gid={group} home={home}/mail/%u allow_all_users=yes
}}
namespace inbox {{
  inbox = yes
  separator = /
}}
service imap-login {{
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service pop3-login {{
  inet_listener pop3 {{
    port = {pop3}
  }}
  inet_listener pop3s {{
    port = 0
  }}
}}
service lmtp {{
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {lmtp}
  }}
}}
{extra}
"""


class Dovecot:
    """One Dovecot instance; every login with PASSWORD is let in.

    layout: mdbox, sdbox or maildir.  configuration: the file that its programs take with -c.
    """

    def __init__(self, home: Path, layout: str = "mdbox", extra: str = "") -> None:
        self.imap, self.pop3, self.lmtp = free_port(), free_port(), free_port()
        self._home = home
        self.configuration = home / "dovecot.conf"
        program = find("dovecot")
        assert program is not None
        self._program = program
        user = pwd.getpwnam("mail")
        (home / "mail").mkdir(parents=True)
        # Its sockets' paths must stay under the 108 octets of sun_path, however deep home is.
        self._run = Path(tempfile.mkdtemp(prefix="dovecot-"))
        self._run.chmod(0o755)
        os.chown(home / "mail", user.pw_uid, user.pw_gid)
        for place in (home, *home.parents):
            if place.stat().st_uid == 0 and place != Path("/"):
                place.chmod(place.stat().st_mode | 0o011)
        self.configuration.write_text(
            _CONFIGURATION.format(
                home=home,
                run=self._run,
                name=f"test-{os.getpid()}-{self.imap}",
                location=f"{layout}:~/{layout}",
                user=user.pw_uid,
                group=user.pw_gid,
                password=PASSWORD,
                imap=self.imap,
                pop3=self.pop3,
                lmtp=self.lmtp,
                extra=extra,
            )
        )

    def start(self) -> None:
        """Start it; returns when it listens."""
        subprocess.run(
            [self._program, "-c", str(self.configuration)],
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=30,
        )

    def stop(self) -> None:
        """Stop it, wait until its master has gone and forget its sockets."""
        pid_file = self._run / "master.pid"
        subprocess.run(
            [self._program, "-c", str(self.configuration), "stop"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=30,
        )
        deadline = time.monotonic() + 20
        while pid_file.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        shutil.rmtree(self._run, ignore_errors=True)

    @property
    def pid(self) -> int:
        """The master's process id."""
        return int((self._run / "master.pid").read_text())

    def log(self) -> str:
        """What it logged."""
        path = self._home / "dovecot.log"
        return path.read_text() if path.exists() else ""
