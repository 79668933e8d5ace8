"""Targets of the IMAP room: grammars, engine, names and patterns."""

from contextlib import suppress
from typing import Final

from mailbox_server.imap.commands import COMMAND_TABLE
from mailbox_server.imap.engine import Engine
from mailbox_server.imap.engine_events import Command, Event, MessageOctets, NextSteps
from mailbox_server.imap.grammar.dates import parse_date_time
from mailbox_server.imap.grammar.faults import ArgumentsTooMany
from mailbox_server.imap.grammar.lexer import Lexer, TextForm
from mailbox_server.imap.grammar.mailbox_names import decode, encode, parse_mailbox
from mailbox_server.imap.grammar.search_criteria import DEPTH_MOST, parse_search, parse_stored
from mailbox_server.imap.grammar.search_keys import (
    AndKey,
    FilterKey,
    FuzzyKey,
    NotKey,
    OrKey,
    SearchKey,
    leaves,
)
from mailbox_server.imap.grammar.sequence_sets import By, parse_sequence_set
from mailbox_server.imap.limits import ImapLimits
from mailbox_server.imap.mailboxes.list_patterns import ListPattern
from mailbox_server.imap.responses import astring, mailbox, string
from mailbox_server.imap.search.fuzzy import (
    GRADED_MOST,
    WORDS_MOST,
    grade_of,
    is_fuzzy,
    keys_of,
    widened,
)
from mailbox_server.imap.search.stored_filters import (
    FilterUndefined,
    may_store,
    without_filters,
)
from mailbox_server.mime.internal_date import date_time
from mailbox_server.mime.response_string import string as response_string
from mailbox_server.mime.section_names import read_section
from mailbox_server.model.errors import BadInput, MailboxNameMalformed, UrlMalformed
from mailbox_server.model.ids import AccountId
from mailbox_server.model.imap_url import parse_imap_url
from mailbox_server.model.mailbox import INBOX, SEPARATOR, mailbox_name
from mailbox_server.model.state_token import StateToken
from tests.fuzz.target import Target, pieces_of, text_of

_GRAMMARS: Final = COMMAND_TABLE.grammars
_LIMITS = ImapLimits(
    line_octets=200,
    line_octets_before_login=100,
    literal_octets=300,
    literal_octets_before_login=50,
    literals_a_command=5,
    message_octets=500,
    swallow_octets=1_000,
    answer_octets=50,
)


def _urls(octets: bytes) -> None:
    with suppress(UrlMalformed):
        url = parse_imap_url(octets)
        assert url.mailbox is None or mailbox_name(url.mailbox) == url.mailbox
        assert url.verifier is None or octets.startswith(url.verifier.rump + b":")
        assert 0 < url.uid < 2**32 and "\n" not in url.host
        section = read_section(url.section)
        assert section is None or "\0" not in section.kind.value


def _events(pieces: list[bytes], *, logged_in: bool) -> list[Event]:
    engine = Engine(_GRAMMARS, _LIMITS)
    if logged_in:
        engine.logged_in(AccountId(1))
    found: list[Event] = []
    for piece in pieces:
        engine.receive(piece)
        while (event := engine.next_event()) is not None:
            last = found[-1] if found else None
            if isinstance(event, MessageOctets) and isinstance(last, MessageOctets):
                found[-1] = MessageOctets(last.octets + event.octets, event.last)
            else:
                found.append(event)
            match event:
                case Command(name="APPEND" | "REPLACE" | "UID REPLACE") | NextSteps():
                    engine.accept_message()
                case Command(name="IDLE" | "AUTHENTICATE"):
                    engine.expect_line()
        assert engine.backlog <= _LIMITS.line_octets + len(piece)
    return [
        event
        for event in found
        if not (isinstance(event, MessageOctets) and not event.octets and not event.last)
    ]


def _engine(octets: bytes) -> None:
    for logged_in in (True, False):
        whole = _events([octets], logged_in=logged_in)
        assert _events(list(pieces_of(octets)), logged_in=logged_in) == whole
        one_by_one = [octets[at : at + 1] for at in range(len(octets))]
        assert _events(one_by_one, logged_in=logged_in) == whole


