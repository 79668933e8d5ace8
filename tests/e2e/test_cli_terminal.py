"""What a person at a terminal sees: prompts, progress, one sentence about who is in the way."""

import contextlib
import fcntl
import os
import pty
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.e2e.appliance import Appliance, address


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Appliance:
    appliance = Appliance(tmp_path_factory.mktemp("house"))
    appliance.open_accounts(["ann"])
    return appliance


def at_terminal(
    house: Appliance, words: Sequence[str], dialogue: Iterator[tuple[str, str]]
) -> tuple[int, str]:
    """Run a verb on a terminal; dialogue is what is waited for and what is typed then."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        house.command(*words),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=house.surroundings() | {"TERM": "xterm"},
        start_new_session=True,
    )
    os.close(theirs)
    seen = ""
    with contextlib.suppress(OSError):  # EIO: the other side is closed
        for waited_for, typed in dialogue:
            start = len(seen)
            while waited_for not in seen[start:]:
                seen += os.read(ours, 65536).decode()
            os.write(ours, typed.encode())
        while octets := os.read(ours, 65536):
            seen += octets.decode()
    os.close(ours)
    return process.wait(60), seen


def test_a_password_is_typed_twice_and_never_shown(house: Appliance) -> None:
    typed = [
        ("Password:", "one thing\n"),
        ("Repeat", "another thing\n"),
        ("Password:", "the same thing\n"),
        ("Repeat", "the same thing\n"),
    ]
    code, seen = at_terminal(house, ["account", "password", address("ann")], iter(typed))
    assert code == 0
    assert "do not match" in seen and "has a new password" in seen
    assert "thing" not in seen


def test_removal_asks_first(house: Appliance) -> None:
    house.verb("account", "add", address("bob"), "--no-password")
    words = ["account", "remove", address("bob")]
    code, seen = at_terminal(house, words, iter([("all its mail?", "n\n")]))
    assert code == 1
    assert f"{address('bob')} stays" in seen
    code, _ = at_terminal(house, words, iter([("all its mail?", "y\n")]))
    assert code == 0


def test_progress_is_shown_on_a_terminal_and_not_in_a_pipe(
    house: Appliance, tmp_path: Path
) -> None:
    large = tmp_path / "large"
    large.write_bytes(b"Subject: large\n\n" + (b"x" * 98 + b"\r\n") * 100_000)
    words = ["message", "import", address("ann"), str(large)]
    code, seen = at_terminal(house, words, iter(()))
    assert code == 0
    assert "importing" in seen and "MB" in seen
    done = house.verb(*words)
    assert done.stdout == b"1 imported into INBOX of ann@example.test\n"
    assert done.stderr == b""


def test_a_verb_waits_for_the_folder(house: Appliance) -> None:
    held = os.open(house.data / "lock", os.O_RDWR)
    fcntl.flock(held, fcntl.LOCK_EX)
    with house.begin("account", "list") as verb:
        # It has nothing else to do but wait: the first words it says come after the release.
        with pytest.raises(subprocess.TimeoutExpired):
            verb.wait(2)
        os.close(held)
        out, _ = verb.communicate(timeout=60)
    assert verb.returncode == 0
    assert b"ann@example.test" in out


def test_who_holds_the_folder_is_named(house: Appliance) -> None:
    held = os.open(house.data / "lock", os.O_RDWR)
    fcntl.flock(held, fcntl.LOCK_EX)
    os.ftruncate(held, 0)
    os.pwrite(held, b"4711\n", 0)
    try:
        done = house.verb("account", "list", check=False)
    finally:
        os.close(held)
    assert done.returncode == 3
    said = f"{house.data} is in use by another mailbox-server (process 4711)"
    assert done.stderr.decode() == f"mailbox-server: {said}\n"


def test_the_configuration_is_checked_and_shown(house: Appliance) -> None:
    assert b"can be used" in house.verb("config", "check").stdout
    shown = house.verb("config", "show").stdout.decode().splitlines()
    assert f'* server.data = "{house.data}"' in shown
    assert "  smtp.recipients = 1000" in shown
    text = house.config.read_text()
    house.config.write_text(text + "[smtp]\nrecipients = 5\n")
    done = house.verb("config", "check", check=False)
    house.config.write_text(text)
    assert done.returncode == 4
    assert b"smtp.recipients: found 5; expected" in done.stderr
