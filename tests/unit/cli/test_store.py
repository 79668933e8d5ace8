"""What `store status` says of the nightly samples, to people and to programs."""

import json
from collections.abc import Callable

import pytest
from click.testing import CliRunner

from mailbox_server.cli import store
from mailbox_server.cli.main import commands
from mailbox_server.ops.rows import IndexRow, SampleRow

SAMPLED = IndexRow(
    120,
    0,
    4096,
    sampled=SampleRow("2026-01-02T03:04:05+00:00", 140, 3),
    documents_sampled=SampleRow("2026-01-02T03:05:00+00:00", 20, 0),
)


UNSAMPLED = IndexRow(120, 0, 4096)


@pytest.fixture
def status(monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """What the verb prints of a row, with further words as given."""

    def shown(row: IndexRow, *words: str) -> str:
        monkeypatch.setattr(store, "ask", lambda *_: [row])
        done = CliRunner().invoke(commands, ["store", "status", *words])
        assert done.exit_code == 0, done.output
        return done.output

    return shown


def test_people_read_when_how_many_and_how_many_wrong(status: Callable[..., str]) -> None:
    assert status(SAMPLED).splitlines()[2:] == [
        "search index last sampled: 2026-01-02T03:04:05+00:00 (140 searches, 3 wrong)",
        "attached texts last sampled: 2026-01-02T03:05:00+00:00 (20 searches, 0 wrong)",
    ]


def test_people_read_never_where_there_was_none(status: Callable[..., str]) -> None:
    assert status(UNSAMPLED).splitlines()[2:] == [
        "search index last sampled: never",
        "attached texts last sampled: never",
    ]


def test_programs_read_the_same(status: Callable[..., str]) -> None:
    (row,) = json.loads(status(SAMPLED, "--json"))
    assert row["sampled"] == {"ended": "2026-01-02T03:04:05+00:00", "tried": 140, "wrong": 3}
    assert row["documents_sampled"]["wrong"] == 0


def test_programs_read_null_where_there_was_none(status: Callable[..., str]) -> None:
    (row,) = json.loads(status(UNSAMPLED, "--json"))
    assert (row["sampled"], row["documents_sampled"]) == (None, None)
