"""What an attempt at mail with a time of its own means for its sender (RFC 2852 §4.1)."""

from dataclasses import replace
from datetime import timedelta

import pytest

from mailbox_server.mime.reports.delivery_status import Action
from mailbox_server.model.address import Address
from mailbox_server.model.envelope import Notify
from mailbox_server.model.ids import DepartureId, OutboundId
from mailbox_server.model.outbound import (
    Attempt,
    ByMode,
    DeliverBy,
    Outbound,
    OutboundState,
)
from mailbox_server.relay.queue.decision import Decision, decide
from mailbox_server.relay.schedule import ScheduleRules
from tests.contract.outgoing import DEPARTURE, attempt

NOW = DEPARTURE.arrived
SOON = NOW + timedelta(minutes=2)


def decided(said: Attempt, by: DeliverBy | None, notify: Notify = Notify.UNSAID) -> Decision:
    """Of the first attempt at one recipient."""
    job = Outbound(
        id=OutboundId(1),
        departure=DepartureId(1),
        address=Address.parse("bob@x.example"),
        notify=notify,
        original=None,
        return_path=None,
        state=OutboundState.WAITING,
        due=NOW,
        attempts=0,
        expires=None,
        route=None,
        delay_told=None,
        last=None,
    )
    departure = replace(DEPARTURE, deliver_by=by)
    return decide(job, departure, said, ScheduleRules(), 0.0)


NOTIFY, TRACE = (DeliverBy(SOON, ByMode.NOTIFY, trace=trace) for trace in (False, True))
RETURN, TRACED = (DeliverBy(SOON, ByMode.RETURN, trace=trace) for trace in (False, True))
LATE = DeliverBy(NOW, ByMode.NOTIFY, trace=False)


@pytest.mark.parametrize(
    ("by", "offers", "notify", "is_told"),
    [
        (None, "", Notify.UNSAID, False),
        (None, "", Notify.SUCCESS, True),
        (None, "DSN", Notify.SUCCESS, False),
        (NOTIFY, "", Notify.UNSAID, True),
        (NOTIFY, "DSN", Notify.FAILURE, True),
        (NOTIFY, "", Notify.NEVER, False),
        (NOTIFY, "DSN DELIVERBY", Notify.UNSAID, False),
        (NOTIFY, "DELIVERBY", Notify.SUCCESS, True),
        (LATE, "DSN", Notify.UNSAID, False),
        (RETURN, "DSN DELIVERBY", Notify.UNSAID, False),
        (TRACE, "DSN DELIVERBY", Notify.UNSAID, True),
        (TRACED, "DSN DELIVERBY", Notify.DELAY, True),
        (TRACED, "DSN DELIVERBY", Notify.NEVER, False),
    ],
)
def test_who_hears_that_it_was_relayed(
    by: DeliverBy | None, offers: str, notify: Notify, is_told: bool
) -> None:
    words = offers.split()
    said = attempt(NOW, 250, passes_dsn="DSN" in words, keeps_time="DELIVERBY" in words)
    told = decided(said, by, notify).happening
    assert (told is not None) is is_told
    if told is not None:
        assert told.action is Action.RELAYED
        assert Notify.SUCCESS in told.notify, "so that it is told whatever was asked for"


@pytest.mark.parametrize(
    ("by", "after", "action"),
    [
        (NOTIFY, 0, None),
        (NOTIFY, 2, Action.DELAYED),
        (RETURN, 0, None),
        (RETURN, 2, Action.FAILED),
    ],
)
def test_what_is_late_is_told_as_late(by: DeliverBy, after: int, action: Action | None) -> None:
    told = decided(attempt(NOW + timedelta(minutes=after), 450), by).happening
    assert (None if told is None else told.action) is action
    assert told is None or told.is_late
