"""The IMAP engine and grammar under any octets in any pieces."""

from collections.abc import Sequence
from contextlib import suppress
from itertools import pairwise

from hypothesis import example, given
from hypothesis import strategies as st

from mailbox_server.imap.commands import COMMAND_TABLE
from mailbox_server.imap.engine import Engine
from mailbox_server.imap.engine_events import Command, Event, MessageOctets, NextSteps
from mailbox_server.imap.grammar.dates import parse_date_time
from mailbox_server.imap.grammar.fetch_items import parse_fetch
from mailbox_server.imap.grammar.lexer import Lexer, TextForm
from mailbox_server.imap.grammar.mailbox_names import decode, encode, parse_mailbox
from mailbox_server.imap.grammar.message_arguments import parse_store
from mailbox_server.imap.grammar.search_criteria import parse_search
from mailbox_server.imap.grammar.sequence_sets import By, parse_sequence_set
from mailbox_server.imap.limits import ImapLimits
from mailbox_server.imap.named_grammar import NamedGrammar
from mailbox_server.imap.responses import astring, mailbox, string
from mailbox_server.mime.internal_date import date_time
from mailbox_server.model.errors import BadInput, MailboxNameMalformed
from mailbox_server.model.ids import AccountId
from mailbox_server.model.mailbox import mailbox_name
from mailbox_server.model.message import InternalDate

SMALL = ImapLimits(
    line_octets=200,
    line_octets_before_login=100,
    literal_octets=300,
    literal_octets_before_login=50,
    literals_a_command=5,
    message_octets=500,
    swallow_octets=1_000,
    answer_octets=50,
)
GRAMMARS = {
    **COMMAND_TABLE.grammars,
    "X-FETCH": NamedGrammar(lambda lexer: parse_fetch(lexer, By.UID)),
    "X-SEARCH": NamedGrammar(lambda lexer: parse_search(lexer, By.NUMBER)),
    "X-STORE": NamedGrammar(lambda lexer: parse_store(lexer, By.UID)),
}

WORDS = st.sampled_from(
    [b"a ", b"b NOOP", b"c LOGIN ", b"d APPEND ", b"INBOX", b" ", b"\r\n", b"\n", b"\r", b"{3}\r\n",
     b"{3+}\r\n", b"{0+}\r\n", b"{90+}\r\n", b"{400}\r\n", b"{9999+}\r\n", b"{999999999999}\r\n",
     b"abc", b"xyz", b'"', b"(", b")", b"\\Seen", b"e X-SEARCH ", b"OR ", b"NOT ", b"ALL ",
     b"f X-FETCH 1:* ", b"BODY[", b"]", b"<0.5>", b"FLAGS", b"g X-STORE 1 ", b"+FLAGS ", b"UID ",
     b"h SELECT ", b"i LIST ", b"*", b"%", b"j IDLE\r\n", b"DONE\r\n", b"k STATUS ", b"\0", b"\xff",
     b"x" * 120, b"=", b"l AUTHENTICATE ", b" {5}\r\n"]
)  # fmt: skip
CONVERSATIONS = st.lists(WORDS | st.binary(max_size=8), max_size=40).map(b"".join)


def played(pieces: Sequence[bytes]) -> tuple[list[Event], int]:
    """Every event, message octets joined, and the most octets kept between pieces."""
    engine = Engine(GRAMMARS, SMALL)
    engine.logged_in(AccountId(1))
    found: list[Event] = []
    most = 0
    for piece in pieces:
        engine.receive(piece)
        while (event := engine.next_event()) is not None:
            previous = found[-1] if found else None
            if isinstance(event, MessageOctets) and isinstance(previous, MessageOctets):
                found[-1] = MessageOctets(previous.octets + event.octets, event.last)
            else:
                found.append(event)
            match event:
                case Command(name="APPEND" | "REPLACE" | "UID REPLACE") | NextSteps():
                    engine.accept_message()
                case Command(name="IDLE"):
                    engine.expect_line()
        most = max(most, engine.backlog)
    return found, most


