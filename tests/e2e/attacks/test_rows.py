"""The table in README.md is whole, and every test that it names exists."""

import re
from pathlib import Path
from typing import Final

import pytest

TESTS: Final = Path(__file__).parents[2]
TABLE: Final = (Path(__file__).parent / "README.md").read_text()
ROWS: Final = re.findall(r"^\| ([A-Z]\d+) \| ([^|]+) \| (.+) \|$", TABLE, re.MULTILINE)
EXPECTED: Final = [
    *(f"S{number}" for number in range(1, 23)),
    *(f"T{number}" for number in range(1, 8)),
    *(f"A{number}" for number in range(1, 11)),
    *(f"I{number}" for number in range(1, 16)),
    "I17",
]


def test_no_row_is_missing() -> None:
    found = [row for row, _, _ in ROWS]
    assert sorted(set(EXPECTED) - set(found)) == []
    assert len(found) == len(set(found))


@pytest.mark.parametrize(("row", "tests"), [(row, tests) for row, _, tests in ROWS])
def test_what_a_row_names_exists(row: str, tests: str) -> None:
    named = re.findall(r"`([^`]+\.(?:py|txt))(?:::(\w+))?`", tests)
    assert named or "not built" in tests, row
    for path, function in named:
        place = TESTS / path if "/" in path else Path(__file__).parent / path
        assert place.is_file(), (row, path)
        if function:
            pattern = rf"^(?:async )?def {function}\("
            assert re.search(pattern, place.read_text(), re.MULTILINE), (row, path, function)
