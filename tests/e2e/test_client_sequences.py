"""What well-known mail programs send, in the packets in which they send it, over real sockets."""

import base64
import re
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import pytest

from tests.e2e.appliance import PASSWORDS, Appliance, address
from tests.e2e.mail import TRICKY, content_of, fetch_all, send, trust, wait_for

_WAIT_SECONDS: Final = 20.0


class Wire:
    """One socket, written octet for octet, read line for line."""

    def __init__(self, plain: socket.socket) -> None:
        self._socket = plain
        self._unread = b""

    def write(self, octets: bytes) -> None:
        """Send in one packet (the socket has no Nagle delay)."""
        self._socket.sendall(octets)

    def encrypt(self, context: ssl.SSLContext) -> None:
        """Go on over TLS."""
        assert not self._unread
        self._socket = context.wrap_socket(self._socket, server_hostname="localhost")

    def line(self) -> bytes:
        """The next line without its CRLF; fails when the server is silent or gone."""
        while b"\r\n" not in self._unread:
            more = self._socket.recv(65536)
            assert more, f"the server closed after {self._unread!r}"
            self._unread += more
        line, _, self._unread = self._unread.partition(b"\r\n")
        return line

    def until(self, tag: bytes) -> list[bytes]:
        """The lines up to the one that begins with tag, which comes last."""
        lines = [self.line()]
        while not lines[-1].startswith(tag + b" "):
            lines.append(self.line())
        return lines

    def reply(self) -> bytes:
        """The last line of an SMTP reply."""
        line = self.line()
        while line[3:4] == b"-":
            line = self.line()
        return line

    def ask(self, command: bytes) -> list[bytes]:
        """Send one tagged IMAP command; its lines, the last of which must be OK."""
        self.write(command + b"\r\n")
        tag = command.split(b" ", 1)[0]
        lines = self.until(tag)
        assert lines[-1].startswith(tag + b" OK"), lines[-1]
        return lines


@contextmanager
def _dial(appliance: Appliance, service: str, *, tls: bool) -> Iterator[Wire]:
    with socket.create_connection(("localhost", appliance.ports[service]), _WAIT_SECONDS) as plain:
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        wire = Wire(plain)
        if tls:
            wire.encrypt(trust(appliance))
        yield wire


@pytest.fixture
def wire(appliance: Appliance) -> Iterator[Wire]:
    """A greeted IMAP connection over TLS."""
    with _dial(appliance, "imaps", tls=True) as wire:
        assert wire.line().startswith(b"* OK [CAPABILITY ")
        yield wire


def _login(wire: Wire) -> None:
    wire.ask(f'A1 LOGIN {address("ann")} "{PASSWORDS["ann"]}"'.encode())


def test_ios_ends_idle_and_goes_on_in_one_packet(appliance: Appliance, wire: Wire) -> None:
    _login(wire)
    wire.ask(b"A6 SELECT INBOX")
    for number in range(3):
        wire.write(b"A7 IDLE\r\n")
        assert wire.line().startswith(b"+ ")
        wire.write(b"DONE\r\nA8 NOOP\r\n")
        assert wire.until(b"A7")[-1].startswith(b"A7 OK"), number
        assert wire.until(b"A8")[-1].startswith(b"A8 OK"), number


def test_ios_ends_idle_and_idles_again_in_one_packet(appliance: Appliance, wire: Wire) -> None:
    _login(wire)
    wire.ask(b"A6 SELECT INBOX")
    wire.write(b"A7 IDLE\r\n")
    assert wire.line().startswith(b"+ ")
    wire.write(b"DONE\r\nA8 UID FETCH 1:* (FLAGS)\r\nA9 IDLE\r\n")
    assert wire.until(b"A8")[-1].startswith(b"A8 OK")
    assert wire.line().startswith(b"+ ")
    send(appliance, TRICKY, [address("ann")])
    line = wire.line()
    assert re.fullmatch(rb"\* \d+ EXISTS", line), line
    wire.write(b"DONE\r\n")
    assert wire.until(b"A9")[-1].startswith(b"A9 OK")


