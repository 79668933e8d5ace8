"""Every IMAP script, played in memory whole and octet by octet, and over sockets."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
import trustme

from mailbox_server.imap.capabilities import CAPABILITIES, CapabilityRow
from mailbox_server.imap.commands import COMMANDS
from tests.dialogues.imap.memory_driver import MemoryDriver
from tests.dialogues.imap.socket_driver import SocketDriver
from tests.dialogues.imap.world import World
from tests.dialogues.player.play import Strictness, play
from tests.dialogues.player.script import Expect, Script, SendLine, load, scripts_in

HERE: Final = Path(__file__).parent
_SPLIT: Final = re.compile(r"[\s()\[\]\"]+")
_VALUE: Final = re.compile(r"=[\d*]+$")


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


def test_every_command_has_a_script() -> None:
    """A command's scripts stand in a folder of its name."""
    commands = {row.name.lower().replace(" ", "_") for row in COMMANDS}
    folders = {path.parent.name for path in HERE.rglob("*.txt")}
    assert commands <= folders


def test_every_capability_has_a_script() -> None:
    """One whose first line names the row's reference and whose client gives or reads the word."""
    spoken = [(script.rule[0], _words(script)) for script in map(load, HERE.rglob("*.txt"))]
    missing = [
        row.name
        for row in CAPABILITIES
        if not any(
            re.search(rf"{re.escape(_reference(row))}\b", rule) and _word(row) in words
            for rule, words in spoken
        )
    ]
    assert not missing


def _reference(row: CapabilityRow) -> str:
    """The document, without its sections."""
    found = re.match(r"RFC \d+", row.rfc)
    return row.rfc if found is None else found[0]


def _word(row: CapabilityRow) -> str:
    return row.name.upper() if row.value is None else f"{row.name.upper()}="


def _words(script: Script) -> set[str]:
    """Whole words of the client's lines and of the capabilities it is told, in capitals.

    What stands behind a capability's `=` as its value is left out of it; `AUTH=` stands
    before the mechanism that a client chooses.
    """
    words: set[str] = set()
    for step in script.steps:
        if isinstance(step, SendLine):
            said = _SPLIT.split(step.text.upper())
            words.update(said)
            words.update(f"AUTH={word}" for word in said[2:3] if said[1] == "AUTHENTICATE")
        elif isinstance(step, Expect) and "CAPABILITY " in step.source:
            told = _SPLIT.split(step.source.partition("CAPABILITY ")[2].upper())
            words.update(told)
            words.update(_VALUE.sub("=", word) for word in told)
    return words


def test_every_script_is_well_formed() -> None:
    for path in HERE.rglob("*.txt"):
        load(path)
