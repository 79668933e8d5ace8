"""Any octets, cut anywhere: the same values, no exception, bounded memory."""

from itertools import zip_longest

from hypothesis import given
from hypothesis import strategies as st

from mailbox_server.smtp.commands import Data
from mailbox_server.smtp.data import ContentRules, DataReader
from mailbox_server.smtp.engine import ContentBlock, ContentEnd, Engine, Value
from mailbox_server.smtp.grammar import parse
from mailbox_server.smtp.limits import SmtpLimits

LIMITS = SmtpLimits(message_octets=60, line_octets=30, command_octets=40, swallow_command_octets=80)

PIECES = st.sampled_from(
    [
        b"\r\n",
        b"\r",
        b"\n",
        b".",
        b"\r\n.\r\n",
        b"\r\n.",
        b"\0",
        b"DATA\r\n",
        b"BDAT 5\r\n",
        b"BDAT 0 LAST\r\n",
        b"BDAT 7 LAST\r\n",
        b"BDAT ",
        b"RSET\r\n",
        b"MAIL FROM:<a@b.example>\r\n",
        b"NOOP",
        b" ",
        b"x" * 25,
        b"\xff",
        b"GET /",
        b"<",
        b">",
        b'"',
        b"=",
    ]
)
PATH_MARKS = rb'< > @ : , \ " a . [ ] %'.split()
VALUE_MARKS = rb"IPv6: SIZE= ORCPT= utf-8; rfc822; +2B \x{41}".split()
ARGUMENT_PARTS = st.sampled_from([*PATH_MARKS, *VALUE_MARKS, "ä".encode(), b" "])
STREAMS = st.lists(st.one_of(PIECES, st.binary(max_size=4)), max_size=40).map(b"".join)
CUTS = st.lists(st.integers(1, 9), max_size=60)


def values(octets: bytes, cuts: list[int]) -> list[Value]:
    engine = Engine(LIMITS)
    found: list[Value] = []
    at = 0
    for size in [*cuts, len(octets) or 1]:
        piece = octets[at : at + size]
        at += size
        engine.feed(piece)
        while (value := engine.next_value()) is not None:
            if isinstance(value, Data):
                engine.begin_content()
            last = found[-1] if found else None
            if isinstance(value, ContentBlock):
                assert value.octets
                if isinstance(last, ContentBlock):
                    found[-1] = ContentBlock(last.octets + value.octets)
                    continue
            found.append(value)
        # All that is complete was given out; what is left is a beginning of a line.
        assert engine.pending <= LIMITS.command_octets
    return without_refused_content(found)


def without_refused_content(found: list[Value]) -> list[Value]:
    """Content given before its problem was found depends on the cuts, and nobody keeps it."""
    kept: list[Value] = []
    for value, following in zip_longest(found, found[1:]):
        if isinstance(value, ContentBlock) and not (
            isinstance(following, ContentEnd) and following.problem is None
        ):
            continue
        kept.append(value)
    return kept


@given(STREAMS, CUTS)
def test_any_cuts_give_the_same_values(octets: bytes, cuts: list[int]) -> None:
    assert values(octets, cuts) == values(octets, [])


@given(st.binary(max_size=300))
def test_any_line_parses_to_a_command(line: bytes) -> None:
    parse(line)


@given(
    st.sampled_from([b"MAIL FROM:", b"RCPT TO:", b"EHLO ", b"BDAT ", b"VRFY ", b"AUTH "]),
    st.lists(ARGUMENT_PARTS, max_size=20),
)
def test_any_argument_parses_to_a_command(verb: bytes, parts: list[bytes]) -> None:
    parse(verb + b"".join(parts))


LINES = st.lists(st.text(alphabet=".abc ", max_size=6).map(str.encode), max_size=12).map(
    lambda lines: b"".join(line + b"\r\n" for line in lines)
)


@given(LINES, CUTS)
def test_stuffing_then_reading_is_identity(content: bytes, cuts: list[int]) -> None:
    """RFC 5321 §4.5.2, both sides."""
    lines = content.split(b"\r\n")[:-1]
    sent = b"".join((b"." if line.startswith(b".") else b"") + line + b"\r\n" for line in lines)
    sent += b".\r\nQUIT\r\n"
    rules = ContentRules(10_000, 10_000)
    reader = DataReader(rules)
    found = b""
    at = 0
    for size in [*cuts, len(sent)]:
        found += reader.take(sent[at : at + size])
        at += size
        if reader.ended:
            break
    assert found == content
    assert rules.finish() is None
    assert reader.rest + sent[at:] == b"QUIT\r\n"
