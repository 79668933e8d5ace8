"""Each verb as a process from exec on: what it imports is its own, no parent has it already.

All other tests fork or stay in a process that has everything imported, where an import that
one verb lacks would not show.  No function imports anything, so help is enough.
"""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

import pytest

from mailbox_server.cli.main import VERBS
from tests.e2e.appliance import REPOSITORY

SIDE_BY_SIDE: Final = 2

Ends = Mapping[str, "Future[subprocess.CompletedProcess[str]]"]


def run_alone(*words: str) -> subprocess.CompletedProcess[str]:
    """A verb as an operator starts it."""
    # Without bytecode each would compile the program anew.
    surroundings = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    return subprocess.run(
        (sys.executable, "-m", "mailbox_server", *words),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        cwd=REPOSITORY,
        env=surroundings,
    )


@pytest.fixture(scope="module")
def ends() -> Iterator[Ends]:
    """By verb, how it ends; some run side by side."""
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        yield {verb: pool.submit(run_alone, verb, "--help") for verb, _, _ in VERBS}


@pytest.mark.parametrize("verb", [verb for verb, _, _ in VERBS])
def test_a_verb_needs_nothing_that_others_import(verb: str, ends: Ends) -> None:
    done = ends[verb].result()
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"Usage: python -m mailbox_server {verb} ")
