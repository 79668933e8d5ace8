"""What follows SETACL, DELETEACL and LISTRIGHTS (RFC 4314 §3)."""

import enum
from dataclasses import dataclass
from typing import Final

from mailbox_server.imap.grammar.faults import ArgumentsMalformed
from mailbox_server.imap.grammar.lexer import Lexer
from mailbox_server.imap.grammar.mailbox_names import parse_mailbox
from mailbox_server.model.errors import RightsMalformed
from mailbox_server.model.rights import NEGATIVE, Rights, parse_rights

IDENTIFIER_OCTETS: Final = 1_000


class Amendment(enum.Enum):
    """What SETACL does to the rights that an identifier has."""

    REPLACE = "="
    ADD = "+"
    REMOVE = "-"


@dataclass(frozen=True, slots=True)
class Identifier:
    """Whom an entry is about: written is the whole, name without the dash of negative rights."""

    written: bytes
    name: str
    is_negative: bool


@dataclass(frozen=True, slots=True)
class IdentifierArguments:
    """A mailbox, its name in stored form, and an identifier."""

    mailbox: str
    identifier: Identifier


@dataclass(frozen=True, slots=True)
class SetAclArguments:
    """SETACL."""

    mailbox: str
    identifier: Identifier
    amendment: Amendment
    rights: Rights


def parse_identified(lexer: Lexer) -> IdentifierArguments:
    """Read `INBOX bob@example.org`."""
    lexer.space()
    mailbox = parse_mailbox(lexer)
    lexer.space()
    identifier = _identifier(lexer)
    lexer.end()
    return IdentifierArguments(mailbox, identifier)


def parse_set_acl(lexer: Lexer) -> SetAclArguments:
    """Read `INBOX bob@example.org +lrs`."""
    lexer.space()
    mailbox = parse_mailbox(lexer)
    lexer.space()
    identifier = _identifier(lexer)
    lexer.space()
    written = lexer.astring().decode("latin-1")
    lexer.end()
    amendment = Amendment.REPLACE
    if written[:1] in (Amendment.ADD.value, Amendment.REMOVE.value):
        amendment, written = Amendment(written[0]), written[1:]
    try:
        rights = parse_rights(written)
    except RightsMalformed as fault:
        raise ArgumentsMalformed("There is no such right") from fault
    return SetAclArguments(mailbox, identifier, amendment, rights)


def _identifier(lexer: Lexer) -> Identifier:
    written = lexer.astring()
    try:
        text = written.decode("utf-8")
    except UnicodeDecodeError as fault:
        raise ArgumentsMalformed("An identifier is UTF-8") from fault
    name = text.removeprefix(NEGATIVE)
    if not name or len(written) > IDENTIFIER_OCTETS:
        raise ArgumentsMalformed("An identifier has some letters, not too many")
    return Identifier(written, name, text.startswith(NEGATIVE))
