"""What we replace and use of aiosmtpd is still there, and of the version that was read."""

import asyncio
import inspect
from importlib.metadata import version

import aiosmtpd.smtp
import pytest

from mailbox_server.smtp.server import SmtpConnection

STOCK = aiosmtpd.smtp.SMTP

# Set by our constructor in place of aiosmtpd's, or by the inherited life cycle.
ATTRIBUTES = (
    "loop",
    "hostname",
    "session",
    "transport",
    "_timeout_handle",
    "_handler_coroutine",
)
REPLACED = (
    "__init__",
    "connection_made",
    "connection_lost",
    "eof_received",
    "_handle_client",
    "_timeout_cb",
)
ANSWERS_OF_ITS_OWN = ("smtp_", "auth_")


def test_the_version_is_the_one_that_was_read() -> None:
    assert version("aiosmtpd").split(".")[:2] == ["1", "4"]
    assert tuple(int(part) for part in version("aiosmtpd").split(".")) >= (1, 4, 6)


@pytest.mark.parametrize("name", REPLACED)
def test_what_we_replace_is_aiosmtpds(name: str) -> None:
    assert name in vars(STOCK)
    assert name in vars(SmtpConnection)


@pytest.mark.parametrize("name", ["data_received", "pause_writing", "resume_writing"])
def test_what_we_replace_is_the_stream_protocols(name: str) -> None:
    assert hasattr(asyncio.StreamReaderProtocol, name)
    assert name in vars(SmtpConnection)


@pytest.mark.parametrize("name", ["connection_made", "connection_lost", "eof_received"])
def test_signatures_are_the_same(name: str) -> None:
    theirs = list(inspect.signature(getattr(STOCK, name)).parameters)
    assert list(inspect.signature(getattr(SmtpConnection, name)).parameters) == theirs


def test_handle_client_is_a_coroutine_of_no_argument() -> None:
    assert inspect.iscoroutinefunction(STOCK._handle_client)
    assert list(inspect.signature(STOCK._handle_client).parameters) == ["self"]


async def test_a_stock_connection_has_the_attributes_that_we_set() -> None:
    stock = STOCK(object(), hostname="mx.example.org", loop=asyncio.get_running_loop())
    for name in ATTRIBUTES:
        assert hasattr(stock, name), name


async def test_the_session_is_aiosmtpds() -> None:
    stock = STOCK(object(), hostname="mx.example.org", loop=asyncio.get_running_loop())
    session = stock._create_session()
    assert isinstance(session, aiosmtpd.smtp.Session)
    assert session.peer is None


def test_its_command_loop_is_the_only_way_to_its_commands() -> None:
    """The inherited smtp_* methods answer nobody: only _handle_client called them."""
    callers = [
        name
        for name, function in inspect.getmembers(STOCK, inspect.isfunction)
        if "_smtp_methods" in inspect.getsource(function)
    ]
    assert set(callers) <= {"__init__", "_handle_client", "smtp_HELP"}
    assert not [name for name in vars(SmtpConnection) if name.startswith(ANSWERS_OF_ITS_OWN)]
