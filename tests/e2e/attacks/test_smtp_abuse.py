"""What strangers try on port 25, beside the subjects with files of their own (rows S).

After each the process lives, nothing but what was said to be accepted is stored, and the
log has no error.
"""

import random
import socket

import pytest

from tests.e2e.appliance import Appliance, address
from tests.e2e.attacks.raw import Raw, connect, raw
from tests.e2e.mail import content_of, fetch_all, imap, send

ANN = address("ann").encode()
BOTH = pytest.mark.parametrize("service", ["smtp", "lmtp"])


pytestmark = pytest.mark.usefixtures("sound")


def hello(one: Raw, service: str = "smtp") -> None:
    assert one.say(b"LHLO c" if service == "lmtp" else b"EHLO c").startswith(b"250")


def begin(one: Raw, service: str = "smtp", recipient: bytes = ANN) -> None:
    hello(one, service)
    assert one.say(b"MAIL FROM:<sender@example.net>").startswith(b"250")
    assert one.say(b"RCPT TO:<" + recipient + b">").startswith(b"250")


def stored(appliance: Appliance, mark: bytes) -> list[bytes]:
    return [content_of(each) for each in fetch_all(appliance) if mark in each]


# ---------------------------------------------------------------- S3: dots


@BOTH
def test_dots_come_back_as_they_were(appliance: Appliance, service: str, full: bool) -> None:
    lines = [b".", b"..", b".x", b"x.", b"", b". ", b"...", b" .", b".\t"]
    chance = random.Random(service)
    head = b"Subject: dots over %s\r\n\r\n" % service.encode()
    body = head + b"\r\n".join(chance.choices(lines, k=20_000)) + b"\r\n"
    body += (b"." * 500_000 + b"\r\n") * (20 if full else 2)
    sent = b"".join(
        b"." + line if line.startswith(b".") else line for line in body.splitlines(keepends=True)
    )
    with raw(appliance, service) as one:
        begin(one, service)
        assert one.say(b"DATA").startswith(b"354")
        # Pieces that end in the middle of everything.
        while sent:
            cut = chance.randrange(1, 70_000)
            one.send(sent[:cut])
            sent = sent[cut:]
        assert one.say(b".").startswith(b"250")
    assert stored(appliance, head.splitlines()[0]) == [body]


def test_a_dot_as_the_first_octet(appliance: Appliance) -> None:
    with raw(appliance, "smtp") as one:
        begin(one)
        assert one.say(b"DATA").startswith(b"354")
        assert one.say(b"..first: x\r\nSubject: first dot\r\n\r\nx\r\n.").startswith(b"250")
    assert stored(appliance, b"Subject: first dot") == [
        b".first: x\r\nSubject: first dot\r\n\r\nx\r\n"
    ]


# ---------------------------------------------------------------- S5, S6: out of turn


def test_all_in_one_packet_stores_nothing(appliance: Appliance) -> None:
    """RFC 2920 §3.1: content waits for 354; else its lines could be taken for commands."""
    with raw(appliance, "smtp") as one:
        one.send(
            b"EHLO c\r\nMAIL FROM:<a@example.net>\r\nRCPT TO:<" + ANN + b">\r\nDATA\r\n"
            b"Subject: hasty\r\n\r\nMAIL FROM:<b@example.net>\r\nRCPT TO:<" + ANN + b">\r\n.\r\n"
        )
        answers = one.rest().splitlines()
    assert answers[-1] == b"554 5.5.0 Wait for reply 354 before sending the message"
    assert stored(appliance, b"Subject: hasty") == []


def test_talking_before_the_greeting_gains_nothing(appliance: Appliance) -> None:
    for _ in range(20):
        one = connect(appliance, "smtp")
        one.send(b"EHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<victim@elsewhere.example>\r\nDATA\r\n")
        one.end_sending()
        assert b"354" not in one.rest()
        one.close()


