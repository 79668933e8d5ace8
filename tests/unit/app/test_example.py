"""config.example.toml is exactly what the typed settings say, and loads to the defaults."""

from pathlib import Path

from mailbox_server.app.configuration import load
from mailbox_server.app.example import example
from mailbox_server.app.settings import Settings

_FILE = Path(__file__).parents[3] / "config.example.toml"


def test_the_file_is_up_to_date() -> None:
    assert _FILE.read_text() == example()


def test_the_file_is_all_defaults() -> None:
    assert load(_FILE) == Settings()
