"""The lock files say exactly what is installed, and say nothing about where it comes from."""

import re
import tomllib
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[2]
RUN_TIME: Final = ROOT / "deploy" / "requirements.lock"
TEST_TIME: Final = ROOT / "tests" / "requirements.lock"

both = pytest.mark.parametrize("lock", [RUN_TIME, TEST_TIME], ids=["deploy", "tests"])


def packages(lock: Path) -> dict[str, str]:
    """Name to pinned version."""
    pins = re.findall(r"^([a-z0-9-]+)==([^ ;\\]+)", lock.read_text("utf-8"), re.MULTILINE)
    return dict(pins)


def wanted(requirement: str) -> str:
    name = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert name is not None
    return re.sub(r"[-_.]+", "-", name[0]).lower()


def project() -> dict[str, list[str]]:
    table = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    return {"run": table["project"]["dependencies"], "test": table["dependency-groups"]["test"]}


@both
def test_no_place_is_named(lock: Path) -> None:
    text = lock.read_text("utf-8")
    for word in ("://", "--index", "--extra-index", "--find-links", "--trusted-host", " @ ", "-e "):
        assert word not in text


@both
def test_every_package_is_pinned_and_hashed(lock: Path) -> None:
    entries = re.split(r"\n(?=\S)", lock.read_text("utf-8").strip())
    assert len(entries) > 20
    for entry in entries:
        assert re.match(r"[a-z0-9-]+==\S+", entry), entry
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", entry), entry


def test_the_lock_holds_what_the_project_asks_for() -> None:
    asked = project()
    assert {wanted(r) for r in asked["run"]} <= packages(RUN_TIME).keys()
    assert {wanted(r) for r in asked["test"]} <= packages(TEST_TIME).keys()


def test_the_tests_run_with_what_the_server_runs_with() -> None:
    assert packages(RUN_TIME).items() <= packages(TEST_TIME).items()


def test_passlib_and_its_fork_are_never_installed_together() -> None:
    assert "passlib" not in packages(TEST_TIME)
    assert "libpass" in packages(RUN_TIME)