def _grammar(octets: bytes) -> None:
    """The first word names the command; all of them raise nothing but BadInput."""
    name, _, arguments = octets.partition(b":")
    grammar = _GRAMMARS.get(name.decode("latin-1").upper())
    for each in _GRAMMARS.values() if grammar is None else (grammar,):
        with suppress(BadInput):
            each.parse(Lexer(b" " + arguments))


def _stored_filter(octets: bytes) -> None:
    """What may be stored names filters that are bounded; each names all."""
    entry = "/private/filters/values/a"
    if may_store(entry, octets):
        with suppress(FilterUndefined, ArgumentsTooMany):
            key = without_filters(parse_stored(octets), {entry: octets})
            assert not _names_filter(key) and _depth(key) <= DEPTH_MOST + 1


def _names_filter(key: SearchKey) -> bool:
    return any(isinstance(leaf, FilterKey) for leaf in leaves(key))


def _depth(key: SearchKey) -> int:
    """Recursion is what is looked for: a tree deeper than DEPTH_MOST would fail here."""
    match key:
        case NotKey(inner) | FuzzyKey(inner):
            return 1 + _depth(inner)
        case OrKey(one, other):
            return 1 + max(_depth(one), _depth(other))
        case AndKey(keys):
            return 1 + max(map(_depth, keys))
    return 0


def _search(octets: bytes) -> None:
    with suppress(BadInput):
        found = parse_search(Lexer(b" " + octets), By.UID)
        key = found.key
        assert found.names_filter == _names_filter(key)
        assert _depth(key) <= DEPTH_MOST + 1
        assert not is_fuzzy(widened(key)) and (is_fuzzy(key) or widened(key) == key)
        assert len(keys_of(grade_of(key))) <= GRADED_MOST * (3 + 3 * WORDS_MOST)


def _sequence_set(octets: bytes) -> None:
    with suppress(BadInput):
        lexer = Lexer(octets)
        found = parse_sequence_set(lexer)
        for largest in (0, 1, 7, 2**32 - 1):
            resolved = found.resolved(largest)
            for (_, last), (first, _) in zip(resolved.ranges, resolved.ranges[1:], strict=False):
                assert last + 1 < first
            if resolved:
                written = resolved.text().encode("ascii")
                assert parse_sequence_set(Lexer(written)).resolved(largest) == resolved


def _mailbox_names(octets: bytes) -> None:
    with suppress(MailboxNameMalformed):
        text = decode(octets)
        assert b"&" not in octets or not octets.isascii() or encode(text) == octets
        name = mailbox_name(text)
        assert mailbox_name(name) == name
        for form in TextForm:
            assert parse_mailbox(Lexer(mailbox(name, form), text_form=form)) == name
    text = text_of(octets)
    assert decode(encode(text)) == text


def _matches(pattern: str, name: str) -> bool:
    """LIST patterns as RFC 9051 §6.3.9 tells them, position by position."""
    positions = {0}
    for character in pattern:
        if character in "*%":
            reached = set()
            for start in positions:
                end = start
                reached.add(end)
                while end < len(name) and (character == "*" or name[end] != SEPARATOR):
                    end += 1
                    reached.add(end)
            positions = reached
        else:
            positions = {p + 1 for p in positions if p < len(name) and name[p] == character}
    return len(name) in positions


def _list_patterns(octets: bytes) -> None:
    pattern, _, name = text_of(octets).partition("\n")
    # The special rule of INBOX is left to its own tests.
    if INBOX not in pattern.upper() and name != INBOX:
        assert ListPattern(pattern).matches(name) is _matches(pattern, name)
    ListPattern(pattern).matches(INBOX)


def _strings(octets: bytes) -> None:
    """What is sent to a client says what was meant, and ends where it should."""
    plain = octets.replace(b"\0", b"?")
    for written in (string(plain), astring(plain), response_string(octets)):
        lexer = Lexer(written + b" NEXT")
        assert lexer.astring() == plain
        lexer.space()
        assert lexer.atom() == b"NEXT"
    with suppress(BadInput):
        moment = parse_date_time(Lexer(octets))
        assert parse_date_time(Lexer(date_time(moment))) == moment
    with suppress(BadInput):
        token = StateToken.parse(text_of(octets))
        assert StateToken.parse(str(token)) == token


