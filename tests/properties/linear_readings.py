"""What the server does with a hostile message or line, from its arrival to FETCH and SEARCH."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from mailbox_server.imap.commands import COMMAND_TABLE
from mailbox_server.imap.engine import Engine
from mailbox_server.imap.engine_events import Command
from mailbox_server.imap.limits import ImapLimits
from mailbox_server.mime.header_fields import LISTED_FIELDS, select, split_fields
from mailbox_server.mime.message import analyze
from mailbox_server.mime.part_table import read_part_table, write_part_table
from mailbox_server.mime.scanner import BLOCK_OCTETS, Scanner
from mailbox_server.mime.search_text import header_holds
from mailbox_server.mime.structure import SectionText, Structure, part_at, section_range
from mailbox_server.mime.text_seeking import texts_hold
from mailbox_server.model.ids import AccountId
from mailbox_server.pop3.engine import Engine as Pop3Engine
from mailbox_server.pop3.stuffing import Stuffing
from mailbox_server.pop3.top_cut import TopCut
from mailbox_server.smtp.commands import Data
from mailbox_server.smtp.engine import Engine as SmtpEngine
from mailbox_server.smtp.grammar import parse
from mailbox_server.smtp.limits import SmtpLimits

_GRAMMARS: Final = COMMAND_TABLE.grammars
_ABSENT: Final = "is nowhere"


@dataclass(frozen=True, slots=True)
class Scanned:
    """A content with what its scanner found."""

    content: bytes
    structure: Structure
    header: bytes

    def read(self, start: int, length: int) -> bytes:
        """Octets of the content."""
        return self.content[start : start + length]


def scanned(content: bytes) -> Scanned:
    """Scan a content that comes in blocks."""
    scanner = Scanner()
    for at in range(0, len(content), BLOCK_OCTETS):
        scanner.feed(content[at : at + BLOCK_OCTETS])
    scanner.end()
    while scanner.is_behind:
        scanner.catch_up()
    return Scanned(content, scanner.finish(), scanner.header)


def _analyzed(message: Scanned) -> None:
    analyze(message.structure, message.header, message.read)


def _searched(message: Scanned) -> None:
    texts_hold(message.structure, message.read, _ABSENT)
    header_holds(message.header, _ABSENT)


def _fetched(message: Scanned) -> None:
    """BODY[HEADER.FIELDS], and every text of the innermost and the last part."""
    split_fields(message.header)
    for keep in (True, False):
        select(message.header, LISTED_FIELDS, keep=keep)
    structure = read_part_table(write_part_table(message.structure))
    for numbers in (_innermost(structure), (len(structure.root.children),)):
        for text in SectionText:
            section_range(structure, numbers, text)


def _innermost(structure: Structure) -> tuple[int, ...]:
    numbers: tuple[int, ...] = ()
    while len(numbers) < 200 and part_at(structure, (*numbers, 1)) is not None:
        numbers = (*numbers, 1)
    return numbers


MESSAGE_READINGS: Final[Mapping[str, Callable[[Scanned], object]]] = {
    "analyzed": _analyzed,
    "searched": _searched,
    "fetched": _fetched,
}


def imap_command(line: bytes) -> None:
    """A command in pieces of a kilobyte, its limits out of the way."""
    engine = Engine(_GRAMMARS, ImapLimits(line_octets=1 << 30, literal_octets=1 << 30))
    engine.logged_in(AccountId(1))
    for at in range(0, len(line), 1_024):
        engine.receive(line[at : at + 1_024])
        engine.next_event()
    engine.receive(b"\r\n")
    while (event := engine.next_event()) is not None:
        if isinstance(event, Command):
            # What a command would do with its numbers.
            numbers = getattr(event.arguments, "numbers", None)
            if numbers is not None:
                numbers.resolved(100_000)


def smtp_line(line: bytes) -> None:
    """A command line, whole and through the engine."""
    parse(line)
    engine = SmtpEngine(SmtpLimits(command_octets=1 << 30, swallow_command_octets=1 << 30))
    for at in range(0, len(line), 1_024):
        engine.feed(line[at : at + 1_024])
        engine.next_value()
    engine.feed(b"\r\n")
    engine.next_value()


def smtp_content(content: bytes) -> None:
    """What comes after DATA, in small pieces."""
    engine = SmtpEngine(SmtpLimits())
    engine.feed(b"DATA\r\n")
    while isinstance(engine.next_value(), Data):
        engine.begin_content()
    for at in range(0, len(content), 1_000):
        engine.feed(content[at : at + 1_000])
        while engine.next_value() is not None:
            pass


def pop3_content(content: bytes) -> None:
    """A message on its way out, and the same octets as commands."""
    stuffing, top, engine = Stuffing(), TopCut(10, 1 << 30), Pop3Engine(1_000)
    for at in range(0, len(content), 1_000):
        piece = content[at : at + 1_000]
        stuffing.feed(piece)
        top.feed(piece)
        engine.receive(piece)
        while engine.next_command() is not None:
            pass
    stuffing.finish()