def test_a_hundred_recipients_in_one_packet(appliance: Appliance) -> None:
    with raw(appliance, "smtp") as one:
        hello(one)
        lines = [b"RCPT TO:<no%d@example.test>" % n for n in range(9)]
        lines += [b"RCPT TO:<ann+%d@example.test>" % n for n in range(91)]
        one.send(b"MAIL FROM:<>\r\n" + b"\r\n".join(lines) + b"\r\nDATA\r\n")
        codes = [one.reply()[:3] for _ in range(102)]
        assert codes == [b"250"] + [b"550"] * 9 + [b"250"] * 91 + [b"354"]
        assert one.say(b"Subject: hundred\r\n\r\nx\r\n.").startswith(b"250")
    # S12: one account, one message, however many of its addresses were given.
    assert len(stored(appliance, b"Subject: hundred")) == 1


# ---------------------------------------------------------------- S7: BDAT


@pytest.mark.parametrize(
    ("sent", "codes", "kept"),
    [
        (b"BDAT 0 LAST\r\n", "250", 1),
        (b"BDAT 2\r\nx\nBDAT 0 LAST\r\n", "550 503", 0),
        (b"BDAT 6\r\nS: x\r\n", "250", 0),
        (b"BDAT 3 LAST\r\nx\r\nBDAT 3 LAST\r\ny\r\n", "250 503", 1),
        (b"BDAT 3\r\nx\r\nRSET\r\nBDAT 3 LAST\r\ny\r\n", "250 250 503", 0),
        (b"BDAT 3\r\nx\r\nDATA\r\n", "250 503", 0),
        (b"BDAT 5 LAST\r\n.\r\nx\nNOOP\r\n", "550 250", 0),
        (b"BDAT 3 LAST\r\n.\r\nNOOP\r\n", "250 250", 1),
        (b"BDAT 104857601\r\n", "552", 0),
        *(
            (b"BDAT " + size + b"\r\n", "501", 0)
            for size in (b"3 FIRST", b"-1", b"0x10", b"1_0", b"9223372036854775808", b"9" * 20)
        ),
        ("BDAT \u0663\r\n".encode(), "501", 0),
    ],
)
def test_bdat(appliance: Appliance, sent: bytes, codes: str, kept: int) -> None:
    before = len(fetch_all(appliance))
    with raw(appliance, "smtp") as one:
        begin(one)
        one.send(sent)
        one.end_sending()
        answers = one.rest().splitlines()
    assert [answer[:3].decode() for answer in answers] == codes.split()
    assert len(fetch_all(appliance)) == before + kept


def test_a_chunk_that_breaks_off_is_not_stored(appliance: Appliance) -> None:
    before = len(fetch_all(appliance))
    for chunk in (b"BDAT 1000 LAST\r\nhalf", b"BDAT 5\r\nwhole", b"BDAT 5\r\nwholeBDAT 9 LAST\r\n"):
        with raw(appliance, "smtp") as one:
            begin(one)
            one.send(chunk)
    assert len(fetch_all(appliance)) == before


# ---------------------------------------------------------------- S8, S9: no SMTP at all


@BOTH
@pytest.mark.parametrize(
    "line",
    [
        b"NOOP " + b"x" * 600,
        b"NOOP " + b"x" * 2_100,
        b"NOOP " + b"x" * 60_000,
        b"\xff\xfe\xfd",
        b"NO\0OP",
        b"NOOP\0",
        b"",
        b" NOOP",
        b"MAIL",
        b"RCPT TO:<" + b"(" * 1_000,
        b"MAIL FROM:<" + b"@a," * 500 + b":b@c>",
        b"HELO",
        b"EHLO " + b"a." * 900,
        "EHLO \u202eevil".encode(),
        b"VRFY " + b"%s%n%x" * 50,
    ],
)
def test_lines_that_are_no_commands(appliance: Appliance, service: str, line: bytes) -> None:
    with raw(appliance, service) as one:
        answer = one.say(line)
        assert answer[:3] in (b"250", b"252", b"500", b"501", b"502", b"503", b"")
        assert len(answer) < 512
        assert b"%" not in answer and b"evil" not in answer


def test_ten_thousand_of_nothing(appliance: Appliance) -> None:
    for line in (b"\r\n", b"NOOP\r\n", b"RSET\r\n", b"VRFY x\r\n", b"HELP\r\n", b"EHLO c\r\n"):
        with raw(appliance, "smtp") as one:
            one.send(line * 200)
            # The budget of errors is counted in seconds of waiting; enough was seen by now.
            assert one.line()[:1] in b"25"
    for line in (b"\n", b"NOOP\n", b"NOOP\r", b"\r\r\n"):
        with raw(appliance, "smtp") as one:
            one.send(line * 10_000 + b"\r\n")
            one.end_sending()
            assert len(one.rest().splitlines()) <= 2


