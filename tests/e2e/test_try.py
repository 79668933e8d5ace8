"""Try mode: what it prints works when pasted, it stops cleanly, and it goes on where it was."""

import os
import re
import selectors
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.appliance import REPOSITORY
from tests.e2e.peers.programs import need


class Trial:
    """`mailbox-server try` in a process of its own, up to what it prints when it is ready."""

    def __init__(self, home: Path, shown: str = "message list") -> None:
        surroundings = {k: v for k, v in os.environ.items() if not k.startswith("MAILBOX_SERVER")}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "mailbox_server", "try", "--home", str(home)],
            cwd=REPOSITORY,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={k: v for k, v in surroundings.items() if k != "PYTHONPATH"},
            start_new_session=True,
        )
        assert self.process.stdout is not None
        self.text = ""
        with selectors.DefaultSelector() as ready:
            ready.register(self.process.stdout, selectors.EVENT_READ)
            while shown not in self.text:
                assert ready.select(30), self.text
                octets = os.read(self.process.stdout.fileno(), 65536)
                if not octets:
                    break
                self.text += octets.decode()

    def interrupt(self) -> tuple[int, str, str]:
        """Ctrl-C; the exit code and what came since on both outputs."""
        self.process.send_signal(signal.SIGINT)
        out, err = self.process.communicate(timeout=60)
        return self.process.returncode, out.decode(), err.decode()

    def commands(self) -> list[str]:
        """The lines to paste, in order."""
        pasted = self.text.replace("\\\n", " ").partition("Send a mail:")[2]
        return [line.strip() for line in pasted.splitlines() if line.startswith("  ")]


def paste(command: str, elsewhere: Path) -> str:
    """Run a line in a shell of another folder."""
    program = re.split(r"\|", command)[-1].split()[0]
    need(program) if "/" not in program and "=" not in program else None
    surroundings = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = subprocess.run(
        ["sh", "-c", command], cwd=elsewhere, env=surroundings, capture_output=True, timeout=60
    )
    assert done.returncode == 0, (command, done.stdout, done.stderr)
    return done.stdout.decode()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "it's a home"


def test_every_printed_line_works_when_pasted(home: Path, tmp_path: Path) -> None:
    trial = Trial(home)
    try:
        send_curl, send_swaks, read_imap, read_pop3, look = trial.commands()
        assert "Welcome to your mail server" in paste(read_pop3, tmp_path)
        paste(send_curl, tmp_path)
        assert "It works." in paste(read_imap, tmp_path)
        assert "--tls-verify" in send_swaks
        assert "250 2.0.0" in paste(send_swaks, tmp_path)
        listed = paste(look, tmp_path)
        assert "Welcome to your mail server" in listed and "Hello" in listed
    finally:
        code, out, err = trial.interrupt()
    assert code == 0
    assert "The mail stays in" in out
    assert "Traceback" not in err


def test_started_again_it_has_the_same_mail_and_says_the_same(home: Path, tmp_path: Path) -> None:
    first = Trial(home)
    paste(first.commands()[0], tmp_path)
    assert first.interrupt()[0] == 0
    second = Trial(home)
    try:
        assert second.text == first.text
        listed = paste(second.commands()[4], tmp_path)
        assert listed.count("Welcome") == 1 and "Hello" in listed
    finally:
        assert second.interrupt()[0] == 0


def test_a_second_one_at_the_same_time_is_told(home: Path) -> None:
    trial = Trial(home)
    try:
        state = (home / "try.json").read_bytes()
        other = Trial(home)
        _, err = other.process.communicate(timeout=60)
        assert other.process.returncode == 3
        assert "is running already" in err.decode()
        assert (home / "try.json").read_bytes() == state
    finally:
        assert trial.interrupt()[0] == 0


def test_its_log_is_for_people(home: Path) -> None:
    _, _, err = Trial(home).interrupt()
    assert re.search(r"^\d\d:\d\d:\d\d info +server\.ready ", err, re.MULTILINE)
    assert len(err.splitlines()) < 6
