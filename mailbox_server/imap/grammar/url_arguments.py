"""Arguments of RESETKEY, GENURLAUTH and URLFETCH (RFC 4467 §9); URLs are not looked at yet."""

import re
from dataclasses import dataclass
from typing import Final

from mailbox_server.imap.grammar.faults import ArgumentsMalformed, ArgumentsTooMany
from mailbox_server.imap.grammar.lexer import Lexer
from mailbox_server.imap.grammar.mailbox_names import parse_mailbox

URLS_MOST: Final = 500

_MECHANISM: Final = re.compile(rb"[A-Za-z0-9.-]{1,64}(?= |\Z)")


@dataclass(frozen=True, slots=True)
class ResetKeyArguments:
    """RESETKEY; mailbox None means all.  mechanisms: in capitals, () for INTERNAL."""

    mailbox: str | None
    mechanisms: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rump:
    """A URL to be authorized; mechanism: in capitals."""

    url: bytes
    mechanism: str


def parse_reset_key(lexer: Lexer) -> ResetKeyArguments:
    """Read what follows RESETKEY."""
    if lexer.at_end():
        return ResetKeyArguments(None)
    lexer.space()
    mailbox = parse_mailbox(lexer)
    mechanisms = []
    while not lexer.at_end():
        mechanisms.append(_mechanism(lexer))
        if len(mechanisms) > URLS_MOST:
            raise ArgumentsTooMany("Too many mechanisms in one RESETKEY")
    return ResetKeyArguments(mailbox, tuple(mechanisms))


def parse_gen_url_auth(lexer: Lexer) -> tuple[Rump, ...]:
    """Read what follows GENURLAUTH."""
    rumps: list[Rump] = []
    while not (rumps and lexer.at_end()):
        lexer.space()
        rumps.append(Rump(lexer.astring(), _mechanism(lexer)))
        if len(rumps) > URLS_MOST:
            raise ArgumentsTooMany("Too many URLs in one GENURLAUTH")
    return tuple(rumps)


def parse_url_fetch(lexer: Lexer) -> tuple[bytes, ...]:
    """Read what follows URLFETCH."""
    urls: list[bytes] = []
    while not (urls and lexer.at_end()):
        lexer.space()
        urls.append(lexer.astring())
        if len(urls) > URLS_MOST:
            raise ArgumentsTooMany("Too many URLs in one URLFETCH")
    return tuple(urls)


def _mechanism(lexer: Lexer) -> str:
    lexer.space()
    found = lexer.match(_MECHANISM)
    if found is None:
        raise ArgumentsMalformed("Expected a mechanism")
    return found.group().decode("ascii").upper()