HTTP = b"POST / HTTP/1.1\r\nHost: mail\r\nContent-Length: 90\r\n\r\n"
CROSS = {
    "GET": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "POST": HTTP,
    "CONNECT": b"CONNECT mail:25 HTTP/1.1\r\n\r\n",
    "preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(200)),
    "SSH": b"SSH-2.0-OpenSSH_9.2p1\r\n",
    "SSL 2": b"\x80\x2e\x01\x00\x02" + b"\0" * 40,
    "proxy, version 2": b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + b"\x7f\0\0\x01" * 3,
}
INSIDE = {
    "smtp": b"EHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<"
    + ANN
    + b">\r\nDATA\r\nSubject: crossed\r\n.\r\n",
    "lmtp": b"LHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<"
    + ANN
    + b">\r\nDATA\r\nSubject: crossed\r\n.\r\n",
    "pop3": b"USER ann\r\nPASS <script>x\r\nQUIT\r\n",
    "imap": b"a LOGIN ann <script>\r\nb LOGOUT\r\n",
}


@pytest.mark.parametrize("service", INSIDE)
@pytest.mark.parametrize("name", CROSS)
def test_other_protocols_get_no_foothold(appliance: Appliance, service: str, name: str) -> None:
    """ALPACA: a browser that is made to talk to us gets nothing back that was its own."""
    with raw(appliance, service) as one:
        one.send(CROSS[name] + INSIDE[service])
        one.end_sending()
        said = one.rest()
    assert b"script" not in said and b"HTTP" not in said
    assert said.count(b"\n") <= 20
    if service in ("smtp", "lmtp"):
        assert b"354" not in said
        assert stored(appliance, b"Subject: crossed") == []


# ---------------------------------------------------------------- S10: what addresses may hold


def test_local_parts_are_only_text(appliance: Appliance) -> None:
    """A catch-all takes them: none is a path, an argument, a format, a pattern or SQL."""
    appliance.verb("domain", "add", "hostile.test", "--catch-all", address("ann"), check=False)
    hostile = (
        b"-froot",
        b"|cmd",
        b":include:/etc/passwd",
        b"../../etc/passwd",
        b"%s%n",
        b"{0.__class__}",
        b"${jndi:ldap://x}",
        b"$(touch /tmp/x)",
        b"`id`",
        b"'; DROP TABLE account; --",
        b"x' OR '1'='1",
        b"*",
        b"a" * 64,
        b"\\\\",
        b" ",
    )
    accepted = 0
    for local in hostile:
        quoted = b'"' + local.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'
        with raw(appliance, "smtp") as one:
            hello(one)
            one.say(b"MAIL FROM:<" + quoted + b"@hostile.test>")
            answer = one.say(b"RCPT TO:<" + quoted + b"@hostile.test>")
            assert answer[:3] in (b"250", b"550", b"501"), answer
            if answer.startswith(b"250"):
                accepted += 1
                assert one.say(b"DATA").startswith(b"354")
                assert one.say(b"Subject: hostile\r\n\r\nx\r\n.").startswith(b"250")
    assert accepted > 8
    assert len(stored(appliance, b"Subject: hostile")) == accepted


# ---------------------------------------------------------------- S12, S13, S21


def test_recipients_without_end(appliance: Appliance) -> None:
    with raw(appliance, "smtp") as one:
        hello(one)
        assert one.say(b"MAIL FROM:<>").startswith(b"250")
        one.send(b"".join(b"RCPT TO:<ann+%d@example.test>\r\n" % n for n in range(2_500)))
        answers = one.rest().splitlines()
    codes = [answer[:3] for answer in answers]
    assert codes[:1_000] == [b"250"] * 1_000
    assert codes[1_000:-1] == [b"452"] * 1_000
    assert answers[-1].startswith(b"421 4.7.0")


