"""Every POP3 script holds in memory and over sockets, whole and octet by octet."""

import ipaddress
import ssl
from pathlib import Path

import pytest

from mailbox_server.model.address import Domain
from mailbox_server.model.ports import SystemClock
from mailbox_server.net.certificates import ensure_server_certificate
from mailbox_server.net.tls import ServerTls
from mailbox_server.pop3.capabilities import CAPABILITIES
from mailbox_server.pop3.grammar import COMMANDS
from tests.dialogues.player.play import Strictness, play
from tests.dialogues.player.script import Script, scripts_in
from tests.dialogues.pop3.driver import MemoryDriver, SocketDriver, World, served

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def contexts(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server context, and a client context that trusts it."""
    issued = ensure_server_certificate(
        tmp_path_factory.mktemp("tls"),
        [Domain("localhost")],
        [ipaddress.ip_address("127.0.0.1")],
        SystemClock(),
    )
    tls = ServerTls.open([issued.files])
    assert isinstance(tls, ServerTls)
    return tls.context, ssl.create_default_context(cafile=issued.authority)


@pytest.mark.parametrize("chunk", [None, 1])
@pytest.mark.parametrize("script", scripts_in(HERE))
async def test_in_memory(script: Script, chunk: int | None) -> None:
    world = World()
    await play(script, MemoryDriver(world), Strictness.EVERY_LINE, chunk=chunk)
    world.house.crunch.close()
    assert "secret" not in repr(world.house.events.seen)


@pytest.mark.parametrize("script", scripts_in(HERE))
async def test_over_sockets(
    script: Script, contexts: tuple[ssl.SSLContext, ssl.SSLContext]
) -> None:
    world = World()
    async with served(world, contexts[0]) as server:
        driver = SocketDriver(world, server, contexts[1])
        await play(script, driver, Strictness.EVERY_LINE)
        await driver.close()
    assert all(isinstance(fault, KeyError) for fault in world.house.events.faults)


def test_every_command_has_a_script() -> None:
    folders = {path.name for path in HERE.iterdir() if path.is_dir() and any(path.glob("*.txt"))}
    missing = {row.verb.value.lower() for row in COMMANDS} - folders
    assert not missing


def test_every_capability_stands_in_a_script() -> None:
    texts = "".join(path.read_text() for path in HERE.glob("capa/*.txt"))
    missing = [row.tag for row in CAPABILITIES if f"1< {row.tag}" not in texts]
    assert not missing
    assert all(row.rfc.startswith("RFC ") for row in (*CAPABILITIES, *COMMANDS))