def test_ios_sends_its_first_commands_without_waiting(appliance: Appliance, wire: Wire) -> None:
    _login(wire)
    wire.write(b'A2 NAMESPACE\r\nA3 LIST "" "*" RETURN (SPECIAL-USE)\r\nA4 NOOP\r\n')
    assert any(line.startswith(b"* NAMESPACE ") for line in wire.until(b"A2"))
    # LIST-EXTENDED is offered or it is not; either way the connection goes on.
    wire.until(b"A3")
    assert wire.until(b"A4")[-1].startswith(b"A4 OK")


def test_thunderbird_logs_in_and_reads(appliance: Appliance) -> None:
    """Lower-case commands, AUTHENTICATE PLAIN without initial response, after STARTTLS."""
    mark = b"thunderbird-reads@"
    send(appliance, TRICKY.replace(b"tricky@", mark), [address("bob")])
    with _dial(appliance, "imap", tls=False) as wire:
        assert wire.line().startswith(b"* OK ")
        wire.ask(b"1 STARTTLS")
        wire.encrypt(trust(appliance))
        offered = wire.ask(b"2 capability")[0].split()
        assert {b"AUTH=PLAIN", b"SASL-IR", b"IMAP4rev1", b"IDLE"} <= set(offered)
        wire.write(b"3 authenticate PLAIN\r\n")
        assert wire.line() == b"+ "
        token = f"\0{address('bob')}\0{PASSWORDS['bob']}".encode()
        wire.write(base64.b64encode(token) + b"\r\n")
        (done,) = [line for line in wire.until(b"3") if line.startswith(b"3 ")]
        assert done.startswith(b"3 OK [CAPABILITY ")
        assert any(line.startswith(b"* NAMESPACE ") for line in wire.ask(b"4 namespace"))
        wire.ask(b'5 ID ("name" "Thunderbird" "version" "153.0")')
        listed = wire.ask(b'6 list "" "*"')
        for role in (b"\\Sent", b"\\Drafts", b"\\Trash", b"\\Junk", b"\\Archive"):
            assert any(role in line for line in listed), role
        subscribed = wire.ask(b'7 lsub "" "*"')
        assert sum(line.startswith(b"* LSUB ") for line in subscribed) >= 6
        wire.ask(b'8 list "" "INBOX"')
        wire.ask(b'9 select "INBOX"')
        flags = [line for line in wire.ask(b"10 UID fetch 1:* (FLAGS)") if b" FETCH " in line]
        uid = re.search(rb"UID (\d+)", flags[-1])
        assert uid is not None
        fields = b"From To Cc Bcc Subject Date Message-ID References Content-Type Reply-To"
        listed = wire.ask(
            b"11 UID fetch %s (UID RFC822.SIZE FLAGS BODY.PEEK[HEADER.FIELDS (%s)])"
            % (uid[1], fields)
        )
        assert any(b"<" + mark in line for line in listed)
        body = wire.ask(b"12 UID fetch %s (UID RFC822.SIZE BODY.PEEK[])" % uid[1])
        size = re.search(rb"RFC822.SIZE (\d+)", b" ".join(body))
        literal = re.search(rb"\{(\d+)\}", body[0])
        assert size is not None
        assert literal is not None
        assert size[1] == literal[1]
        wire.ask(b"13 UID fetch %s (UID BODY.PEEK[TEXT]<0.2048>)" % uid[1])
        wire.ask(b'14 STATUS "Sent" (UIDNEXT MESSAGES UNSEEN RECENT)')
        sent = TRICKY.replace(b"tricky@", b"thunderbird-sent@")
        wire.ask(b'15 append "Sent" (\\Seen) {%d+}\r\n%s' % (len(sent), sent))
        wire.ask(b'16 uid move %s "Trash"' % uid[1])
        wire.write(b"17 IDLE\r\n")
        assert wire.until(b"+")[-1].startswith(b"+ ")
        wire.write(b"DONE\r\n18 logout\r\n")
        assert any(line.startswith(b"* BYE") for line in wire.until(b"18"))
    assert fetch_all(appliance, "bob", "Sent") == [sent]
    assert any(mark in message for message in fetch_all(appliance, "bob", "Trash"))


