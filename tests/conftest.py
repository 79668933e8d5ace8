"""What all tests share: hypothesis without deadlines, `--full`, and other people's test data."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest
from hypothesis import HealthCheck, settings

VECTORS: Final = Path(__file__).resolve().parents[2] / "shared" / "vectors"

# A deadline asserts on time, and time is not ours on a shared machine.  In CI the same
# examples come every time: what it finds must be what the change did.
settings.register_profile(
    "here", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.register_profile("ci", settings.get_profile("here"), derandomize=True, database=None)
settings.load_profile("ci" if os.environ.get("CI") else "here")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--full", action="store_true", help="soaks, floods and sweeps in their long form"
    )


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show the figures that tests recorded with record_property."""
    told = [
        (report.nodeid, report.user_properties)
        for report in terminalreporter.getreports("passed")
        if report.when == "call" and report.user_properties
    ]
    if told:
        terminalreporter.section("figures")
    for name, figures in sorted(told):
        terminalreporter.write_line(f"{name}: " + ", ".join(f"{k} {v}" for k, v in figures))


@pytest.fixture(scope="session")
def full(request: pytest.FixtureRequest) -> bool:
    """Whether the long form of soaks, floods and sweeps is asked for (`--full`)."""
    return bool(request.config.getoption("--full"))


@pytest.fixture(scope="session")
def vectors() -> Callable[[str], Path]:
    """Return the folder of other people's test data by its name; skip where it is not here."""

    def find(name: str) -> Path:
        found = VECTORS / name
        if not found.exists():
            pytest.skip(f"other people's test data is not beside this checkout: {name}")
        return found

    return find
