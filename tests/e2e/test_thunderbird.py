"""Thunderbird does its whole job over TLS: IDLE, reading, moving, searching on the server."""

import imaplib
import re
from pathlib import Path

from tests.e2e.appliance import Appliance, address
from tests.e2e.mail import imap, send
from tests.e2e.peers.thunderbird import thunderbird

FOLDERS = ["Archive", "Drafts", "INBOX", "Junk", "Sent", "Trash"]


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
            found[part[1].decode().split()[1]] = set(flags[1].decode().split()) - {"\\Recent"}
    return found


def test_it_does_its_whole_job(appliance: Appliance, tmp_path: Path) -> None:
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
    client = imap(appliance)
    assert _there(client, "INBOX") == {"two": {"\\Flagged"}, "woken": {"\\Seen"}}
    assert _there(client, "Archive") == {"one": set()}
    assert _there(client, "Trash") == {"three": set()}
    assert _there(client, "Drafts") == {"draft": {"\\Seen", "\\Draft"}}
    assert client.select("Proj&AOk-kte")[0] == "OK"
    client.logout()
