"""Every IMAP script, played in memory whole and octet by octet, and over sockets."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
import trustme

from mailbox_server.imap.capabilities import CAPABILITIES
from mailbox_server.imap.commands import COMMANDS
from tests.dialogues.imap.memory_driver import MemoryDriver
from tests.dialogues.imap.socket_driver import SocketDriver
from tests.dialogues.imap.world import World
from tests.dialogues.player.play import Strictness, play
from tests.dialogues.player.script import Script, load, scripts_in

HERE: Final = Path(__file__).parent


@pytest.mark.parametrize("chunk", [None, 1])
@pytest.mark.parametrize("script", scripts_in(HERE))
async def test_in_memory(script: Script, chunk: int | None) -> None:
    driver = MemoryDriver(await World.open())
    try:
        await play(script, driver, Strictness.IMAP, chunk=chunk)
    finally:
        await driver.close()


@pytest.mark.parametrize("script", scripts_in(HERE))
async def test_with_no_memory_for_views(script: Script) -> None:
    """Each selected mailbox is packed away after every command; nobody sees a difference."""
    world = await World.open()
    world.views.most_octets = 0
    driver = MemoryDriver(world)
    try:
        await play(script, driver, Strictness.IMAP)
    finally:
        await driver.close()


@pytest.fixture(scope="module")
def authority() -> Iterator[trustme.CA]:
    yield trustme.CA()


@pytest.mark.parametrize("script", scripts_in(HERE))
async def test_over_sockets(script: Script, authority: trustme.CA) -> None:
    driver = SocketDriver(await World.open(), authority)
    try:
        await play(script, driver, Strictness.IMAP)
    finally:
        await driver.close()


def test_every_command_and_capability_has_a_script() -> None:
    """A command's scripts stand in a folder of its name; a capability is named in a script."""
    commands = {row.name.lower().replace(" ", "_") for row in COMMANDS}
    folders = {path.parent.name for path in HERE.rglob("*.txt")}
    assert commands <= folders
    text = "\n".join(path.read_text("utf-8") for path in HERE.rglob("*.txt"))
    missing = [row.name for row in CAPABILITIES if row.name not in text]
    assert not missing


def test_every_script_is_well_formed() -> None:
    for path in HERE.rglob("*.txt"):
        load(path)