@pytest.mark.parametrize(
    ("size", "code"),
    [
        (b"1", b"250"),
        (b"0", b"250"),
        (b"52428800", b"250"),
        (b"52428801", b"552"),
        (b"9" * 20, b"552"),
        (b"9" * 30, b"501"),
        (b"-1", b"501"),
        (b"1e9", b"501"),
        (b"", b"501"),
    ],
)
def test_sizes_that_lie(appliance: Appliance, size: bytes, code: bytes) -> None:
    """RFC 1870 §6: what is announced only ever refuses; what comes is counted."""
    with raw(appliance, "smtp") as one:
        hello(one)
        answer = one.say(b"MAIL FROM:<a@example.net> SIZE=" + size)
        assert answer[:3] in (code, b"501") if code == b"552" else answer.startswith(code), answer


@pytest.mark.parametrize(
    "line",
    [
        b"ETRN example.test",
        b"EXPN list",
        b"TURN",
        b"SEND FROM:<a@b.example>",
        b"SOML FROM:<>",
        b"XCLIENT ADDR=127.0.0.1",
        b"XFORWARD NAME=x",
        b"XEXCH50 1 2",
        b"DEBUG",
        b"WIZ",
    ],
)
def test_commands_of_other_times(appliance: Appliance, line: bytes) -> None:
    with raw(appliance, "smtp") as one:
        hello(one)
        assert one.say(line)[:2] == b"50"
        assert one.say(b"VRFY ann").startswith(b"252 2.1.5 Send mail to find out")


# ---------------------------------------------------------------- S15: headers


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("many fields", b"".join(b"X-%d: y\r\n" % number for number in range(60_000))),
        ("one long field", b"X-Long: " + b"y " * 400_000 + b"\r\n"),
        ("folded", b"X-Folded: a\r\n" + b" b\r\n" * 100_000),
        ("no colon", b"this is no field\r\nnor this\r\n"),
        ("8 bit", b"X-Eight: \xff\xfe\xe9\r\nTo: \xe9@example.test\r\n"),
        ("no blank line", b""),
        ("only an empty line", b"\r\n"),
        ("colons", b":\r\n::\r\n: x\r\n"),
        ("space before the colon", b"To : x\r\nFrom\t: y\r\n"),
        ("addresses", b"To: " + b", ".join([b"a@b.example"] * 30_000) + b"\r\n"),
        ("encoded words", b"X-Words: " + b" =?utf-8?q?=0D=0ABcc:?=" * 20_000 + b"\r\n"),
    ],
)
def test_headers_are_stored_as_they_are_and_can_be_listed(
    appliance: Appliance, name: str, content: bytes
) -> None:
    mark = b"Subject: headers, " + name.encode() + b"\r\n"
    content = mark + content
    with raw(appliance, "smtp") as one:
        begin(one)
        assert one.say(b"DATA").startswith(b"354")
        one.send(content + b".\r\n")
        answer = one.reply()
    assert answer[:3] in (b"250", b"552"), answer
    assert stored(appliance, mark) == ([content] if answer.startswith(b"250") else [])
    client = imap(appliance)
    client.select("INBOX")
    assert client.fetch("*", "(ENVELOPE BODYSTRUCTURE RFC822.SIZE)")[0] == "OK"
    client.logout()


@pytest.mark.parametrize("octets", [b"\0", b"\r", b"\n", b"\rBcc: z@example.net"])
def test_a_header_with_what_ends_lines_elsewhere(appliance: Appliance, octets: bytes) -> None:
    """A bare CR begins a field for some parsers and none for others: it is not taken."""
    with raw(appliance, "smtp") as one:
        begin(one)
        assert one.say(b"DATA").startswith(b"354")
        one.send(b"Subject: x" + octets + b"y\r\n\r\nx\r\n.\r\n")
        assert one.reply().startswith(b"550 5.6.")


# ---------------------------------------------------------------- S17, S20: coming and going


@pytest.mark.parametrize("service", ["smtp", "pop3", "imap", "imaps", "lmtp"])
def test_connecting_and_leaving_at_once(appliance: Appliance, service: str, full: bool) -> None:
    for number in range(2_000 if full else 150):
        with socket.create_connection(("127.0.0.1", appliance.ports[service])) as one:
            if number % 2:
                one.send(b"\x16")
    send(appliance, b"Subject: still there\r\n\r\nx\r\n", [address("bob")])
