"""The table of verbs is complete, global options stand anywhere, each end has its code."""

import asyncio
import io
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from mailbox_server.cli import account, main, serve
from mailbox_server.cli.main import VERBS, commands
from mailbox_server.cli.outcome import Surroundings
from mailbox_server.model.errors import StoreLocked

CLI = Path(main.__file__).parent
LEAVES = {
    "serve", "try",
    "domain add", "domain catch-all", "domain list", "domain remove",
    "domain keys", "domain rotate-keys", "domain dns",
    "account add", "account list", "account password", "account quota", "account set",
    "account disable", "account remove",
    "account certificate add", "account certificate list", "account certificate remove",
    "alias add", "alias list", "alias remove",
    "mailbox list", "mailbox rights", "mailbox share",
    "message list", "message show", "message trace", "message raw", "message import",
    "queue list", "queue show", "queue retry", "queue hold", "queue release", "queue drop",
    "queue bounce", "queue route", "queue later", "queue cancel",
    "bounces list", "bounces show", "bounces clear",
    "config check", "config show", "config switches",
    "store check", "store migrate", "store reindex", "store status",
    "token add", "token list", "token revoke",
}  # fmt: skip


@pytest.fixture(autouse=True)
def same_umask() -> Iterator[None]:
    before = os.umask(0)
    os.umask(before)
    yield
    os.umask(before)


def _leaves() -> dict[str, click.Command]:
    return _leaves_of(commands)


def _leaves_of(group: click.Group) -> dict[str, click.Command]:
    found: dict[str, click.Command] = {}
    context = click.Context(group)
    for name in group.list_commands(context):
        verb = group.get_command(context, name)
        assert verb is not None
        if isinstance(verb, click.Group):
            found |= {f"{name} {leaf}": command for leaf, command in _leaves_of(verb).items()}
        else:
            found[name] = verb
    return found


def test_every_verb_of_the_house_is_there() -> None:
    assert _leaves().keys() == LEAVES


def test_every_verb_module_is_in_the_table() -> None:
    with_verb = {p.stem for p in CLI.glob("*.py") if "\ndef verb(" in p.read_text()}
    assert with_verb == {module.rpartition(".")[2] for _, module, _ in VERBS}


@pytest.mark.parametrize("leaf", sorted(LEAVES))
def test_every_verb_has_help(leaf: str) -> None:
    shown = CliRunner().invoke(commands, [*leaf.split(), "--help"])
    assert shown.exit_code == 0
    assert "Usage:" in shown.output
    assert _leaves()[leaf].help, "a sentence on what it does"
    if leaf != "try":
        assert "--config" in shown.output and "--json" in shown.output


def test_the_help_tells_the_exit_codes() -> None:
    shown = " ".join(CliRunner().invoke(commands, ["-h"]).output.split())
    for name, _, sentence in VERBS:
        assert name in shown and sentence in shown
    assert "130 interrupted" in shown


@pytest.mark.parametrize(
    "words",
    [
        ["--config", "x.toml", "--json", "account", "list"],
        ["account", "--config", "x.toml", "--json", "list"],
        ["account", "list", "--config", "x.toml", "--json"],
        ["--config", "other.toml", "account", "--config", "y.toml", "list", "--json", "--config",
         "x.toml"],
    ],
)  # fmt: skip
def test_global_options_stand_anywhere(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Surroundings] = []

    def ask(surroundings: Surroundings, _: object) -> list[object]:
        asked.append(surroundings)
        return []

    monkeypatch.setattr(account, "ask", ask)
    assert CliRunner().invoke(commands, words).exit_code == 0
    assert asked == [Surroundings(Path("x.toml"), as_json=True)]


def test_serve_takes_its_configuration_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    served: list[Path] = []
    monkeypatch.setattr(serve, "serve", served.append)
    assert CliRunner().invoke(commands, ["serve", "--config", "x.toml"]).exit_code == 0
    environ = {"MAILBOX_SERVER_CONFIG": "of-the-environment.toml"}
    assert CliRunner().invoke(commands, ["serve"], env=environ).exit_code == 0
    words = ["--config", "y.toml", "serve"]
    assert CliRunner().invoke(commands, words, env=environ).exit_code == 0
    assert CliRunner().invoke(commands, ["serve"]).exit_code == 0
    assert served == [
        Path("x.toml"),
        Path("of-the-environment.toml"),
        Path("y.toml"),
        Path("/etc/mailbox-server/config.toml"),
    ]


@pytest.mark.parametrize(
    ("raised", "code", "sentence"),
    [
        (StoreLocked("in use"), 3, "mailbox-server: in use\n"),
        (KeyboardInterrupt(), 130, "mailbox-server: interrupted\n"),
        (asyncio.CancelledError(), 130, "mailbox-server: interrupted\n"),
        (FileNotFoundError(2, "No such file", "/x"), 3, "mailbox-server: /x: No such file\n"),
    ],
)
def test_how_it_ends(
    raised: BaseException,
    code: int,
    sentence: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert _end_of(raised, monkeypatch) == code
    # After ^C the terminal stands in the middle of a line.
    assert capsys.readouterr().err.lstrip("\n") == sentence


def _end_of(raised: BaseException, monkeypatch: pytest.MonkeyPatch) -> object:
    def fail(_: Path) -> None:
        raise raised

    monkeypatch.setattr(serve, "serve", fail)
    monkeypatch.setattr(sys, "argv", ["mailbox-server", "serve"])
    with pytest.raises(SystemExit) as ended:
        main.main()
    return ended.value.code


def test_a_bug_is_a_sentence_and_its_place_only_on_demand(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv(main.DEBUG_VARIABLE, raising=False)
    assert _end_of(KeyError("x"), monkeypatch) == 5
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "a fault of this program, KeyError" in said
    monkeypatch.setenv(main.DEBUG_VARIABLE, "1")
    assert _end_of(KeyError("x"), monkeypatch) == 5
    assert "Traceback" in capsys.readouterr().err


def test_wrong_usage_ends_with_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["mailbox-server", "acount", "list"])
    with pytest.raises(SystemExit) as ended:
        main.main()
    assert ended.value.code == 2
    assert "No such command 'acount'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "password"),
    [
        (b"secret word\n", "secret word"),
        (b" kept spaces \r\n", " kept spaces "),
        ("pässwörd".encode(), "pässwörd"),
    ],
)
def test_a_password_is_one_line_of_standard_input(
    given: bytes, password: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given)))
    assert account.read_password() == password


@pytest.mark.parametrize("given", [b"", b"\n", b"\xff\xfe\n"])
def test_no_password_is_wrong_usage(given: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given)))
    with pytest.raises(click.UsageError):
        account.read_password()
