"""Faults end with their own exit code; what is printed cannot drive a terminal."""

import json
from pathlib import Path

import pytest

from mailbox_server.cli.outcome import (
    Surroundings,
    complain,
    exit_code,
    octets,
    printable,
    said,
    show_json,
)
from mailbox_server.cli.tables import show_rows
from mailbox_server.model.errors import (
    AccountMissing,
    AddressMalformed,
    DiskLow,
    MailboxServerFault,
    SettingsMalformed,
    StoreLocked,
)
from mailbox_server.ops.answers import ServerFault
from mailbox_server.ops.rows import AliasRow, DomainRow, MailboxRow

PEOPLE = Surroundings(Path("c.toml"), as_json=False)
MACHINES = Surroundings(Path("c.toml"), as_json=True)
ROWS = [
    AliasRow("info@a.example", ["ann@a.example", "bob@a.example"], "2026-01-01T00:00:00+00:00"),
    AliasRow("x\x1b[31m@a.example", ["ann@a.example"], "2026-01-01T00:00:00+00:00"),
]
COLUMNS = (("ALIAS", "address"), ("STANDS FOR", "targets"))


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (AccountMissing("x"), 1),
        (AddressMalformed("x"), 1),
        (StoreLocked("x"), 3),
        (DiskLow("x"), 3),
        (SettingsMalformed("x"), 4),
        (ServerFault("x"), 5),
    ],
)
def test_exit_codes(fault: MailboxServerFault, code: int) -> None:
    assert exit_code(fault) == code


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (150 << 20, "150 MiB"), (5 << 40, "5.0 TiB")],
)
def test_octets(count: int, text: str) -> None:
    assert octets(count) == text


def test_printable() -> None:
    assert printable("a\x1b[31m\n\u202eb ü") == "a\ufffd[31m\ufffd\ufffdb ü"


def test_a_complaint_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    complain("no account a\nb\x1b")
    assert capsys.readouterr().err == "mailbox-server: no account a\ufffdb\ufffd\n"


def test_with_json_there_is_always_one_value(capsys: pytest.CaptureFixture[str]) -> None:
    said("done it", MACHINES)
    assert json.loads(capsys.readouterr().out) == {"done": "done it"}
    show_rows([], COLUMNS, MACHINES)
    assert json.loads(capsys.readouterr().out) == []
    show_rows(ROWS, COLUMNS, MACHINES)
    first, second = json.loads(capsys.readouterr().out)
    assert first["targets"] == ["ann@a.example", "bob@a.example"]
    assert first.keys() == {"address", "targets", "created", "missing"}
    assert second["address"] == "x\x1b[31m@a.example"
    show_json(ROWS[0])
    assert json.loads(capsys.readouterr().out) == first


def test_a_table_in_a_pipe_has_a_line_a_row(capsys: pytest.CaptureFixture[str]) -> None:
    long = AliasRow("l@a.example", [f"target{n}@a.example" for n in range(100)], "")
    show_rows([*ROWS, long], COLUMNS, PEOPLE)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4
    assert lines[1] == "info@a.example    ann@a.example bob@a.example"
    assert lines[2].startswith("x\ufffd[31m@a.example")
    assert lines[3].endswith("target99@a.example")
    assert not any(line.endswith(" ") for line in lines)


def test_cells(capsys: pytest.CaptureFixture[str]) -> None:
    show_rows(
        [MailboxRow("f1", "[red]", None, 3, 0, 2048, 4, True)],
        (("M", "name"), ("R", "role"), ("N", "messages"), ("O", "octets"), ("S", "subscribed")),
        PEOPLE,
    )
    assert capsys.readouterr().out.splitlines()[1].split() == [
        "[red]", "-", "3", "2.0", "KiB", "yes",
    ]  # fmt: skip
    show_rows([], (("DOMAIN", "domain"),), PEOPLE)
    assert capsys.readouterr().out == "none\n"
    show_rows([DomainRow("a", None, "x")], (("DOMAIN", "domain"), ("C", "catch_all")), PEOPLE)
    assert capsys.readouterr().out.splitlines()[1].split() == ["a", "-"]


def test_json_escapes_what_could_drive_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    evil = "\x1b[2J\x9b31m\x7f\u202e\u2028\U000e0001 gr\u00fc\u00dfe \U0001f600\n\\"
    show_json({"said": [evil]})
    shown = capsys.readouterr().out
    assert all(character.isprintable() for character in shown.replace("\n", ""))
    assert json.loads(shown) == {"said": [evil]}
    assert "gr\u00fc\u00dfe \U0001f600" in shown
