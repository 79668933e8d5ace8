"""Two appliances exchange mail; what a sender hears of it is what RFC 3461 says.

Every NOTIFY beside every RET, to somebody who is there, to nobody and to a full mailbox.  Who
has a full mailbox is tried again, so that DELAY is heard; BY=1;N has it heard at once.
"""

import email
import email.policy
import itertools
import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.message import Message
from typing import Final

import pytest

from tests.e2e.mail import fetch_all, send
from tests.e2e.pair import Pair, exchange, submit, submitting, told, wait_until

NOTIFIES: Final = (
    "",
    "NEVER",
    *(
        ",".join(some)
        for count in (1, 2, 3)
        for some in itertools.combinations(("SUCCESS", "FAILURE", "DELAY"), count)
    ),
)
RETS: Final = ("", "HDRS", "FULL")
THERE: Final = "there"
NOBODY: Final = "nobody"
FULL: Final = "full"

# What became of the recipient, and so: the wish that asks for a report, whether it is asked
# for by saying nothing, its Action, the class of its Status, and which of us reports.
RULES: Final = {
    THERE: ("SUCCESS", False, "delivered", "2.", "mail.far.test"),
    NOBODY: ("FAILURE", True, "failed", "5.1.1", "mail.example.test"),
    # What is late by BY has that code, whatever the server said (RFC 2852 §4.1.3).
    FULL: ("DELAY", True, "delayed", "4.4.7", "mail.example.test"),
}


@dataclass(frozen=True)
class Case:
    """One message to one recipient."""

    number: int
    notify: str
    ret: str
    state: str

    @property
    def recipient(self) -> str:
        name = {THERE: "ann", FULL: "bob", NOBODY: f"nobody{self.number}"}[self.state]
        return f"{name}@far.test"

    @property
    def envelope_id(self) -> str:
        return f"id+{self.number}=x"

    @property
    def original(self) -> str:
        return f"old+{self.number}@elsewhere.example"

    @property
    def message(self) -> bytes:
        return (
            f"From: ann@example.test\r\nTo: {self.recipient}\r\nSubject: case {self.number}\r\n"
            f"Message-ID: <case.{self.number}@example.test>\r\n\r\nwords of {self.number}\r\n"
        ).encode()


@dataclass(frozen=True)
class Report:
    """What a sender can read in one."""

    envelope_id: str
    original: str
    recipient: str
    action: str
    status: str
    reporter: str
    returned: str


CASES: Final = tuple(
    Case(number, *wishes) for number, wishes in enumerate(itertools.product(NOTIFIES, RETS, RULES))
)


def owed(case: Case) -> Report | None:
    """RFC 3461 §4.1, §4.3, §5.2, §6.2, §6.3."""
    wish, by_default, action, status, reporter = RULES[case.state]
    if not (wish in case.notify.split(",") or (by_default and not case.notify)):
        return None
    # All of it only of what failed; without RET that is ours to choose, and small mail is whole.
    is_whole = case.state == NOBODY and case.ret != "HDRS"
    return Report(
        case.envelope_id,
        f"rfc822;{case.original}",
        f"rfc822;{case.recipient}",
        action,
        status,
        reporter,
        "message/rfc822" if is_whole else "text/rfc822-headers",
    )


def read(octets: bytes) -> Report:
    """A report of one recipient."""
    message = email.message_from_bytes(octets, policy=email.policy.SMTP)
    assert octets.startswith(b"Return-Path: <>\r\n")
    assert message.get_content_type() == "multipart/report"
    assert message["Auto-Submitted"].startswith("auto-")
    words, fields, returned = message.get_payload()
    assert isinstance(words, Message) and words.get_content_type() == "text/plain"
    assert isinstance(fields, Message) and isinstance(returned, Message)
    of_message, of_recipient = fields.get_payload()
    assert isinstance(of_message, Message) and isinstance(of_recipient, Message)
    status = of_recipient["Status"]
    return Report(
        of_message["Original-Envelope-Id"],
        of_recipient["Original-Recipient"].replace(" ", ""),
        of_recipient["Final-Recipient"].replace(" ", ""),
        of_recipient["Action"],
        "2." if status.startswith("2.") else status,
        of_message["Reporting-MTA"].replace("dns;", "").strip(),
        returned.get_content_type(),
    )


def wait_long(pair: Pair, count: int) -> bool:
    """Whether so many wait, for the full mailbox, and none of them for the end of BY."""
    rows = json.loads(pair.here.verb("queue", "list", "--json").stdout)
    assert [row["recipient"] for row in rows] == ["bob@far.test"] * count
    soonest = min(datetime.fromisoformat(row["due"]) for row in rows)
    return soonest > datetime.now(UTC) + timedelta(minutes=2)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    with exchange(tmp_path_factory.mktemp("pair")) as running:
        send(running.far, b"Subject: fills it\r\n\r\nx\r\n", ["bob@far.test"])
        running.far.verb("account", "quota", "bob@far.test", "1")
        yield running


def test_every_wish_is_obeyed(pair: Pair, record_property: Callable[[str, object], None]) -> None:
    with submitting(pair.here) as client:
        client.ehlo()
        for case in CASES:
            xtext = case.envelope_id.replace("+", "+2B").replace("=", "+3D")
            original = case.original.replace("+", "+2B")
            wishes = f" NOTIFY={case.notify}" * bool(case.notify)
            by = " BY=1;N" * (case.state == FULL)
            submit(
                client,
                "ann@example.test",
                [(case.recipient, f"{wishes} ORCPT=rfc822;{original}")],
                case.message,
                f" ENVID={xtext}" + f" RET={case.ret}" * bool(case.ret) + by,
            )
    expected = {report for case in CASES if (report := owed(case)) is not None}
    states = Counter(case.state for case in CASES)

    by_us = sum(report.action != "delivered" for report in expected)

    def is_over() -> bool:
        return (
            len(told(pair.here, "relay.delivered")) == states[THERE]
            and len(told(pair.here, "relay.failed")) == states[NOBODY]
            and len(told(pair.here, "bounce.reported")) == by_us
            and len(told(pair.far, "relay.delivered")) == len(expected) - by_us
        )

    wait_until(is_over, "not everything was tried")
    wait_until(lambda: wait_long(pair, states[FULL]), "the full mailbox was not tried when due")
    assert pair.far.verb("queue", "list").stdout == b"none\n"
    reports = [read(octets) for octets in fetch_all(pair.here)]
    assert Counter(reports) == Counter(expected)
    arrived = fetch_all(pair.far)
    for case in CASES:
        copies = sum(case.message.rpartition(b"\r\n\r\n")[2] in octets for octets in arrived)
        assert copies == (case.state == THERE), case
    assert len(arrived) == states[THERE]
    assert len(fetch_all(pair.far, "bob")) == 1
    record_property("messages", len(CASES))
    record_property("reports", len(reports))
