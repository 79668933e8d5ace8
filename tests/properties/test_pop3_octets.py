"""Any octets in any pieces: the same commands, the same messages, bounded memory."""

from hypothesis import given
from hypothesis import strategies as st

from mailbox_server.pop3.engine import Engine
from mailbox_server.pop3.grammar import Command
from mailbox_server.pop3.stuffing import Stuffing
from mailbox_server.pop3.top_cut import TopCut

LIMIT = 20

lines = st.sampled_from(
    [
        b"QUIT",
        b"RETR 1",
        b"TOP 1 2",
        b"PASS x y ",
        b"AUTH PLAIN =",
        b"",
        b"\x00",
        b"\r",
        b"\xff",
        b"NOOP" + b" " * 16,
        b"NOOP" + b" " * 17,
        b"x" * 60,
    ]
) | st.binary(max_size=30)
ends = st.sampled_from([b"\r\n", b"\n", b"\r", b""])
streams = st.lists(st.tuples(lines, ends), max_size=8).map(
    lambda pairs: b"".join(line + end for line, end in pairs)
)
mails = st.lists(
    st.sampled_from([b".", b"\r\n", b"\n", b"\r", b"a", b"..", b"\r\n.", b"\r\n.\r\n"]), max_size=20
).map(b"".join)


def cut(octets: bytes, sizes: list[int]) -> list[bytes]:
    pieces, at = [], 0
    for size in sizes:
        pieces.append(octets[at : at + size])
        at += size
    return [*pieces, octets[at:]]


def commands(pieces: list[bytes], *, lazily: bool) -> list[Command]:
    engine, got = Engine(LIMIT), []
    for piece in pieces:
        engine.receive(piece)
        while not lazily and (command := engine.next_command()) is not None:
            got.append(command)
        if not lazily:
            assert engine.pending <= LIMIT + 1
    while (command := engine.next_command()) is not None:
        got.append(command)
    return got


@given(octets=streams, sizes=st.lists(st.integers(0, 7), max_size=40))
def test_any_chunking_gives_the_same_commands(octets: bytes, sizes: list[int]) -> None:
    whole = commands([octets], lazily=False)
    assert commands(cut(octets, sizes), lazily=False) == whole
    assert commands(cut(octets, sizes), lazily=True) == whole


def unstuffed(octets: bytes) -> bytes:
    """As a reader by LF undoes it: poplib, fetchmail and most others."""
    assert octets.endswith(b".\r\n")
    lines = octets[:-3].split(b"\n")
    for line in lines:
        assert not line.startswith(b".") or line.startswith(b"..")
    return b"\n".join(line[1:] if line.startswith(b".") else line for line in lines)


@given(mail=mails | st.binary(max_size=60), sizes=st.lists(st.integers(0, 5), max_size=30))
def test_stuffing_is_undone_by_unstuffing(mail: bytes, sizes: list[int]) -> None:
    stuffing = Stuffing()
    sent = b"".join(stuffing.feed(piece) for piece in cut(mail, sizes)) + stuffing.finish()
    assert sent == b".\r\n" or sent.endswith(b"\r\n.\r\n")
    complete = mail if not mail or mail.endswith(b"\r\n") else mail + b"\r\n"
    assert unstuffed(sent) == complete


@given(mail=mails)
def test_stuffing_is_exact_for_mail_with_crlf_only(mail: bytes) -> None:
    mail = b"\r\n".join(mail.replace(b"\r", b"").split(b"\n")) + b"\r\n"
    stuffing = Stuffing()
    sent = stuffing.feed(mail) + stuffing.finish()
    doubled = [b"." + line if line.startswith(b".") else line for line in mail.split(b"\r\n")]
    assert sent == b"\r\n".join(doubled) + b".\r\n"


@given(
    mail=mails,
    header=st.integers(0, 10),
    lines=st.integers(0, 6),
    sizes=st.lists(st.integers(0, 5), max_size=30),
)
def test_top_is_a_beginning_with_so_many_lines(
    mail: bytes, header: int, lines: int, sizes: list[int]
) -> None:
    header = min(header, len(mail))
    top = TopCut(header, lines)
    got = b"".join(top.feed(piece) for piece in cut(mail, sizes) if not top.is_done)
    body = mail[header:].split(b"\n")
    expected = mail[:header] + b"".join(line + b"\n" for line in body[:lines])
    assert got == (mail if len(body) <= lines else expected)
