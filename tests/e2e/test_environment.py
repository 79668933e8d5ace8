"""`deploy/environment.sh` makes an environment once, knows a broken one, and says what is missing.

Each test has a small checkout of its own in a path with a space, and an empty lock, so that
nothing is installed from anywhere.  One environment is made as users make it; where only the
decision to make one is tried, an interpreter makes it that links a pip instead of unpacking one.
"""

import importlib.util
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

DEPLOY: Final = Path(__file__).resolve().parents[2] / "deploy"
TOOLS: Final = ("cat", "dirname", "grep", "rm", "tail")

SERVER: Final = """
import os, sys
old = os.umask(0)
print("served", sys.argv[1:], oct(old), os.getcwd())
"""
OLD_PYTHON: Final = 'case "$2" in *print*) echo 3.9 ;; *) exit 1 ;; esac'
LINKING: Final = """#!/bin/sh
[ "$1 $2" = '-m venv' ] || exec {python} "$@"
{python} -m venv --without-pip "$3" && exec ln -s {pip} "$3"/lib/python*/site-packages/
"""
WITHOUT_VENV: Final = 'case "$2" in *print*) echo 3.12 ;; *version_info*) ;; *) exit 1 ;; esac'


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout whose server only says how it was called."""
    root = tmp_path / "a check out"
    (root / "deploy").mkdir(parents=True)
    for name in ("try.sh", "environment.sh"):
        shutil.copy(DEPLOY / name, root / "deploy" / name)
    (root / "deploy" / "requirements.lock").write_text("# nothing\n", "utf-8")
    (root / "mailbox_server").mkdir()
    (root / "mailbox_server" / "__init__.py").touch()
    (root / "mailbox_server" / "__main__.py").write_text(SERVER, "utf-8")
    return root


@pytest.fixture
def linking(tmp_path: Path) -> str:
    """An interpreter whose environments are quickly made; the true one where it has no pip."""
    found = importlib.util.find_spec("pip")
    if found is None or found.origin is None:
        return sys.executable
    wrapper = tmp_path / "python"
    pip = shlex.quote(str(Path(found.origin).parent))
    wrapper.write_text(LINKING.format(python=shlex.quote(sys.executable), pip=pip), "utf-8")
    wrapper.chmod(0o755)
    return str(wrapper)


def try_it(
    checkout: Path, *arguments: str, path: Path | None = None, python: str = sys.executable
) -> subprocess.CompletedProcess[str]:
    elsewhere = checkout.parent / "elsewhere"
    elsewhere.mkdir(exist_ok=True)
    # What must not stand in for a module of the same name.
    (elsewhere / "runpy.py").write_text("raise SystemExit('hijacked')", "utf-8")
    surroundings = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    surroundings["MAILBOX_SERVER_PYTHON"] = python
    if path is not None:
        surroundings["PATH"] = str(path)
        del surroundings["MAILBOX_SERVER_PYTHON"]
    return subprocess.run(
        ["/bin/sh", str(checkout / "deploy" / "try.sh"), *arguments],
        cwd=elsewhere,
        env=surroundings,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def test_it_is_made_once_and_then_used(checkout: Path, linking: str) -> None:
    first = try_it(checkout, "--data", "a b")
    elsewhere = checkout.parent / "elsewhere"
    assert first.stdout == f"served ['try', '--data', 'a b'] 0o77 {elsewhere}\n", first.stderr
    assert first.stderr.startswith("Installing 0 Python packages")
    stamp = checkout / ".venv" / "stamp"
    made = stamp.stat().st_mtime_ns

    again = try_it(checkout)
    assert (again.returncode, again.stderr) == (0, "")
    assert stamp.stat().st_mtime_ns == made

    # An installation that was interrupted has no stamp.
    stamp.unlink()
    assert try_it(checkout, python=linking).stderr.startswith("Installing")
    # Another lock, another environment.
    (checkout / "deploy" / "requirements.lock").write_text("# still nothing\n", "utf-8")
    assert try_it(checkout, python=linking).stderr.startswith("Installing")
    # Moved, it would point to where it was.
    moved = checkout.rename(checkout.parent / "moved")
    assert try_it(moved, python=linking).stderr.startswith("Installing")


def test_a_failed_installation_is_told_and_not_taken_for_done(checkout: Path, linking: str) -> None:
    lock = checkout / "deploy" / "requirements.lock"
    lock.write_text("--no-such-option\n", "utf-8")
    for _ in range(2):
        done = try_it(checkout, python=linking)
        assert done.returncode == 1
        assert "no such option" in done.stderr
        assert "the same command goes on" in done.stderr
        assert done.stdout == ""


def test_a_folder_in_the_way_is_left_alone(checkout: Path) -> None:
    (checkout / ".venv").mkdir()
    (checkout / ".venv" / "diary").write_text("dear", "utf-8")
    done = try_it(checkout)
    assert done.returncode == 1
    assert "in the way" in done.stderr
    assert (checkout / ".venv" / "diary").exists()


@pytest.mark.parametrize(
    ("pythons", "sentence"),
    [
        ({}, "needs Python 3.11 or later, and there is none here"),
        ({"python3": OLD_PYTHON}, "needs Python 3.11 or later; here is 3.9"),
        (
            {"python3": OLD_PYTHON, "python3.12": WITHOUT_VENV},
            "Python 3.12 is here without its venv module",
        ),
    ],
)
def test_what_is_missing_is_said_in_one_sentence(
    checkout: Path, tmp_path: Path, pythons: dict[str, str], sentence: str
) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    for tool in TOOLS:
        found = shutil.which(tool)
        assert found is not None
        (programs / tool).symlink_to(found)
    for name, text in pythons.items():
        (programs / name).write_text(f"#!/bin/sh\n{text}\n", "utf-8")
        (programs / name).chmod(0o755)
    done = try_it(checkout, path=programs)
    assert done.returncode == 1
    assert sentence in done.stderr
    assert "apt install python3-venv" in done.stderr
    assert done.stderr.count("\n") == 1
