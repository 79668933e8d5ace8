"""Which foreign programs are here; a test that needs a missing one is skipped with a reason."""

import os
import shutil

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
