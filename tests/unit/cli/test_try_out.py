"""Try mode prints what was really started, in lines that a shell can take."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from mailbox_server.cli.try_out import announcement, called_as
from mailbox_server.ops.quickstart import PORTS, TryAccount, TryWorld

ROOT = Path(__file__).resolve().parents[3]
WORLD = TryWorld(
    "example.test",
    [TryAccount("ann@example.test", "aa-bb"), TryAccount("bob@example.test", "cc-dd")],
    dict(PORTS),
)


def _program(place: Path) -> Path:
    place.mkdir()
    found = place / "mailbox-server"
    found.write_text("#!/bin/sh\n")
    found.chmod(0o755)
    return found


def test_a_command_on_the_path_is_called_by_its_name(tmp_path: Path) -> None:
    installed = _program(tmp_path / "bin")
    assert called_as(str(installed), [], {"PATH": str(installed.parent)}) == "mailbox-server"


def test_a_command_elsewhere_is_called_by_its_place(tmp_path: Path) -> None:
    hidden, other = _program(tmp_path / "a place"), _program(tmp_path / "bin")
    for path in (str(other.parent), "/nowhere"):
        assert called_as(str(hidden), [], {"PATH": path}) == shlex.quote(str(hidden))


def test_a_module_is_called_so_that_it_works_anywhere(tmp_path: Path) -> None:
    environ = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    command = called_as("/somewhere/mailbox_server/__main__.py", [str(ROOT), "/lib"], environ)
    assert shlex.quote(sys.executable) in command
    done = subprocess.run(
        ["sh", "-c", f"{command} --version"],
        cwd=tmp_path,
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout.startswith("mailbox-server, version"), done.stderr


def test_what_python_finds_anywhere_needs_no_path() -> None:
    argument = "/somewhere/mailbox_server/__main__.py"
    path = ["/here", "/lib", str(ROOT)]
    assert called_as(argument, path, {}) == f"{shlex.quote(sys.executable)} -m mailbox_server"
    by_variable = called_as(argument, path, {"PYTHONPATH": str(ROOT)})
    assert by_variable.startswith("PYTHONPATH=")


@pytest.mark.parametrize("home", ["/tmp/plain", "/tmp/a 'strange' $HOME"])
def test_every_line_to_paste_survives_the_shell(home: str) -> None:
    authority = Path(home) / "tls" / "ca.pem"
    text = announcement(Path(home), WORLD, "mailbox-server --config x", authority)
    commands = text.replace("\\\n", "").partition("Send a mail:")[2].splitlines()
    pasted = [shlex.split(line) for line in commands if line.startswith("  ")]
    assert len(pasted) == 5
    for words in pasted[:4]:
        assert str(authority) in words
    assert pasted[4][-3:] == ["message", "list", "ann@example.test"]
    for account in WORLD.accounts:
        assert account.address in text and account.password in text