@given(CONVERSATIONS, st.lists(st.integers(0, 500), max_size=30))
@example(b"d APPEND INBOX {3+}\r\nabc {3}\r\nxyz\r\nb NOOP\r\n", [25, 26, 30])
@example(b"j IDLE\r\nDONE\r\nb NOOP\r\n", [8])
def test_any_pieces_give_the_same_events(octets: bytes, cuts: list[int]) -> None:
    whole, _ = played([octets])
    edges = [0, *sorted(min(cut, len(octets)) for cut in cuts), len(octets)]
    pieces = [octets[a:b] for a, b in pairwise(edges)]
    in_pieces, most = played(pieces)
    assert _told(in_pieces) == _told(whole)
    assert most <= SMALL.line_octets + max(map(len, pieces), default=0)


@given(CONVERSATIONS)
@example(b"x" * (SMALL.line_octets + 1) + b" NOOP\r\nb NOOP\r\n")
def test_octet_by_octet_gives_the_same_events(octets: bytes) -> None:
    in_pieces, most = played([octets[at : at + 1] for at in range(len(octets))])
    assert _told(in_pieces) == _told(played([octets])[0])
    assert most <= SMALL.line_octets + 1


def _told(events: list[Event]) -> list[Event]:
    """Events without the empty pieces of messages that are still coming."""
    return [e for e in events if not (isinstance(e, MessageOctets) and not e.octets and not e.last)]


ARGUMENTS = st.lists(WORDS | st.binary(max_size=6), max_size=12).map(b"".join)


@given(ARGUMENTS)
def test_no_grammar_raises_anything_but_bad_input(octets: bytes) -> None:
    for grammar in GRAMMARS.values():
        with suppress(BadInput):
            grammar.parse(Lexer(b" " + octets))
        with suppress(BadInput):
            grammar.parse(Lexer(b" " + octets, 0, TextForm.UTF8))


@given(st.text())
def test_modified_utf7_both_ways(text: str) -> None:
    octets = encode(text)
    assert octets.isascii()
    try:
        assert decode(octets) == text
    except MailboxNameMalformed:
        # Lone surrogates are no text.
        assert any(0xD800 <= ord(character) < 0xE000 for character in text)


PRINTABLE = st.lists(st.integers(0x20, 0x7E) | st.sampled_from(b"&-,A"), max_size=40).map(bytes)


@given(PRINTABLE)
def test_what_decodes_encodes_to_the_same(octets: bytes) -> None:
    try:
        text = decode(octets)
    except MailboxNameMalformed:
        return
    assert encode(text) == octets


@given(st.text(min_size=1, max_size=50), st.sampled_from(TextForm))
def test_a_mailbox_name_survives_the_wire(text: str, form: TextForm) -> None:
    try:
        name = mailbox_name(text)
    except MailboxNameMalformed:
        return
    assert parse_mailbox(Lexer(mailbox(name, form), 0, form)) == name


@given(st.binary(max_size=1_200).filter(lambda octets: b"\0" not in octets))
def test_strings_survive_the_wire(octets: bytes) -> None:
    assert Lexer(string(octets)).string() == octets
    assert Lexer(astring(octets)).astring() == octets


@given(st.integers(-62_000_000_000, 253_000_000_000), st.integers(-1_439, 1_439))
def test_dates_survive_the_wire(seconds: int, zone: int) -> None:
    moment = InternalDate(seconds, zone)
    assert parse_date_time(Lexer(date_time(moment))) == moment


NUMBERS = st.integers(0, 30)


@given(st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=6), st.integers(0, 30))
def test_sequence_sets_mean_what_they_say(ranges: list[tuple[int, int]], largest: int) -> None:
    text = ",".join(f"{first or '*'}:{last or '*'}" for first, last in ranges)
    found = set(parse_sequence_set(Lexer(text.encode())).resolved(largest))
    expected = set()
    for first, last in ranges:
        if not largest and not (first and last):
            continue
        low, high = sorted((first or largest, last or largest))
        expected |= set(range(low, high + 1))
    assert found == expected
