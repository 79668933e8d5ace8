"""What clients and strangers try on IMAP, beside the subjects with files of their own (rows I, A9).

After each the process lives, others are served, and the log has no error.
"""

from collections.abc import Iterator

import pytest

from tests.e2e.appliance import PASSWORDS, Appliance, address
from tests.e2e.attacks.raw import Raw, raw
from tests.e2e.mail import fetch_all, send

pytestmark = pytest.mark.usefixtures("sound")


@pytest.fixture(scope="module", autouse=True)
def mail(appliance: Appliance) -> None:
    for number in range(3):
        send(appliance, b"Subject: %d\r\n\r\nx\r\n" % number, [address("ann"), address("bob")])
    if len(fetch_all(appliance)) == len(fetch_all(appliance, "bob")):
        send(appliance, b"Subject: one more\r\n\r\nx\r\n", [address("ann")])


@pytest.fixture
def known(appliance: Appliance) -> Iterator[Raw]:
    """Bob, logged in, his INBOX selected."""
    with raw(appliance, "imaps") as one:
        one.send(f'a LOGIN {address("bob")} "{PASSWORDS["bob"]}"\r\nb SELECT INBOX\r\n'.encode())
        assert b"b OK" in one.until(b"b ")
        yield one


def ask(one: Raw, command: bytes, tag: bytes = b"t") -> bytes:
    """The tagged reply, or BYE, or nothing when the connection is over."""
    one.send(tag + b" " + command + b"\r\n")
    while line := one.line():
        if line.startswith((tag + b" ", b"* BYE")):
            return line
    return b""


# ---------------------------------------------------------------- I1: before login

