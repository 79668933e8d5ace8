"""Try mode's world is made once, found again, and never takes over somebody else's folder."""

import socket
from pathlib import Path

import msgspec
import pytest

from mailbox_server.app.configuration import load
from mailbox_server.app.consistency import check
from mailbox_server.model.errors import SettingsMalformed
from mailbox_server.model.ports import SystemClock
from mailbox_server.ops.quickstart import (
    STATE_FILE,
    ensure_certificate,
    ensure_world,
    welcome,
    write_config,
)


def test_a_world_is_found_again(tmp_path: Path) -> None:
    home = tmp_path / "home"
    world = ensure_world(home)
    assert ensure_world(home) == world
    assert home.stat().st_mode & 0o777 == 0o700
    assert (home / STATE_FILE).stat().st_mode & 0o777 == 0o600
    assert len({account.password for account in world.accounts}) == 2
    assert len(set(world.ports.values())) == 7


def test_a_taken_port_is_replaced_and_the_rest_stays(tmp_path: Path) -> None:
    world = ensure_world(tmp_path)
    with socket.create_server(("127.0.0.1", world.ports["imap"])):
        other = ensure_world(tmp_path)
    assert other.ports["imap"] != world.ports["imap"]
    assert other.accounts == world.accounts
    kept = {k: v for k, v in other.ports.items() if k != "imap"}
    assert kept == {k: v for k, v in world.ports.items() if k != "imap"}


@pytest.mark.parametrize("octets", [b"", b"{", b"[]", b"\xff", b'{"domain": 3}'])
def test_a_damaged_state_is_told(tmp_path: Path, octets: bytes) -> None:
    (tmp_path / STATE_FILE).write_bytes(octets)
    with pytest.raises(SettingsMalformed, match=r"delete .* to start afresh"):
        ensure_world(tmp_path)


def test_somebody_elses_folder_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(SettingsMalformed, match=r"thesis\.tex"):
        ensure_world(tmp_path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_file_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for home in (tmp_path / "file", tmp_path / "file" / "home"):
        with pytest.raises(SettingsMalformed, match="cannot be used"):
            ensure_world(home)


def test_its_configuration_can_be_used(tmp_path: Path) -> None:
    home = tmp_path / 'a "strange" \\ höme'
    world = ensure_world(home)
    config = write_config(home, world, ensure_certificate(home, world, SystemClock()))
    settings = load(config)
    check(settings, str(config))
    assert settings.listen.imaps == [f"127.0.0.1:{world.ports['imaps']}"]
    assert config.stat().st_mode & 0o777 == 0o600


def test_the_welcome_says_how_to_look_behind(tmp_path: Path) -> None:
    world = ensure_world(tmp_path)
    ann = world.accounts[0]
    text = welcome(world, ann, "prog --config c", tmp_path / "ca.pem", SystemClock())
    assert b"prog --config c message list ann@example.test\r\n" in text
    assert str(world.ports["imaps"]).encode() in text
    assert ann.password.encode() not in text
    assert b"\n" not in text.replace(b"\r\n", b"")


def test_the_state_holds_what_it_must(tmp_path: Path) -> None:
    world = ensure_world(tmp_path)
    found = msgspec.json.decode((tmp_path / STATE_FILE).read_bytes())
    assert found["ports"] == world.ports