_FETCH = (
    b"FETCH:1:*,7 (FLAGS BODY.PEEK[1.2.HEADER.FIELDS (From {2+}\r\nTo)]<0.5> RFC822.SIZE)",
    b"FETCH:1 FULL (CHANGEDSINCE 12)",
)
_OTHERS = (
    b'SEARCH:CHARSET UTF-8 OR (FROM "x" NOT SEEN) UID 1:5 SINCE 1-Jan-2026 HEADER X {1}\r\ny',
    b'LIST:(SUBSCRIBED) "" (% "*a") RETURN (CHILDREN SPECIAL-USE)',
    b"CREATE:x (USE (\\Sent))",
    b"STORE:1:5 (UNCHANGEDSINCE 7) +FLAGS.SILENT (\\Seen $Junk)",
    b"STATUS:INBOX (MESSAGES UNSEEN)",
    b'APPEND:INBOX (\\Seen) " 1-Jan-2026 10:00:00 +0100" {5}',
    b'APPEND:INBOX CATENATE (URL "/a/;UID=1" URL {2}\r\n/x) () CATENATE (TEXT {5}',
    b"RESETKEY:INBOX INTERNAL x.y",
    b'GENURLAUTH:"imap://a@b/c/;UID=1;URLAUTH=user+d" INTERNAL x y',
    b"URLFETCH:{2}\r\n/x /y",
    b"LOGIN:ann {3+}\r\nabc",
    b'ID:("name" "x" "version" NIL)',
    b"SELECT:&APw- (CONDSTORE)",
    b"ENABLE:CONDSTORE X",
    b"RENAME:a b",
    b"UID EXPUNGE:1:3,5",
    b"COPY:1 Sent",
    b"AUTHENTICATE:PLAIN =",
    b"NOTIFY:SET STATUS (SELECTED (MessageNew (UID) MessageExpunge)) (SUBTREE (a b) (MailboxName))",
    b"SORT:RETURN (PARTIAL 1:5) (REVERSE DATE SUBJECT) UTF-8 SINCE 1-Jan-2026",
    b"THREAD:REFERENCES UTF-8 (OR SEEN DRAFT)",
    b"COMPRESS:DEFLATE",
    b'ESEARCH:IN (mailboxes ("a" &APw-) subtree-one b personal) RETURN (MIN PARTIAL 1:5) UNSEEN',
)
_WORDS = (
    b"(",
    b")",
    b"[",
    b"]",
    b"<0.1>",
    b'"',
    b"\\",
    b"{3}\r\n",
    b"{3+}\r\n",
    b"*",
    b"%",
    b"NIL",
    b" ",
    b"BODY[",
    b"HEADER.FIELDS",
    b"MIME",
    b"NOT ",
    b"OR ",
    b"CHARSET ",
    b"KEYWORD ",
    b"MODSEQ ",
    b"\\Seen",
    b"\\Recent",
    b"&-",
    b"&APw-",
    b"UID ",
    b"4294967295",
    b"4294967296",
)

