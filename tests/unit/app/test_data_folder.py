"""The data folder is its owner's alone, and somebody else's is refused."""

import os
from pathlib import Path

import pytest

from mailbox_server.app.data_folder import secure
from mailbox_server.model.errors import StoreUnavailable
from tests.unit.auth.memory_store import RecordedEvents


def _mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_rights_of_others_are_taken_away_and_told(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    for name, mode in (("mail.sqlite3", 0o644), ("secret", 0o640), ("lock", 0o600)):
        (tmp_path / name).touch()
        (tmp_path / name).chmod(mode)
    events = RecordedEvents()
    secure(tmp_path, events)
    assert _mode(tmp_path) == 0o700
    assert {_mode(path) for path in tmp_path.iterdir()} == {0o600}
    told = {Path(fields["path"]).name: fields["had"] for _, fields in events.seen}
    assert told == {tmp_path.name: "0755", "mail.sqlite3": "0644", "secret": "0640"}
    secure(tmp_path, events)
    assert len(events.seen) == 3


def test_a_folder_that_is_not_there_is_nobodys(tmp_path: Path) -> None:
    secure(tmp_path / "new", RecordedEvents())
    assert not (tmp_path / "new").exists()


def test_a_link_in_a_files_place_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir(0o700)
    (tmp_path / "victim").touch(0o644)
    (tmp_path / "data" / "secret").symlink_to(tmp_path / "victim")
    with pytest.raises(StoreUnavailable):
        secure(tmp_path / "data", RecordedEvents())
    (tmp_path / "victim").chmod(0o644)


def test_somebody_elses_folder_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: tmp_path.stat().st_uid + 1)
    with pytest.raises(StoreUnavailable, match=r"belongs to user .*; run this as that user"):
        secure(tmp_path, RecordedEvents())


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreUnavailable, match="cannot be used"):
        secure(tmp_path / "file", RecordedEvents())
