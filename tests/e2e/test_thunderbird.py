"""Thunderbird does its whole job over TLS: IDLE, reading, moving, searching, sending."""

import imaplib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailbox_server.mime.encoded_words import decode_words
from tests.e2e.appliance import READY_SECONDS, Appliance, address
from tests.e2e.mail import fetch_all, imap, send, wait_for
from tests.e2e.peers.scripted_sink import ScriptedSink
from tests.e2e.peers.thunderbird import thunderbird

SENT = ("Grüße", "from the Größten\r\n.\r\n..dots\r\n")
FOLDERS = ["Archive", "Drafts", "INBOX", "Junk", "Sent", "Trash"]


@pytest.fixture
def sink() -> Iterator[ScriptedSink]:
    made = ScriptedSink()
    yield made
    made.close()


@pytest.fixture
def appliance(tmp_path: Path, sink: ScriptedSink) -> Iterator[Appliance]:
    """An appliance that keeps a copy of what is sent, and sends everything to the sink."""
    made = Appliance(
        tmp_path / "appliance",
        f'[submission]\nsent_copies = ["everyone"]\n[[relay.routes]]\nhost = "127.0.0.1"\n'
        f'port = {sink.port}\ntls = "none"\n',
    )
    made.open_accounts()
    made.start()
    yield made
    assert made.stop() == 0


def _message(subject: str, text: str) -> bytes:
    return (
        f"From: carl@else.example\r\nTo: {address('ann')}\r\nSubject: {subject}\r\n"
        f"Message-ID: <{subject}@else.example>\r\nDate: Sat, 28 Nov 2026 10:00:00 +0000\r\n"
        f"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{text}\r\n"
    ).encode()


def _there(client: imaplib.IMAP4, name: str) -> dict[str, set[str]]:
    """Subjects and flags of a mailbox."""
    assert client.select(name)[0] == "OK"
    _, data = client.fetch("1:*", "(FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
    found = {}
    for part in data:
        if isinstance(part, tuple):
            flags = re.search(rb"FLAGS \((.*?)\)", part[0])
            assert flags is not None
            subject = decode_words(part[1].partition(b":")[2]).strip()
            found[subject] = set(flags[1].decode().split()) - {"\\Recent"}
    return found


def test_it_does_its_whole_job(appliance: Appliance, sink: ScriptedSink, tmp_path: Path) -> None:
    for subject in ("one", "two", "three"):
        send(appliance, _message(subject, f"text of {subject}"), [address("ann")])
    with thunderbird(appliance, tmp_path) as program:
        assert program.do("open", 3) == ["one", "three", "two"]
        assert program.do("folders", len(FOLDERS)) == FOLDERS
        # Nothing is asked for here.
        program.await_idle()
        send(appliance, _message("woken", "Grüße an Jörg"), [address("ann")])
        assert program.do("arrives", "woken") == ["one", "three", "two", "woken"]
        assert "Grüße an Jörg" in program.do("read", "woken")
        program.do("star", "two")
        assert program.do("move", "one", "Archive") == ["three", "two", "woken"]
        assert program.do("remove", "three") == ["two", "woken"]
        assert program.do("search", "an jörg") == ["woken"]
        assert program.do("search", "TEXT OF") == ["one", "three", "two"]
        program.do("makeFolder", "Projékte")
        draft = tmp_path / "draft.eml"
        draft.write_bytes(_message("draft", "not yet"))
        program.do("keepDraft", str(draft))
        # When that ends, its own copy is in Sent as well.
        program.do("send", f"{address('bob')}, carl@far.example", "dora@far.example", *SENT)
    client = imap(appliance)
    assert _there(client, "INBOX") == {"two": {"\\Flagged"}, "woken": {"\\Seen"}}
    assert _there(client, "Archive") == {"one": set()}
    assert _there(client, "Trash") == {"three": set()}
    assert _there(client, "Drafts") == {"draft": {"\\Seen", "\\Draft"}}
    assert client.select("Proj&AOk-kte")[0] == "OK"
    assert _there(client, "Sent") == {"Grüße": {"\\Seen"}}
    client.logout()
    _check_sent(appliance, sink)


def _check_sent(appliance: Appliance, sink: ScriptedSink) -> None:
    """What it sent came to all, once, with one copy in Sent, which alone shows the Bcc."""
    assert sink.arrived.wait(READY_SECONDS)
    here = wait_for(appliance, b"\r\nUser-Agent: Mozilla Thunderbird", "bob")
    (copy,) = fetch_all(appliance, mailbox="Sent")
    ((recipients, outside),) = sink.got
    assert recipients == ("carl@far.example", "dora@far.example")
    assert sink.senders == [address("ann")]
    body = f"\r\n\r\n{SENT[1]}".encode()
    assert all(one.endswith(body) for one in (here, copy, outside))
    assert b"\r\nDKIM-Signature: " in outside
    assert [b"dora@far.example" in one for one in (here, copy, outside)] == [False, True, False]
    message_id = re.compile(rb"(?im)^Message-ID: (<.*>)\r$")
    assert len({message_id.findall(one)[0] for one in (here, copy, outside)}) == 1
