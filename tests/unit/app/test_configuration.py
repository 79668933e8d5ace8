"""The configuration file is read strictly, and its faults are told with file and key."""

from pathlib import Path

import pytest

from mailbox_server.app.configuration import load, not_live, settings_table, value_of
from mailbox_server.app.settings import Settings
from mailbox_server.model.errors import SettingsMalformed


def _load(tmp_path: Path, text: str) -> Settings:
    path = tmp_path / "config.toml"
    path.write_text(text)
    return load(path)


def test_an_empty_file_is_all_defaults(tmp_path: Path) -> None:
    assert _load(tmp_path, "") == Settings()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[server]\nhostname = 3", ["server.hostname", "found 3", "a string"]),
        ('[server]\nhostnam = "x"', ["server.hostnam", "unknown key", "hostname"]),
        ("[sever]\nx = 1", ["sever", "unknown key", "server"]),
        ('[log]\nlevel = "loud"', ["log.level", "'loud'", '"warning"']),
        ('[listen]\nsmtp = ["a", 3]', ["listen.smtp[1]", "found 3", "a string"]),
        ("server = 3", ["server", "found 3"]),
        ("[server", ["not TOML"]),
        ("x = " + "1" * 5_000, ["not TOML"]),
        ("[server]\nuvloop = 1", ["server.uvloop", "found 1", "true or false"]),
    ],
)
def test_a_fault_is_told_with_its_place(tmp_path: Path, text: str, words: list[str]) -> None:
    with pytest.raises(SettingsMalformed) as fault:
        _load(tmp_path, text)
    assert "config.toml" in str(fault.value)
    for word in words:
        assert word in str(fault.value)


def test_unreadable_files_are_told(tmp_path: Path) -> None:
    with pytest.raises(SettingsMalformed, match="cannot be read"):
        load(tmp_path / "missing.toml")
    (tmp_path / "octets.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(SettingsMalformed, match="not UTF-8"):
        load(tmp_path / "octets.toml")
    (tmp_path / "deep.toml").write_text("a = " + "[" * 100_000)
    with pytest.raises(SettingsMalformed):
        load(tmp_path / "deep.toml")


def test_every_key_has_a_note_and_a_value() -> None:
    for setting in settings_table():
        assert setting.note, setting.key
        assert value_of(Settings(), setting.key) == setting.default


def test_what_cannot_change_live_is_named(tmp_path: Path) -> None:
    changed = _load(tmp_path, '[server]\nhostname = "mx.example"\n[log]\nlevel = "error"')
    assert not_live(Settings(), changed) == ["server.hostname"]
