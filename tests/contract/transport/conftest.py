"""A loop of either kind, and a certificate, for Twisted protocols on asyncio transports."""

import asyncio
import ipaddress
import ssl
from collections.abc import Coroutine
from typing import Any

import pytest
import uvloop

from mailbox_server.model.address import Domain
from mailbox_server.model.ports import SystemClock
from mailbox_server.net.certificates import ensure_server_certificate
from mailbox_server.net.tls import ServerTls
from tests.contract.transport.lines import LIMIT, Run


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Run:
    """Run one coroutine on a fresh loop of either kind; trouble the loop reports fails."""
    factory = uvloop.new_event_loop if request.param == "uvloop" else asyncio.new_event_loop

    def on_loop(work: Coroutine[Any, Any, None]) -> None:
        troubles: list[dict[str, Any]] = []

        async def bounded() -> None:
            asyncio.get_running_loop().set_exception_handler(
                lambda _loop, context: troubles.append(context)
            )
            await asyncio.wait_for(work, LIMIT)

        with asyncio.Runner(loop_factory=factory) as runner:
            runner.run(bounded())
        assert troubles == []

    return on_loop


@pytest.fixture(scope="module")
def own_tls(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server context, and a client context that trusts it."""
    issued = ensure_server_certificate(
        tmp_path_factory.mktemp("tls"),
        [Domain("localhost")],
        [ipaddress.ip_address("127.0.0.1")],
        SystemClock(),
    )
    served = ServerTls.open([issued.files])
    assert isinstance(served, ServerTls)
    return served.context, ssl.create_default_context(cafile=issued.authority)
