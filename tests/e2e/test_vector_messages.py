"""Every message of other people's test data goes in and comes out byte for byte.

By SMTP what SMTP admits: DATA where the last line ends, BDAT where it does not.  By APPEND
the rest, which has bare CR or LF; what holds NUL is admitted nowhere (RFC 9051 §4.3).  What
has bare LF goes through SMTP once more with its line ends made whole.
"""

import imaplib
import re
import smtplib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from mailbox_server.mime.scanner import scan
from tests.e2e.appliance import Appliance, address
from tests.e2e.mail import imap, pop3, trust

PARTS_ASKED_FOR = 20


@dataclass(frozen=True, slots=True)
class Sent:
    """A message that was taken, and whether it begins with what we put before it."""

    name: str
    content: bytes
    has_trace: bool


def contents(vectors: Path) -> Iterator[tuple[str, bytes]]:
    """Every message as it lies there, and with whole line ends where it has others."""
    for path in sorted(vectors.rglob("*")):
        if path.suffix in (".eml", ".msg") or path.name == "sample_output_multipart":
            content = path.read_bytes()
            name = str(path.relative_to(vectors))
            yield name, content
            mended = re.sub(b"\r\n|\r|\n", b"\r\n", content)
            if mended != content:
                yield f"{name} with CRLF", mended


def is_admitted_by_smtp(content: bytes) -> bool:
    """Whether RFC 5321 §2.3.8 and §4.5.2 let it pass."""
    rest = content.replace(b"\r\n", b"")
    return bool(content) and not any(octet in rest for octet in b"\r\n\0")


def deliver(client: smtplib.SMTP, content: bytes) -> None:
    """One transaction, by DATA or BDAT."""
    client.docmd("MAIL", "FROM:<sender@example.net> BODY=8BITMIME")
    client.docmd("RCPT", f"TO:<{address('bob')}>")
    if content.endswith(b"\r\n"):
        reply = client.data(content)
    else:
        client.send(b"BDAT %d LAST\r\n" % len(content) + content)
        reply = client.getreply()
    assert reply[0] == 250, reply


def send_all(appliance: Appliance, vectors: Path) -> list[Sent]:
    """Send every message; those that hold NUL are refused by both."""
    sent: list[Sent] = []
    reader = imap(appliance, "bob")
    # Some have headers that are not ASCII.
    reader.enable("UTF8=ACCEPT")
    with smtplib.SMTP("localhost", appliance.ports["smtp"], timeout=60) as client:
        client.starttls(context=trust(appliance))
        client.ehlo()
        for name, content in contents(vectors):
            has_trace = is_admitted_by_smtp(content)
            if has_trace:
                deliver(client, content)
            elif b"\0" in content or not content:
                continue
            else:
                # imaplib's own append makes line ends whole: what is sent must be what is there.
                tag = reader._new_tag()
                reader.send(b"%s APPEND INBOX {%d+}\r\n%s\r\n" % (tag, len(content), content))
                assert reader._command_complete("APPEND", tag)[0] == "OK", name
            sent.append(Sent(name, content, has_trace))
    reader.logout()
    return sent


def fetched(client: imaplib.IMAP4, number: int, sections: list[str]) -> list[bytes | None]:
    """These sections of one message, in order."""
    items = " ".join(f"BODY.PEEK[{section}]" for section in sections)
    _, data = client.fetch(str(number), f"({items})")
    found = {}
    for each in data:
        line, literal = each if isinstance(each, tuple) else (each or b"", None)
        for label, text in re.findall(rb'BODY\[([^\]]*)\] "((?:[^"\\]|\\.)*)"', line):
            found[label.decode()] = re.sub(rb"\\(.)", rb"\1", text)
        if literal is not None:
            found[line.rpartition(b"BODY[")[2].partition(b"]")[0].decode()] = literal
    return [found.get(section) for section in sections]


def check_sections(client: imaplib.IMAP4, number: int, message: Sent) -> None:
    """Header and text make the whole, and each part lies where the content has it."""
    structure, _ = scan(message.content)
    parts = structure.root.children if structure.root.is_multipart else ()
    numbered = list(enumerate(parts, 1))[:PARTS_ASKED_FOR]
    sections = [section for n, _ in numbered for section in (f"{n}.MIME", str(n))]
    whole, header, text, *rest = fetched(client, number, ["", "HEADER", "TEXT", *sections])
    assert whole is not None and header is not None and text is not None, message.name
    assert header + text == whole, message.name
    assert whole.endswith(message.content), message.name
    trace = whole[: len(whole) - len(message.content)]
    assert bool(trace) is message.has_trace, message.name
    assert not trace or (trace.startswith(b"Return-Path:") and trace.endswith(b"\r\n"))
    for place, (_, part) in enumerate(numbered):
        mime, body = rest[2 * place : 2 * place + 2]
        assert mime == message.content[part.header_start : part.body_start], message.name
        assert body == message.content[part.body_start : part.body_end], message.name


def retrieved(appliance: Appliance, count: int) -> Iterator[bytes]:
    """Every message by RETR, dots taken off again (RFC 1939 §3)."""
    client = pop3(appliance, "bob")
    assert client.stat()[0] == count
    for number in range(1, count + 1):
        client.sock.sendall(b"RETR %d\r\n" % number)
        assert client.file.readline().startswith(b"+OK")
        lines = []
        while (line := client.file.readline()) != b".\r\n":
            lines.append(line.removeprefix(b"."))
        yield b"".join(lines)
    client.quit()


def test_every_message_comes_out_as_it_went_in(
    appliance: Appliance,
    vectors: Callable[[str], Path],
    record_property: Callable[[str, object], None],
) -> None:
    sent = send_all(appliance, vectors("mime"))
    record_property("by SMTP", sum(message.has_trace for message in sent))
    record_property("by APPEND", sum(not message.has_trace for message in sent))
    client = imap(appliance, "bob")
    _, (exists,) = client.select("INBOX")
    assert exists is not None and int(exists) == len(sent) > 400
    for number, message in enumerate(sent, 1):
        check_sections(client, number, message)
    client.logout()
    for message, octets in zip(sent, retrieved(appliance, len(sent)), strict=True):
        ending = b"" if message.content.endswith(b"\r\n") else b"\r\n"
        assert octets.endswith(message.content + ending), message.name