def test_thunderbird_writes_utf8_where_it_is_offered(appliance: Appliance, wire: Wire) -> None:
    """Names as they are, and its copies in parentheses as RFC 6855 had them."""
    _login(wire)
    assert b"UTF8=ACCEPT" in wire.ask(b"2 capability")[0].split()
    assert wire.ask(b"3 ENABLE UTF8=ACCEPT")[0] == b"* ENABLED UTF8=ACCEPT"
    wire.ask('4 create "Entwürfe & Größe"'.encode())
    wire.ask('5 subscribe "Entwürfe & Größe"'.encode())
    listed = wire.ask(b'6 list (subscribed) "" "*" return (special-use)')
    assert any(line.endswith(' "/" "Entwürfe & Größe"'.encode()) for line in listed)
    copy = TRICKY.replace(b"tricky@", b"thunderbird-utf8@")
    copy = b"Comments: " + "Grüße".encode() + b"\r\n" + copy
    append = '7 append "Entwürfe & Größe" (\\Seen) UTF8 (~{%d+}\r\n'.encode() % len(copy)
    (done,) = wire.ask(append + copy + b")")
    assert b"[APPENDUID " in done
    wire.ask('8 select "Entwürfe & Größe"'.encode())
    fetched = wire.ask(b"9 UID fetch 1 (UID RFC822.SIZE BODY.PEEK[])")
    assert fetched[0].endswith(b"{%d}" % len(copy))
    assert fetched[1] == "Comments: Grüße".encode()
    wire.ask('10 STATUS "Entwürfe & Größe" (UIDNEXT MESSAGES UNSEEN RECENT)'.encode())
    wire.ask(b'11 uid copy 1 "Sent"')
    with _dial(appliance, "imaps", tls=True) as other:
        # Another program of the same person, which knows nothing of that.
        other.line()
        _login(other)
        listed = other.ask(b'A2 LIST "" "*"')
        assert any(line.endswith(b' "/" "Entw&APw-rfe &- Gr&APYA3w-e"') for line in listed)
        assert not any(b"\xc3" in line for line in listed)
        other.ask(b'A3 SELECT "Entw&APw-rfe &- Gr&APYA3w-e"')
        assert other.ask(b"A4 FETCH 1 (BODY.PEEK[])")[1] == "Comments: Grüße".encode()


def test_k9_asks_for_utf8_before_namespace(wire: Wire) -> None:
    _login(wire)
    wire.ask(b'2 ID ("name" "K-9 Mail")')
    assert wire.ask(b"3 ENABLE UTF8=ACCEPT")[0] == b"* ENABLED UTF8=ACCEPT"
    assert (
        wire.ask(b"4 NAMESPACE")[0]
        == b'* NAMESPACE (("" "/")) (("Other users/" "/")) (("Shared mailboxes/" "/"))'
    )
    wire.ask('5 CREATE "Übersicht"'.encode())
    listed = wire.ask(b'6 LIST "" * RETURN (SPECIAL-USE)')
    assert '* LIST (\\HasNoChildren) "/" "Übersicht"'.encode() in listed
    wire.ask('7 SELECT "Übersicht"'.encode())
    assert wire.ask(b"8 UID SEARCH *:*")[0] == b"* SEARCH"
    assert wire.ask('9 UID SEARCH TEXT "Grüße"'.encode())[0] == b"* SEARCH"