HOSTILE = {
    "a line of 9 KB": b"a NOOP " + b"x" * 9_000,
    "a tag of 64 KB": b"a" * 65_536 + b" NOOP",
    "a thousand literals": b"a LOGIN " + b"{0}\r\n " * 1_000,
    "a thousand more": b"a LOGIN " + b"{0+}\r\n " * 1_000,
    "a negative literal": b"a LOGIN {-1}",
    "a literal of nothing": b"a LOGIN {+}",
    "a literal with a sign": b"a LOGIN {+5}\r\n12345",
    "a literal in words": b"a LOGIN {five}",
    "20 digits": b"a LOGIN {99999999999999999999}",
    "4 GiB, not asked for": b"a LOGIN {4294967296+}\r\n" + b"x" * 10_000,
    "parentheses": b"a SEARCH " + b"(" * 7_000,
    "1 MB quoted": b'a LOGIN "' + b"x" * 1_000_000 + b'" x',
    "a quote without end": b'a LOGIN "' + b"x" * 7_000,
    "NUL": b"a LOGIN a\0b c",
    "broken UTF-8": b'a LOGIN "\xff\xfe\xc0\x80" "\xed\xa0\x80"',
    "no tag": b" NOOP",
    "* as a tag": b"* NOOP",
    "+ as a tag": b"+ NOOP",
    "a tag alone": b"a",
    "nothing": b"",
    "CR inside": b"a NOOP\rb LOGIN x y",
    "backslash": b'a LOGIN "\\',
    "escape of a letter": b'a LOGIN "\\x" y',
    "unknown": b"a XYZZY {3+}\r\nabc",
    "login by APPEND": b"a APPEND INBOX {5+}\r\n12345",
    "select": b"a SELECT INBOX",
    "compress": b"a COMPRESS DEFLATE",
    "a very long command": b"a " + b"X" * 2_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_before_login(appliance: Appliance, name: str) -> None:
    with raw(appliance, "imap") as one:
        one.send(HOSTILE[name] + b"\r\n")
        one.send(b"z LOGOUT\r\n")
        one.end_sending()
        said = one.rest()
    for line in said.splitlines():
        assert line.startswith((b"a BAD", b"* BAD", b"* BYE", b"z OK", b"a NO", b"+ ")) or (
            line.split(b" ", 2)[1:2] == [b"BAD"]
        ), line[:80]
        assert len(line) < 70_000
    assert b"a OK" not in said
    assert b"Traceback" not in said


def test_what_is_no_command_ends_it_after_twenty(appliance: Appliance) -> None:
    """I13."""
    with raw(appliance, "imap") as one:
        one.send(b"a XYZZY\r\n" * 1_000)
        said = one.rest().splitlines()
    assert said.count(b"a BAD Unknown command") == 20
    assert said[-1].startswith(b"* BYE")


def test_ten_thousand_commands_are_answered_in_order(appliance: Appliance) -> None:
    """I13."""
    with raw(appliance, "imap") as one:
        one.send(b"".join(b"t%d NOOP\r\n" % number for number in range(10_000)))
        for number in range(10_000):
            assert one.line().startswith(b"t%d OK" % number)


# ---------------------------------------------------------------- I4: SEARCH

SEARCHES = {
    "NOT, 10,000 deep": b"SEARCH " + b"NOT " * 10_000 + b"SEEN",
    "parentheses, 10,000 deep": b"SEARCH " + b"(" * 10_000 + b"SEEN" + b")" * 10_000,
    "OR, 10,000 deep": b"SEARCH " + b"OR SEEN " * 6_000 + b"SEEN",
    "60 deep": b"SEARCH " + b"NOT " * 60 + b"SEEN",
    "keys": b"SEARCH " + b"SEEN " * 12_000 + b"SEEN",
    "ranges": b"SEARCH " + b",".join([b"1:*"] * 10_000),
    "1 MB in a header": b"SEARCH HEADER X {900000+}\r\n" + b"a" * 900_000,
    "patterns": b'SEARCH BODY "(a+)+$ .* [^ %s \\\\1"',
    "keywords": b"SEARCH " + b" ".join(b"KEYWORD k%d" % number for number in range(4_000)),
    "charset": b"SEARCH CHARSET X-NONE TEXT x",
    "numbers": b"SEARCH 4294967295:4294967294,99999999999",
    "dates": b"SEARCH SINCE 99-Foo-99999",
    "fuzzy": b"SEARCH FUZZY TEXT x",
    "broken UTF-8": b"SEARCH CHARSET UTF-8 TEXT {3+}\r\n\xff\xfe\xfd",
}


@pytest.mark.parametrize("name", SEARCHES)
def test_searches(known: Raw, name: str) -> None:
    assert ask(known, SEARCHES[name])[:5] in (b"t OK ", b"t NO ", b"t BAD", b"* BYE")
    if name != "keys":
        assert ask(known, b"NOOP", b"u")[:4] in (b"u OK", b"")


# ---------------------------------------------------------------- I6: FETCH

FETCHES = {
    "far beyond": (b"BODY.PEEK[]<4294967295.4294967295>", b"OK"),
    "more than there is": (b"BODY.PEEK[]<0.4294967295>", b"OK"),
    "beyond 32 bits": (b"BODY.PEEK[]<4294967296.1>", b""),
    "beyond 64 bits": (b"BODY.PEEK[]<18446744073709551616.1>", b"BAD"),
    "nothing of it": (b"BODY.PEEK[]<0.0>", b"BAD"),
    "part of a part": (b"BODY.PEEK[" + b".".join([b"1"] * 1_000) + b"]", b"NO [LIMIT]"),
    "part 0": (b"BODY.PEEK[0]", b"BAD"),
    "part of 20 digits": (b"BODY.PEEK[99999999999999999999]", b"BAD"),
    "10,000 fields": (
        b"BODY.PEEK[HEADER.FIELDS (" + b" ".join(b"X-%d" % n for n in range(6_000)) + b")]",
        b"",
    ),
    "1,000 items": (b"(" + b" ".join([b"BODY.PEEK[TEXT]"] * 1_000) + b")", b""),
    "a field with an end": (b'BODY.PEEK[HEADER.FIELDS ("A\\"]: x")]', b""),
    "a field with a line end": (b"BODY.PEEK[HEADER.FIELDS ({4+}\r\nA\r\nB)]", b""),
}


@pytest.mark.parametrize("name", FETCHES)
def test_fetches(known: Raw, name: str) -> None:
    items, status = FETCHES[name]
    reply = ask(known, b"FETCH 1 " + items)
    assert reply[:5] in (b"t OK ", b"t NO ", b"t BAD", b"* BYE")
    assert status in reply
    assert ask(known, b"NOOP", b"u").startswith(b"u OK")


def test_sequence_sets(known: Raw) -> None:
    for numbers, status in (
        (b"0", b"BAD"),
        (b"4294967296", b"BAD"),
        (b"99999999", b"BAD"),
        (b"1:99999999", b"BAD"),
        (b"*:*", b"OK"),
        (b",".join([b"1"] * 10_000), b"OK"),
        (b"1,", b"BAD"),
        (b"1:2:3", b"BAD"),
        (b"-1", b"BAD"),
    ):
        assert status in ask(known, b"FETCH " + numbers + b" FLAGS"), numbers


# ---------------------------------------------------------------- I7: mailboxes

NAMES = {
    "traversal": b'"../../etc/passwd"',
    "absolute": b'"/etc/passwd"',
    "empty": b'""',
    "separator": b'"/"',
    "double separator": b'"a//b"',
    "ends in a separator": b'"a/"',
    "NUL": b'"a\0b"',
    "control": b'"a\x07b"',
    "&-": b'"a&-b"',
    "broken modified UTF-7": b'"a&b"',
    "shift without end": b'"a&AAA"',
    "ASCII in disguise": b'"&AGEAYgBj-"',
    "lone surrogate": b'"&2AA-"',
    "right to left": b'"&IC4-evil"',
    "10 KB": b'"' + b"n" * 10_000 + b'"',
    "1,000 deep": b'"' + b"/".join([b"d"] * 1_000) + b'"',
    "wildcards": b'"a*%b"',
    "inbox below": b'"inbox/x"',
    "raw 8 bit": b'"\xe9"',
    "a quote": b'"a\\"b"',
    "a line end": b"{4+}\r\na\r\nb",
    "format": b'"%s%n{0}${x}"',
    "SQL": b'"\'; DROP TABLE mailbox; --"',
}


@pytest.mark.parametrize("name", NAMES)
def test_names_of_mailboxes(known: Raw, name: str) -> None:
    """Made or refused; what was made is listed, selected, renamed and deleted like any other."""
    created = ask(known, b"CREATE " + NAMES[name])
    assert created[:5] in (b"t OK ", b"t NO ", b"t BAD"), created
    known.send(b'l LIST "" *\r\n')
    listed = known.until(b"l ")
    for line in listed.splitlines():
        assert line.startswith((b"* LIST (", b"l OK", b'"', b"a")), line
    if created.startswith(b"t OK"):
        assert ask(known, b"STATUS " + NAMES[name] + b" (MESSAGES)")[:4] == b"t OK"
        assert ask(known, b"RENAME " + NAMES[name] + b" renamed")[:4] == b"t OK"
        assert ask(known, b"DELETE renamed")[:4] in (b"t OK", b"t NO")
    for verb in (b"SELECT ", b"EXAMINE ", b"SUBSCRIBE ", b"UNSUBSCRIBE ", b"DELETE "):
        assert ask(known, verb + NAMES[name])[:4] in (b"t OK", b"t NO", b"t BA")


def test_wildcards_take_linear_time(known: Raw) -> None:
    """B3: eight stars took Twisted's server half a minute; here many are nothing, or refused."""
    assert ask(known, b'CREATE "' + b"a" * 200 + b'"').startswith(b"t OK")
    for pattern in (b"*a", b"%a", b"*%", b"**"):
        for count in (8, 15, 100, 2_000):
            for verb in (b"LIST", b"LSUB"):
                reply = ask(known, verb + b' "" "' + pattern * count + b'b"')
                assert reply.startswith((b"t OK", b"t NO [LIMIT]")), reply
                assert count > 15 or reply.startswith(b"t OK"), reply
    assert ask(known, b'DELETE "' + b"a" * 200 + b'"').startswith(b"t OK")


# ---------------------------------------------------------------- I3, I9, I13


@pytest.mark.parametrize(
    "arguments",
    [
        b'INBOX "32-Jan-2026 00:00:00 +0000" {3+}\r\nabc',
        b'INBOX " 1-Jan-99999 00:00:00 +0000" {3+}\r\nabc',
        b"INBOX (" + b" ".join(b"\\x%d" % n for n in range(5_000)) + b") {3+}\r\nabc",
        b"nowhere {3+}\r\nabc",
        b'"../x" {3+}\r\nabc',
        b"INBOX {3+}\r\nabc {3+}\r\nabc {99999999999+}",
        b"INBOX {3+}\r\nabc (\\Seen {3+}\r\nabc",
        b"INBOX",
        b"INBOX {-3}",
    ],
)
def test_appends_that_are_refused_store_nothing(
    appliance: Appliance, known: Raw, arguments: bytes
) -> None:
    before = len(fetch_all(appliance, "bob"))
    assert ask(known, b"APPEND " + arguments)[:5] in (b"t NO ", b"t BAD", b"* BYE")
    assert len(fetch_all(appliance, "bob")) == before


def test_commands_inside_idle(known: Raw) -> None:
    """I9: what is not DONE ends it with BAD, and is not carried out."""
    for line in (b"x DELETE INBOX", b"", b"DONE DONE", b"x" * 20_000):
        known.send(b"i IDLE\r\n")
        assert known.line().startswith(b"+ ")
        known.send(line + b"\r\n")
        assert known.until(b"i ").splitlines()[-1].startswith(b"i BAD")
    known.send(b"i IDLE\r\n")
    assert known.line().startswith(b"+ ")
    known.send(b"done\r\n")
    assert known.until(b"i ").startswith(b"i OK")


def test_nothing_a_client_says_comes_back_raw(known: Raw) -> None:
    """I13: flags, names and ID that hold line ends or quotes."""
    for command in (
        b"STORE 1 +FLAGS (a\\b)",
        b'STORE 1 +FLAGS ("quoted")',
        b"STORE 1 +FLAGS ({3+}\r\na\r\n)",
        b'ID ("name" {8+}\r\nx\r\n* BYE "version" "2")',
        b'ID ("' + b"n" * 40 + b'" "v")',
        b"ID (" + b'"k" "v" ' * 40 + b")",
        b"SELECT {9+}\r\nx\r\n* BYE x",
        b'CREATE "x\\"\\" y"',
    ):
        known.send(b"t " + command + b"\r\n")
        while not (line := known.line()).startswith(b"t "):
            assert line.startswith(b"* ") and not line.startswith(b"* BYE"), (command, line)
        assert line[:5] in (b"t OK ", b"t NO ", b"t BAD")


# ---------------------------------------------------------------- A9: other people's mail


@pytest.mark.parametrize(
    "name",
    [
        b"ann",
        b"ann/INBOX",
        b"/ann/INBOX",
        b"user/ann",
        b"user.ann",
        b"user/ann@example.test/INBOX",
        b'"Other Users/ann/INBOX"',
        b'"Other Users/ann@example.test"',
        b'"#user/ann"',
        b'"~ann/INBOX"',
        b'"../ann/INBOX"',
        b'"INBOX/../../ann/INBOX"',
        b"ann@example.test",
        b"1",
    ],
)
def test_no_name_leads_to_another_account(known: Raw, name: bytes) -> None:
    """And none tells whether there is one: the same words as for what nobody has."""

    def replies(mailbox: bytes) -> list[bytes]:
        assert ask(known, b"SELECT INBOX").startswith(b"t OK")
        return [
            ask(known, verb + mailbox + rest)
            for verb, rest in (
                (b"STATUS ", b" (MESSAGES)"),
                (b"COPY 1 ", b""),
                (b"MOVE 1 ", b""),
                (b"APPEND ", b" {1+}\r\nx"),
                (b"RENAME ", b" mine"),
                (b"DELETE ", b""),
                (b"SELECT ", b""),
                (b"EXAMINE ", b""),
            )
        ]

    found = replies(name)
    assert not [reply for reply in found if reply.startswith(b"t OK")]
    assert found == replies(name.replace(b"ann", b"nan"))


def test_uids_and_numbers_are_those_of_the_own_mailbox(appliance: Appliance, known: Raw) -> None:
    theirs = len(fetch_all(appliance))
    own = len(fetch_all(appliance, "bob"))
    known.send(b"f UID FETCH 1:* (UID)\r\n")
    found = known.until(b"f ")
    assert found.count(b" FETCH (") == own != theirs