IMAP_TARGETS = (
    Target(
        "imap-engine",
        "IMAP octets, whole and in pieces",
        _engine,
        (
            b"a NOOP\r\nb LOGIN {3}\r\nann {3+}\r\nabc\r\nc SELECT INBOX\r\n",
            b"d APPEND INBOX (\\Seen) {5}\r\nhello {3+}\r\nabc\r\ne IDLE\r\nDONE\r\n",
            b"f AUTHENTICATE PLAIN\r\nAGEAYg==\r\ng UID FETCH 1:* (FLAGS)\r\n",
            b"h APPEND {5+}\r\nINBOX {999+}\r\n",
            b"i APPEND x CATENATE (URL /a/;UID=1 TEXT {2}\r\nab URL {3+}\r\n/;U TEXT {1+}\r\n"
            b"c) {2+}\r\nde\r\nj APPEND URL CATENATE (URL {2}\r\n/x)\r\n",
            b"\x16\x03\x01",
            b"GET / HTTP/1.1\r\n",
        ),
        (
            b"\r\n",
            b"\n",
            b"\r",
            b"{3}\r\n",
            b"{3+}\r\n",
            b"{0+}\r\n",
            b"{90+}\r\n",
            b"{999}\r\n",
            b"\0",
            b"a NOOP\r\n",
            b"b APPEND INBOX ",
            b"c IDLE\r\n",
            b"DONE\r\n",
            b"x" * 120,
            b'"',
            b"(",
            b"{99999999999999999999999+}\r\n",
            b"d LOGIN ",
            b" CATENATE (",
            b" URL ",
            b" TEXT ",
        ),
        1_000,
    ),
    Target(
        "imap-grammar", "arguments of IMAP commands", _grammar, (*_FETCH, *_OTHERS), _WORDS, 800
    ),
    Target(
        "stored-filters",
        "values of FILTER",
        _stored_filter,
        (b'OR SMALLER 5000 FROM "boss@example.com"', b"FILTER a", b"NOT (FILTER b SEEN)"),
        (b"(", b")", b"NOT ", b"OR ", b"ALL ", b"FILTER a ", b"FILTER ", b'""', b"\xc3\xa9"),
        1_500,
    ),
    Target(
        "search-keys",
        "SEARCH",
        _search,
        (
            b"ALL",
            b"(((NOT (OR SEEN UNSEEN))))",
            b'MODSEQ "/flags/\\\\Draft" all 7 LARGER 5',
            b'NOT NOT OR NOT 1:2 OR * 5 SUBJECT x SENTON "1-Jan-2026"',
            b"(" * 50 + b"ALL" + b")" * 50,
            b'FUZZY (TEXT "IMAP break" SINCE 1-Jan-0001 OR LARGER 9 NOT FUZZY SEEN)',
            b"CHARSET ISO-8859-1 BODY {1+}\r\n\xe9 KEYWORD $a UNKEYWORD b",
        ),
        (
            b"(",
            b")",
            b"NOT ",
            b"FUZZY ",
            b"OR ",
            b"OR (",
            b"ALL ",
            b"((((((((",
            b"UID 1 ",
            b'""',
            b"CHARSET ",
        ),
        1_500,
    ),
    Target(
        "sequence-sets",
        "sequence sets",
        _sequence_set,
        (b"1", b"1:*,5", b"4294967295:1,2,3:7,*", b"7:5,6,*:*"),
        (b",", b":", b"*", b"0", b"4294967295", b"1:2", b",,"),
        300,
    ),
    Target(
        "mailbox-names",
        "mailbox names, modified UTF-7",
        _mailbox_names,
        (
            b"INBOX/a",
            b"Entw&APw-rfe",
            b"~peter/mail/&U,BTFw-/&ZeVnLIqe-",
            b"&2D3eAA-",
            b"a&-b/",
            "Entwürfe/é".encode(),
            b"inbox",
            b"&&-",
        ),
        (b"&", b"-", b"&-", b"/", b",", b"&AP", b"&2D3", b"inbox", b"%", b"*", "e\u0301".encode()),
        300,
    ),
    Target(
        "list-patterns",
        "LIST patterns against a slow matcher",
        _list_patterns,
        (b"*a%b\na/xb", b"%/%\na/b", b"*%*%a\nbb/a", b"a*a*a*a\naaaaaaa", b"\n", b"%\nabc/"),
        (b"*", b"%", b"/", b"\n", b"a", b"*%", b"%*"),
        60,
    ),
    Target(
        "imap-strings",
        "strings, dates and states as they leave",
        _strings,
        (
            b'a"b\\c',
            b"",
            b"NIL",
            b"\r\n",
            b"x" * 1_001,
            b'" 1-Jan-2026 10:00:60 +0100"',
            b"12.345~7",
        ),
        (b'"', b"\\", b"\0", b"\xff", b"(", b"-Feb-", b"~", b"."),
        1_200,
    ),
    Target(
        "imap-urls",
        "URLs of messages: host, user, mailbox, section, partial, for whom and until when",
        _urls,
        (
            b"imap://joe@example.com/INBOX/;uid=20/;section=1.2;urlauth=submit+fred:internal:"
            b"91354a473744909de610943775f92038",
            b"imap://;AUTH=*@[::1]:143/a%2Fb/../c;UIDVALIDITY=7/;UID=1/;PARTIAL=0.1024",
            b"/x/;UID=1/;SECTION=HEADER.FIELDS%20(From%20To);EXPIRE=1990-12-31T15:59:60-08:00"
            b";URLAUTH=anonymous",
            b";UID=1",
        ),
        (
            b"imap://",
            b"@",
            b"/;",
            b"UID=",
            b"%2F",
            b"/../",
            b";URLAUTH=",
            b":INTERNAL:",
            b";EXPIRE=",
        ),
        400,
    ),
)
