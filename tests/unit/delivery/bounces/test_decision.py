"""Who hears what: every combination of wish and action, against the text of RFC 3461."""

import itertools

import pytest

from mailbox_server.delivery.bounces.decision import Hearer, hearer, passed_on, wants
from mailbox_server.mime.reports.delivery_status import Action
from mailbox_server.model.address import Address, ReversePath
from mailbox_server.model.envelope import Notify
from mailbox_server.model.outbound import Origin

ANN = ReversePath(Address.parse("ann@example.org"))
NULL = ReversePath(None)
WISHES = (
    Notify.UNSAID,
    Notify.NEVER,
    *(
        Notify(sum(flag.value for flag in flags))
        for count in (1, 2, 3)
        for flags in itertools.combinations((Notify.SUCCESS, Notify.FAILURE, Notify.DELAY), count)
    ),
)
GOOD = (Action.DELIVERED, Action.RELAYED, Action.EXPANDED)


def owed_by_the_text(notify: Notify, action: Action) -> bool:
    """The conditions in the order of the sections."""
    if notify is Notify.UNSAID:
        # §5.2.6 c: failed MUST; §5.2.5 b: delayed MAY; §5.2.2 d, §5.2.3 c: no good news.
        return action in (Action.FAILED, Action.DELAYED)
    if Notify.NEVER in notify:
        return False  # §5.2.2 c, §5.2.3 b
    if action is Action.FAILED:
        return Notify.FAILURE in notify  # §5.2.6 a, b
    if action is Action.DELAYED:
        return Notify.DELAY in notify  # §5.2.5 a, c
    return Notify.SUCCESS in notify  # §5.2.2 b, §5.2.3 a, §5.2.7.3 c


@pytest.mark.parametrize("notify", WISHES)
@pytest.mark.parametrize("action", Action)
def test_a_sender_of_ours_hears_what_notify_says(notify: Notify, action: Action) -> None:
    owed = owed_by_the_text(notify, action)
    assert wants(notify, action) is owed
    expected = Hearer.SENDER if owed else Hearer.NOBODY
    assert hearer(Origin.SUBMISSION, ANN, notify, action) is expected


@pytest.mark.parametrize("origin", Origin)
@pytest.mark.parametrize("notify", WISHES)
@pytest.mark.parametrize("action", Action)
def test_a_bounce_causes_no_bounce(origin: Origin, notify: Notify, action: Action) -> None:
    # RFC 5321 §6.1.
    assert hearer(origin, NULL, notify, action) is Hearer.NOBODY
    assert hearer(Origin.REPORT, ANN, notify, action) is Hearer.NOBODY


@pytest.mark.parametrize("notify", WISHES)
@pytest.mark.parametrize("action", Action)
def test_a_stranger_hears_nothing_but_the_owner_hears_of_failure(
    notify: Notify, action: Action
) -> None:
    expected = Hearer.OWNER if action is Action.FAILED else Hearer.NOBODY
    assert hearer(Origin.FORWARD, ANN, notify, action) is expected


@pytest.mark.parametrize("action", Action)
def test_failures_of_list_mail_are_counted(action: Action) -> None:
    expected = Hearer.LIST if action is Action.FAILED else Hearer.NOBODY
    assert hearer(Origin.LIST, ANN, Notify.UNSAID, action) is expected


def test_a_delay_is_told_once() -> None:
    delayed = (Origin.SUBMISSION, ANN, Notify.DELAY, Action.DELAYED)
    assert hearer(*delayed) is Hearer.SENDER
    assert hearer(*delayed, told_before=True) is Hearer.NOBODY
    failed = (Origin.SUBMISSION, ANN, Notify.UNSAID, Action.FAILED)
    assert hearer(*failed, told_before=True) is Hearer.SENDER


@pytest.mark.parametrize("notify", WISHES)
def test_success_is_not_passed_on_by_an_alias_of_many(notify: Notify) -> None:
    # RFC 3461 §5.2.7.3 c.
    passed = passed_on(notify)
    for action in Action:
        kept = owed_by_the_text(notify, action) and action not in GOOD
        assert owed_by_the_text(passed, action) is kept
