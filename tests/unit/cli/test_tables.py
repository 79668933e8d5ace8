"""Rows for people and for pipes."""

import json
import re
from pathlib import Path

import pytest

from mailbox_server.cli.outcome import Surroundings
from mailbox_server.cli.tables import RowStream, show_rows
from mailbox_server.ops.rows import ImportedRow

COLUMNS = (("MAILBOX", "mailbox"), ("UID", "uid"), ("ID", "id"))


def test_a_long_name_pads_no_other_row(
    capsys: pytest.CaptureFixture[str],
) -> None:
    rows = [ImportedRow("m1", "x" * 300, 1, 1), ImportedRow("m2", "INBOX", 12, 1)]
    show_rows(rows, COLUMNS, Surroundings(Path("c.toml"), as_json=False))
    header, long, short = capsys.readouterr().out.splitlines()
    assert header == "MAILBOX" + " " * 33 + "  UID  ID"
    assert long == "x" * 300 + "    1  m1"
    assert short == "INBOX" + " " * 35 + "   12  m2"


def test_on_a_terminal_a_long_name_is_folded(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    rows = [ImportedRow("m1", "x" * 150, 1, 1), ImportedRow("m2", "INBOX", 12, 1)]
    with monkeypatch.context() as patched:
        patched.setattr("sys.stdout.isatty", lambda: True)
        show_rows(rows, COLUMNS, Surroundings(Path("c.toml"), as_json=False))
    lines = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in capsys.readouterr().out.splitlines()]
    assert lines[1:] == [
        "x" * 60 + "    1  m1",
        "x" * 60,
        "x" * 30,
        "INBOX" + " " * 55 + "   12  m2",
    ]


def test_pages_make_one_table(capsys: pytest.CaptureFixture[str]) -> None:
    stream = RowStream(COLUMNS, Surroundings(Path("c.toml"), as_json=False))
    stream.show([ImportedRow("m1", "INBOX", 12, 1)])
    stream.show([ImportedRow("m2", "Sent mail", 1, 1)])
    stream.end()
    assert capsys.readouterr().out == "MAILBOX  UID  ID\nINBOX     12  m1\nSent mail    1  m2\n"


@pytest.mark.parametrize("pages", [[], [[]], [[1]], [[1, 2], [3], []]])
def test_pages_make_one_array(capsys: pytest.CaptureFixture[str], pages: list[list[int]]) -> None:
    surroundings = Surroundings(Path("c.toml"), as_json=True)
    stream = RowStream(COLUMNS, surroundings)
    rows = [[ImportedRow("m1", "x", uid, 1) for uid in page] for page in pages]
    for page in rows:
        stream.show(page)
    stream.end()
    streamed = capsys.readouterr().out
    show_rows([row for page in rows for row in page], COLUMNS, surroundings)
    assert streamed == capsys.readouterr().out
    assert [row["uid"] for row in json.loads(streamed)] == [uid for page in pages for uid in page]


def test_no_pages_are_none(capsys: pytest.CaptureFixture[str]) -> None:
    RowStream(COLUMNS, Surroundings(Path("c.toml"), as_json=False)).end()
    assert capsys.readouterr().out == "none\n"