def test_imapflow_enables_rev2(appliance: Appliance, wire: Wire) -> None:
    send(appliance, TRICKY.replace(b"tricky@", b"imapflow@"), [address("ann")])
    _login(wire)
    wire.ask(b'2 ID ("name" "imapflow")')
    wire.ask(b"3 NAMESPACE")
    enabled = wire.ask(b"4 ENABLE CONDSTORE UTF8=ACCEPT IMAP4rev2")[0]
    assert enabled == b"* ENABLED CONDSTORE UTF8=ACCEPT IMAP4rev2"
    listed = wire.ask(b'5 LIST "" "*" RETURN (SPECIAL-USE CHILDREN SUBSCRIBED)')
    assert any(b"\\Sent" in line and b"\\Subscribed" in line for line in listed)
    told = wire.ask(b"6 SELECT INBOX")
    assert not any(b"RECENT" in line for line in told)
    assert b'* LIST (\\HasNoChildren) "/" "INBOX"' in told
    flags = wire.ask(b"7 UID FETCH 1:* (UID FLAGS MODSEQ)")
    assert not any(b"\\Recent" in line for line in flags)
    found = wire.ask(b"8 UID SEARCH HEADER Message-ID imapflow@")[0]
    uid = re.fullmatch(rb'\* ESEARCH \(TAG "8"\) UID ALL ([\d:,]+)', found)
    assert uid is not None, found
    wire.ask(b"9 UID FETCH %s (BODYSTRUCTURE BODY.PEEK[TEXT]<0.65536>)" % uid[1])
    assert any(b"[COPYUID " in line for line in wire.ask(b"10 UID MOVE %s Archive" % uid[1]))
    wire.ask(b"11 STATUS Archive (MESSAGES UIDNEXT UIDVALIDITY UNSEEN HIGHESTMODSEQ)")


def test_outlook_puts_a_space_after_the_colon(appliance: Appliance) -> None:
    message = TRICKY.replace(b"tricky@", b"outlook@")
    with _dial(appliance, "smtp", tls=False) as wire:
        assert wire.reply().startswith(b"220 ")
        wire.write(b"EHLO client.example.net\r\n")
        assert wire.reply().startswith(b"250 ")
        wire.write(b"STARTTLS\r\n")
        assert wire.reply().startswith(b"220 ")
        wire.encrypt(trust(appliance))
        for command, code in (
            (b"EHLO client.example.net", b"250"),
            (b"MAIL FROM: <sender@example.net>", b"250"),
            (b"RCPT TO: <ann@example.test>", b"250"),
            (b"DATA", b"354"),
        ):
            wire.write(command + b"\r\n")
            reply = wire.reply()
            assert reply.startswith(code + b" "), (command, reply)
        wire.write(message.replace(b"\r\n.", b"\r\n..") + b".\r\n")
        assert wire.reply().startswith(b"250 ")
        wire.write(b"QUIT\r\n")
        assert wire.reply().startswith(b"221 ")
    assert content_of(wait_for(appliance, b"<outlook@")) == message


def test_curl_stores_a_flag_without_parentheses(appliance: Appliance, wire: Wire) -> None:
    send(appliance, TRICKY, [address("ann")])
    _login(wire)
    wire.ask(b"A2 SELECT INBOX")
    lines = wire.ask(b"A3 STORE 1 +FLAGS \\Seen")
    assert any(b"\\Seen" in line and b" FETCH " in line for line in lines)


def test_pop3_clients_pipeline(appliance: Appliance) -> None:
    send(appliance, TRICKY, [address("ann")])
    with _dial(appliance, "pop3s", tls=True) as wire:
        assert wire.line().startswith(b"+OK")
        wire.write(f"USER {address('ann')}\r\nPASS {PASSWORDS['ann']}\r\n".encode())
        wire.write(b"STAT\r\nUIDL 1\r\nTOP 1 0\r\nNOOP\r\nQUIT\r\n")
        assert [wire.line()[:3] for _ in range(4)] == [b"+OK"] * 4
        assert wire.line().startswith(b"+OK")
        lines = [wire.line()]
        while lines[-1] != b".":
            lines.append(wire.line())
        assert any(line.startswith(b"Subject: ") for line in lines)
        assert [wire.line()[:3] for _ in range(2)] == [b"+OK"] * 2
