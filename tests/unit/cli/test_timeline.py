"""The way of a message as an operator reads it."""

from typing import Any

import pytest

from mailbox_server.cli.timeline import timeline
from mailbox_server.ops.story_requests import (
    AttemptRow,
    EvidenceRow,
    RecipientRow,
    StoryRow,
)


def text(story: StoryRow) -> str:
    return "\n".join(timeline(story))


def story(**changed: Any) -> StoryRow:
    fields = {
        "id": "s1",
        "account": "ann@example.org",
        "message_id": "<1@example.org>",
        "sender": "ann@example.org",
        "subject": "Lunch",
        "size": 1_234,
        "arrived": "2026-01-02T03:04:05+00:00",
        "origin": "submission",
    }
    return StoryRow(**{**fields, **changed})


def attempt(at: str, code: int, **changed: Any) -> AttemptRow:
    fields = {
        "at": f"2026-01-02T{at}+00:00",
        "finding": {2: "delivered", 4: "deferred", 5: "refused"}[code // 100],
        "phase": "rcpt",
        "code": code,
        "enhanced": f"{code // 100}.0.0",
        "words": ["so it is"],
        "is_theirs": True,
        "is_shared": False,
        "host": "mx.example.net",
        "ip": "192.0.2.9",
        "tls": "TLSv1.3 TLS_AES_256_GCM_SHA384",
        "policy": "dane",
        "seconds": 1.25,
    }
    return AttemptRow(**{**fields, **changed})


def recipient(*attempts: AttemptRow, **changed: Any) -> RecipientRow:
    fields = {
        "id": "q1",
        "address": "bob@example.net",
        "state": "waiting",
        "due": "2026-01-02T03:34:05+00:00",
        "expires": "2026-01-07T03:04:05+00:00",
        "route": None,
        "delay_told": None,
        "attempts": list(attempts),
    }
    return RecipientRow(**{**fields, **changed})


def test_a_message_that_arrived() -> None:
    arrived = story(
        id="m4",
        origin=None,
        sender="Bob <bob@example.net>",
        places=["INBOX (UID 4)", "Work (UID 1)"],
        evidence=[
            EvidenceRow(
                "2026-01-02T03:04:05+00:00",
                "receive.connect",
                {
                    "peer": "192.0.2.1",
                    "connection": "c7",
                    "hello": "mx.example.net",
                    "protocol": "ESMTPS",
                    "name": "mx.example.net",
                    "tls": "TLSv1.3 TLS_AES_256_GCM_SHA384",
                },
            ),
            EvidenceRow(
                "2026-01-02T03:04:06+00:00",
                "receive.envelope",
                {"reverse-path": "<bob@example.net>", "recipients": "1", "octets": "1234"},
            ),
            EvidenceRow(
                "2026-01-02T03:04:06+00:00",
                "route",
                {"recipient": "info@example.org", "through": "all@example.org"},
            ),
            EvidenceRow("2026-01-02T03:04:06+00:00", "deliver.local", {"mailbox": "INBOX"}),
        ],
    )
    assert text(arrived) == (
        "m4: message of ann@example.org\n"
        "From:       Bob <bob@example.net>\n"
        "Subject:    Lunch\n"
        "Message-ID: <1@example.org>\n"
        "Size:       1.2 KiB\n"
        "Lies in:    INBOX (UID 4), Work (UID 1)\n"
        "\n"
        "2026-01-02 03:04:05  came from mx.example.net [192.0.2.1], by ESMTPS, "
        "TLSv1.3 TLS_AES_256_GCM_SHA384, connection c7, name mx.example.net\n"
        "2026-01-02 03:04:06  sender <bob@example.net>, recipients: 1, 1234 octets\n"
        "2026-01-02 03:04:06  for info@example.org, through all@example.org\n"
        "2026-01-02 03:04:06  put into INBOX"
    )


def test_a_message_that_waits() -> None:
    waits = story(
        evidence=[
            EvidenceRow(
                "2026-01-02T03:04:05+00:00",
                "submit.connect",
                {"account": "ann@example.org", "peer": "192.0.2.3", "hello": "phone"},
            )
        ],
        recipients=[
            recipient(
                attempt("03:04:07", 450, words=["greylisted,", "come back later"]),
                attempt("03:10:00", 450, tls=None, policy="opportunistic", is_shared=True),
                delay_told="2026-01-02T07:04:07+00:00",
            )
        ],
    )
    assert text(waits) == (
        "s1: submission of ann@example.org\n"
        "Sender:     <ann@example.org>\n"
        "Subject:    Lunch\n"
        "Message-ID: <1@example.org>\n"
        "Size:       1.2 KiB\n"
        "\n"
        "2026-01-02 03:04:05  handed in by ann@example.org, from phone [192.0.2.3]\n"
        "2026-01-02 03:04:07  bob@example.net: deferred by mx.example.net [192.0.2.9] at RCPT, "
        "TLSv1.3 TLS_AES_256_GCM_SHA384, policy dane, 1.2 s\n"
        "                     450 4.0.0 greylisted,\n"
        "                     450 4.0.0 come back later\n"
        "2026-01-02 03:10:00  bob@example.net: deferred by mx.example.net [192.0.2.9] at RCPT, "
        "no TLS, policy opportunistic, 1.2 s, as another message found shortly before\n"
        "                     450 4.0.0 so it is\n"
        "2026-01-02 07:04:07  bob@example.net: the sender was told of the delay\n"
        "\n"
        "bob@example.net (q1) waits, next try 2026-01-02 03:34:05, given up 2026-01-07 03:04:05"
    )


def test_recipients_stand_in_one_order_of_time() -> None:
    told = story(
        recipients=[
            recipient(attempt("03:05:00", 450), attempt("03:35:00", 250)),
            recipient(attempt("03:06:00", 550), id="q2", address="cy@example.net"),
        ]
    )
    lines = [line for line in text(told).splitlines() if line.startswith("2026")]
    assert [line.partition(",")[0] for line in lines] == [
        "2026-01-02 03:05:00  bob@example.net: deferred by mx.example.net [192.0.2.9] at RCPT",
        "2026-01-02 03:06:00  cy@example.net: refused by mx.example.net [192.0.2.9] at RCPT",
        "2026-01-02 03:35:00  bob@example.net: taken by mx.example.net [192.0.2.9]",
    ]


@pytest.mark.parametrize(
    ("changed", "ends"),
    [
        ({"state": "delivered"}, "was delivered"),
        ({"state": "failed"}, "failed"),
        ({"state": "expired"}, "was given up, its time was over"),
        ({"state": "dropped"}, "was dropped by the operator"),
        ({"state": "held"}, "is held until it is released"),
        ({"state": "held", "route": "h:25"}, "is held until it is released, by way of h:25"),
        ({"expires": None}, "waits, next try 2026-01-02 03:34:05"),
        (
            {"expires": None, "route": "h:25"},
            "waits, next try 2026-01-02 03:34:05, by way of h:25",
        ),
    ],
)
def test_how_it_stands(changed: dict[str, Any], ends: str) -> None:
    told = text(story(recipients=[recipient(**changed)]))
    assert told.splitlines()[-1] == f"bob@example.net (q1) {ends}"


def test_trouble_of_ours_is_told_as_ours() -> None:
    ours = attempt(
        "03:05:00",
        451,
        phase="lookup",
        is_theirs=False,
        host=None,
        ip=None,
        tls=None,
        policy="none",
        enhanced="",
        words=["no answer"],
    )
    told = text(story(recipients=[recipient(ours)])).splitlines()
    assert told[6:8] == [
        "2026-01-02 03:05:00  bob@example.net: deferred here at finding the way",
        "                     noted here: 451 no answer",
    ]


def test_a_stage_without_a_phrase_shows_all_its_facts() -> None:
    stamp = EvidenceRow("2026-01-02T03:04:05+00:00", "forward.srs", {"to": "x@y", "{}": "{0}"})
    assert text(story(evidence=[stamp])).endswith("  forward.srs: to x@y, {} {0}")


def test_what_others_say_cannot_drive_a_terminal() -> None:
    evil = "\x1b]0;owned\x07\x1b[2J\x9b31m\r\n250 2.0.0 fine\u202e\0"
    told = text(
        story(
            subject=evil,
            message_id=evil,
            sender=evil,
            evidence=[EvidenceRow("2026-01-02T03:04:05+00:00", evil, {evil: evil})],
            recipients=[
                recipient(
                    attempt("03:05:00", 550, words=[evil], host=evil, policy=evil, enhanced=evil),
                    address=evil,
                )
            ],
        )
    )
    assert all(character.isprintable() for line in told.split("\n") for character in line)
    assert not any(line.startswith("250") for line in told.split("\n"))


def test_those_left_out_are_counted() -> None:
    assert text(story(recipients=[recipient()], untold=7)).endswith("\nand 7 more recipients")


def test_a_message_of_which_little_is_left() -> None:
    gone = story(id="m4", origin=None, account=None, message_id=None, sender="", subject="", size=0)
    assert text(gone) == "m4: message\nLies in:    no mailbox (expunged)\n"
