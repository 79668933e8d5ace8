"""Servers that misbehave, as another project describes them: what our client makes of each.

Our fake server retells each description; whoever must have TLS never sends without it, and
nothing that a server says is more than a temporary trouble but a refusal in its own words.
"""

import re
import ssl
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from mailbox_server.model.tls_demand import TlsLevel, TlsPolicy
from mailbox_server.relay.client.opening import Opening
from tests.contract.sending import MAIL, QUICK, WANT, Octets, Recorded, client, host_of, to
from tests.issued import issue
from tests.smtp_peer import SmtpPeer

Vectors = Callable[[str], Path]

ENCRYPTED: Final = replace(WANT, level=TlsLevel.ENCRYPTED, policy=TlsPolicy.OPERATOR)
_STRING: Final = re.compile(r'"((?:[^"\\]|\\.)*)"')
_COMMENT: Final = re.compile(r"//[^\n]*")

# What comes of the descriptions in a folder, where TLS is a wish and where it must be: by the
# beginning of the name.  A bare phase: deferred or refused there.
EXPECTED: Final = (
    ("Buffering/", "secured", "secured"),
    ("Negotiation/D", "clear", "tls"),
    ("Negotiation/O", "clear", "tls"),
    ("others/X_1", "clear", "tls"),
    ("others/ehlo/221", "hello", "hello"),
    ("others/ehlo/354", "hello", "hello"),
    ("others/ehlo/421", "hello", "hello"),
    ("others/ehlo/", "clear", "tls"),
    ("others/greeting/220", "secured", "secured"),
    ("others/greeting/", "greeting", "greeting"),
    ("others/helo/ehlo500_helo220", "clear", "tls"),
    ("others/helo/", "hello", "hello"),
    ("others/quit/", "greeting", "greeting"),
    ("others/rset/", "clear", "tls"),
    ("others/starttls/220", "secured", "secured"),
    ("others/starttls/", "clear", "tls"),
)


def retold(text: str, context: ssl.SSLContext) -> SmtpPeer:
    """A fake server that does as one description says."""
    text = _COMMENT.sub("", text)
    offers_tls = "StartTLS" in field_of(text, "capabilities")
    says: dict[str, bytes] = {}
    for command, answer in pairs(field_of(text, "override_response")):
        says[command.upper()] = answer
    for name, command in (("greeting", "GREETING"), ("stls_response", "STARTTLS")):
        found = _STRING.search(field_of(text, name))
        if found is not None:
            says[command] = unescaped(found[1])
    for command in _STRING.findall(field_of(text, "hide_commands")):
        says[command.upper()] = b"500 unknown\r\n"
    return SmtpPeer(("PIPELINING",), context=context if offers_tls else None, says=says)


def field_of(text: str, name: str) -> str:
    """What stands after a field's name, up to the next field."""
    found = re.search(rf"\b{name}:(.*?)(?=\n\s*\w+:|\Z)", text, re.DOTALL)
    return "" if found is None else found[1]


def pairs(text: str) -> list[tuple[str, bytes]]:
    strings = _STRING.findall(text)
    return [(one, unescaped(two)) for one, two in zip(strings[::2], strings[1::2], strict=True)]


def unescaped(text: str) -> bytes:
    return text.replace("\\r", "\r").replace("\\n", "\n").encode()


async def came_of(peer: SmtpPeer, opening: Opening) -> str:
    if opening.connection is None:
        assert opening.trouble is not None
        assert opening.trouble.reply.code < 500 or opening.trouble.is_theirs
        assert peer.taken == []
        return opening.trouble.phase.value
    recorded = Recorded()
    assert await opening.connection.send(MAIL, to("ann"), Octets(), recorded) == ()
    assert recorded.findings == ["delivered"]
    await opening.connection.quit()
    return "secured" if peer.taken[0].is_secured else "clear"


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    return issue("mx", names=("mx.example.net",)).context(tmp_path_factory.mktemp("issued"))


async def test_all_that_are_described(
    vectors: Vectors, context: ssl.SSLContext, record_property: Callable[[str, object], None]
) -> None:
    folder = vectors("hostile-servers") / "smtp"
    files = [one for one in sorted(folder.rglob("*.ron")) if not one.name.startswith("setup")]
    assert files
    limits = replace(QUICK, handshake=2, quit=0.5)
    for file in files:
        name = str(file.relative_to(folder))
        wish, need = next(rest for beginning, *rest in EXPECTED if name.startswith(beginning))
        for demand, expected in ((WANT, wish), (ENCRYPTED, need)):
            peer = retold(file.read_text("utf-8"), context)
            async with peer.listening():
                opening = await client(limits).open([host_of(peer, demand)])
                assert await came_of(peer, opening) == expected, (name, demand.level)
            assert not any(one.is_secured is False for one in peer.taken) or demand is WANT
    record_property("servers", len(files))
