"""The trace: what we write before the content, Return-Path and one Received (RFC 5321 §4.4).

Lines end in CRLF and are folded before 78 octets where there is a place to fold.  All
that the peer said and that stands here has been through the grammar: names are domains or
literals, addresses are mailboxes, so no line break can be smuggled in.
"""

from datetime import UTC, datetime
from email.utils import format_datetime
from functools import lru_cache
from typing import Final

from mailbox_server.model.address import Domain, ReversePath
from mailbox_server.model.envelope import Envelope, TlsState

_WIDTH: Final = 78


def return_path(path: ReversePath) -> bytes:
    """The field that stands first in a mailbox, and nowhere else (RFC 5321 §4.4)."""
    return f"Return-Path: <{path}>\r\n".encode()


def received(
    envelope: Envelope,
    hostname: Domain,
    transfer_id: str,
    now: datetime,
    *,
    names_peer: bool = True,
) -> bytes:
    """Received, which stands first in what leaves, too.

    transfer_id: an atom that our log lines know.  `for` is told with one recipient only,
    so that nobody learns of the others (RFC 5321 §7.6).
    names_peer: departing from RFC 5321 §4.4, from where one of our own people sends may be
        left out: it tells everybody where they are.
    """
    words = _received(envelope, hostname, transfer_id, names_peer=names_peer)
    return _folded(words, _date(int(now.timestamp()))).encode("utf-8")


@lru_cache(maxsize=4)
def _date(second: int) -> str:
    return format_datetime(datetime.fromtimestamp(second, UTC))


def _received(
    envelope: Envelope, hostname: Domain, transfer_id: str, *, names_peer: bool
) -> list[str]:
    words = [f"by {hostname}", "(mailbox-server)", f"with {envelope.protocol}"]
    if names_peer:
        words = [*_from(envelope), *words]
    if envelope.tls is not None:
        words.append(_tls(envelope.tls))
    words.append(f"id {transfer_id}")
    if len(envelope.recipients) == 1:
        words.append(f"for <{envelope.recipients[0].address}>")
    return words


def _from(envelope: Envelope) -> list[str]:
    """`from` with what the peer called itself, then what we know: name and address."""
    ip = envelope.peer.ip
    if ip is None:
        known = "(local)"
        literal = "localhost"
    else:
        literal = f"[IPv6:{ip}]" if ip.version == 6 else f"[{ip}]"
        known = f"({envelope.peer_name} {literal})" if envelope.peer_name else f"({literal})"
    return [f"from {envelope.greeting_name or literal}", known]


def _tls(tls: TlsState) -> str:
    return f"(using {tls.version} with cipher {tls.cipher} ({tls.bits} bits))"


def _folded(words: list[str], date: str) -> str:
    words[-1] += ";"
    text, width = "Received:", len("Received:")
    for word in (*words, date):
        octets = len(word) if word.isascii() else len(word.encode("utf-8"))
        if width + 1 + octets < _WIDTH:
            text += f" {word}"
            width += 1 + octets
        else:
            text += f"\r\n\t{word}"
            width = 1 + octets
    return f"{text}\r\n"
