"""Mail is passed on elsewhere: rewritten senders, traces, owners; reports come back."""

from dataclasses import replace
from datetime import timedelta

import pytest

from mailbox_server.delivery import replies
from mailbox_server.delivery.arrival import Acceptance, Opening
from mailbox_server.delivery.receiving import Arrival, ReceivingRules
from mailbox_server.delivery.routing import RoutingRules
from mailbox_server.delivery.srs import DAYS_VALID, plain_form
from mailbox_server.model.address import Address, Domain, ReversePath
from mailbox_server.model.envelope import BodyType, Envelope, Notify, Peer, Recipient, Return
from mailbox_server.model.outbound import Origin
from mailbox_server.model.reply import Reply
from tests.unit.delivery.house import HOSTNAME, OWN, PEER, REWRITER, House
from tests.unit.delivery.memory_store import Queued

MESSAGE = b"Subject: hello\r\nMessage-ID: <1@example.net>\r\n\r\nbody\r\n"
BOB = Address.parse("bob@example.net")
NULL = ReversePath(None)
REPORT = (
    b"From: MAILER-DAEMON@elsewhere.example\r\nSubject: failure notice\r\n\r\n"
    b"<far@elsewhere.example>: no mailbox here by that name (#5.1.1)\r\n"
)
AWAY = b"From: far@elsewhere.example\r\nSubject: oh\r\nAuto-Submitted: auto-replied\r\n\r\nx\r\n"
MOST = ReceivingRules(RoutingRules(HOSTNAME)).reports_back


@pytest.fixture
def house() -> House:
    house = House()
    house.store.add_account("ann@example.org")
    house.store.add_account("ben@example.org")
    house.store.add_alias("out@example.org", "far@elsewhere.example")
    house.store.add_alias("both@example.org", "ben@example.org", "far@elsewhere.example")
    return house


async def said(house: House, sender: ReversePath, *recipients: str) -> tuple[Arrival, list[Reply]]:
    arrival = await house.receiver.begin(Opening(Peer(PEER, 1, "c1"), OWN, sender, None))
    assert isinstance(arrival, Arrival)
    return arrival, [await arrival.recipient(Address.parse(each)) for each in recipients]


def envelope(house: House, sender: ReversePath, *recipients: str) -> Envelope:
    return Envelope(
        peer=Peer(PEER, 40_000, "c1"),
        peer_name=None,
        greeting_name="client.example",
        protocol="ESMTP",
        tls=None,
        reverse_path=sender,
        recipients=tuple(Recipient(Address.parse(each)) for each in recipients),
        body=BodyType.SEVEN_BIT,
        smtputf8=False,
        require_tls=False,
        ret=Return.UNSAID,
        envelope_id=None,
        declared_size=None,
        started=house.clock.now(),
    )


async def deliver(
    house: House,
    *recipients: str,
    sender: ReversePath | None = None,
    content: bytes = MESSAGE,
    **changes: object,
) -> Acceptance:
    path = sender or ReversePath(BOB)
    arrival, answers = await said(house, path, *recipients)
    assert all(answer.is_positive for answer in answers), answers
    arrival.begin_content()
    arrival.feed(content)
    return await arrival.accept(replace(envelope(house, path, *recipients), **changes))  # type: ignore[arg-type]


async def passed_on(house: House, *recipients: str, **how: object) -> Queued:
    acceptance = await deliver(house, *recipients, **how)  # type: ignore[arg-type]
    assert all(each.is_positive for each in acceptance.replies)
    (queued,) = house.store.queued
    return queued


async def test_an_alias_elsewhere_is_queued_in_the_one_write(house: House) -> None:
    acceptance = await deliver(house, "out@example.org")
    assert acceptance.replies == (replies.queued("c1-1"),)
    (queued,) = house.store.queued
    departure = queued.departure
    assert departure.origin is Origin.FORWARD
    assert queued.content == MESSAGE
    assert [str(each.address) for each in queued.recipients] == ["far@elsewhere.example"]
    assert departure.trace.startswith(
        b"Delivered-To: out@example.org\r\nReceived: from client.example ([192.0.2.7])"
    )
    assert b"Return-Path" not in departure.trace
    assert departure.size == len(departure.trace) + len(MESSAGE)
    assert departure.message_id == "<1@example.net>"
    sender = departure.reverse_path.address
    assert sender is not None
    assert sender.domain.ascii == "example.org"
    assert REWRITER.restore(sender, house.clock.now()) == BOB
    # Whom a failure is told: the oldest account, for the alias has none of its own.
    assert departure.account == house.store.people[0].id
    assert [stamp.stage for stamp in queued.evidence] == [
        "receive.connect",
        "receive.envelope",
        "forward",
    ]
    assert house.store.stored == []
    assert house.events.names() == ["smtp.accepted"]


async def test_an_account_may_keep_a_copy(house: House) -> None:
    acceptance = await deliver(house, "both@example.org", "ann@example.org", "out@example.org")
    both, ann, out = acceptance.replies
    assert both != ann
    assert out == replies.queued("c1-1")
    assert [str(each.account.address) for each in house.store.stored] == [
        "ann@example.org",
        "ben@example.org",
    ]
    # Who is reached by two ways gets it once.
    (queued,) = house.store.queued
    assert queued.departure.account == house.store.people[1].id
    assert b"Delivered-To: both@example.org\r\n" in queued.departure.trace
    assert all(b"Delivered-To" not in each.new.trace for each in house.store.stored)


async def test_every_alias_on_the_way_is_told(house: House) -> None:
    house.store.add_alias("far@example.org", "near@example.org")
    house.store.add_alias("near@example.org", "x@elsewhere.example")
    queued = await passed_on(house, "far@example.org")
    assert queued.departure.trace.startswith(
        b"Delivered-To: near@example.org\r\nDelivered-To: far@example.org\r\nReceived:"
    )


@pytest.mark.parametrize("sender", [NULL, ReversePath(Address.parse("ann@example.org"))])
async def test_senders_that_stay(house: House, sender: ReversePath) -> None:
    queued = await passed_on(house, "out@example.org", sender=sender)
    assert queued.departure.reverse_path == sender


async def test_a_sender_that_does_not_fit_becomes_postmaster(house: House) -> None:
    long = ReversePath(Address.parse("a" * 60 + "@example.net"))
    queued = await passed_on(house, "out@example.org", sender=long)
    assert str(queued.departure.reverse_path) == "postmaster@example.org"


async def test_what_the_content_needs_is_told(house: House) -> None:
    queued = await passed_on(
        house,
        "out@example.org",
        content="Subject: größer\r\nTLS-Required: No\r\n\r\n€\r\n".encode(),
        smtputf8=True,
        body=BodyType.EIGHT_BIT_MIME,
        ret=Return.HEADERS,
        envelope_id="QQ",
    )
    departure = queued.departure
    assert departure.smtputf8
    assert departure.body is BodyType.EIGHT_BIT_MIME
    assert departure.tls_optional
    assert (departure.ret, departure.envelope_id) == (Return.HEADERS, "QQ")


async def test_octets_in_a_header_without_smtputf8_pass_as_they_came(house: House) -> None:
    """What old programs write there is no internationalized message (RFC 6531 §3.6)."""
    queued = await passed_on(
        house, "out@example.org", content="Subject: größer\r\n\r\n".encode("latin-1")
    )
    assert not queued.departure.smtputf8
    assert queued.departure.body is BodyType.EIGHT_BIT_MIME


async def test_what_it_does_not_need_is_not_asked_for(house: House) -> None:
    queued = await passed_on(
        house, "out@example.org", smtputf8=True, body=BodyType.EIGHT_BIT_MIME, require_tls=True
    )
    departure = queued.departure
    assert not departure.smtputf8
    assert departure.body is BodyType.SEVEN_BIT
    assert departure.require_tls
    assert not departure.tls_optional


async def test_an_address_beyond_ascii_needs_smtputf8(house: House) -> None:
    house.store.add_alias("utf8@example.org", "größe@elsewhere.example")
    queued = await passed_on(house, "utf8@example.org")
    assert queued.departure.smtputf8


@pytest.mark.parametrize(
    ("alias", "wish", "passed"),
    [
        ("out@example.org", Notify.SUCCESS | Notify.FAILURE, Notify.SUCCESS | Notify.FAILURE),
        ("both@example.org", Notify.SUCCESS | Notify.FAILURE, Notify.FAILURE),
        ("both@example.org", Notify.SUCCESS, Notify.NEVER),
        ("both@example.org", Notify.UNSAID, Notify.UNSAID),
    ],
)
async def test_wishes_are_passed_on(house: House, alias: str, wish: Notify, passed: Notify) -> None:
    recipients = (Recipient(Address.parse(alias), wish),)
    queued = await passed_on(house, alias, recipients=recipients)
    assert queued.recipients[0].notify == passed


async def test_mail_that_comes_back_is_refused(house: House) -> None:
    queued = await passed_on(house, "out@example.org")
    came_back = queued.departure.trace + queued.content
    acceptance = await deliver(house, "out@example.org", content=came_back)
    assert acceptance.replies == (replies.LOOP,)
    assert len(house.store.queued) == 1


async def test_a_repeat_is_passed_on_once(house: House) -> None:
    first = await deliver(house, "out@example.org")
    again = await deliver(house, "out@example.org")
    assert len(house.store.queued) == 1
    assert again.replies[0].is_positive
    assert first.receipt is not None
    house.receiver.confirm(first)
    await deliver(house, "out@example.org")
    assert len(house.store.queued) == 2


async def test_a_failure_of_the_queue_takes_back_all(house: House) -> None:
    house.store.failing["depart"] = OSError("no")
    acceptance = await deliver(house, "both@example.org")
    assert acceptance.replies == (replies.UNFORESEEN,)
    assert (house.store.stored, house.store.queued) == ([], [])


async def test_an_owner_who_went_meanwhile_owns_nothing(house: House) -> None:
    async def go() -> None:
        house.store.people.clear()
        house.store.owners_generation += 1

    house.store.before_write = go
    queued = await passed_on(house, "out@example.org")
    assert queued.departure.account is None


async def test_wide_aliases_add_up(house: House) -> None:
    house.receiver.rules = replace(house.receiver.rules, ways=5)
    house.store.add_alias("wide@example.org", *(f"x{n}@elsewhere.example" for n in range(3)))
    _, answers = await said(house, ReversePath(BOB), "wide@example.org", "wide@example.org")
    assert answers == [replies.RECIPIENT_OK, replies.TOO_MANY_WAYS]


# ---------------------------------------------------------------- what comes back


async def back(house: House) -> str:
    """The address that a report about passed on mail comes to."""
    queued = await passed_on(house, "out@example.org")
    house.store.queued.clear()
    return str(queued.departure.reverse_path)


async def test_a_report_goes_on_to_the_sender(house: House) -> None:
    address = await back(house)
    for written in (address, address.upper()):
        house.store.queued.clear()
        queued = await passed_on(house, written, sender=NULL, content=REPORT)
        assert queued.departure.reverse_path == NULL
        assert queued.departure.account is None
        assert queued.departure.trace.startswith(b"Received:")
        (to,) = queued.recipients
        assert to.address.key == BOB.key


async def test_only_reports_come_back(house: House) -> None:
    address = await back(house)
    assert (await said(house, ReversePath(BOB), address))[1] == [replies.REPORTS_ONLY]


async def again(house: House, number: int, address: str, content: bytes = REPORT) -> Reply:
    """One more report to the address, that is no repeat of the one before."""
    content = b"Message-ID: <%d@elsewhere.example>\r\n" % number + content
    _, (answer,) = await said(house, NULL, address)
    if not answer.is_positive:
        return answer
    return (await deliver(house, address, sender=NULL, content=content)).replies[0]


async def test_a_letter_is_no_report(house: House) -> None:
    address = await back(house)
    letter = b"From: eve@evil.example\r\nSubject: buy\r\n\r\nthis\r\n"
    assert await again(house, 0, address, letter) == replies.REPORTS_ONLY
    assert (house.store.queued, house.store.stored) == ([], [])
    assert house.events.told[-1] == (
        "receive.return_refused",
        {"recipient": address, "sender": "bob@example.net", "reason": "no report"},
    )
    # What was refused counts for nothing.
    assert house.receiver.report_counts.of(plain_form(Address.parse(address).local)) == 0


async def test_so_many_reports_a_day_come_back(house: House) -> None:
    address = await back(house)
    # Neither case nor the mark after the prefix nor another domain of ours makes another one.
    house.store.add_domain("example.com")
    forms = [address, address.upper(), address.replace("SRS0=", "SRS0+")]
    forms.append(address.replace("@example.org", "@example.com"))
    for number in range(MOST):
        answer = await again(house, number, forms[number % len(forms)], AWAY)
        assert answer.is_positive, answer
    assert len(house.store.queued) == MOST
    for form in forms:
        assert await again(house, MOST, form) == replies.REPORTS_TOO_MANY
    stamp = house.store.queued[-1].evidence[2]
    assert (stamp.stage, dict(stamp.facts)["count"]) == ("return", str(MOST))
    house.clock.seconds += timedelta(days=1).total_seconds()
    assert (await again(house, MOST, address)).is_positive


async def test_many_at_once_are_no_more(house: House) -> None:
    address = await back(house)
    held = [await said(house, NULL, address) for _ in range(MOST + 5)]
    answers = []
    for number, (arrival, _) in enumerate(held):
        arrival.begin_content()
        arrival.feed(b"Message-ID: <%d@elsewhere.example>\r\n" % number + REPORT)
        answers += (await arrival.accept(envelope(house, NULL, address))).replies
    assert answers[MOST:] == [replies.REPORTS_TOO_MANY] * 5
    assert len(house.store.queued) == MOST


async def test_what_could_not_be_kept_does_not_count(house: House) -> None:
    address = await back(house)
    house.store.failing["depart"] = OSError("no")
    for number in range(MOST + 5):
        assert await again(house, number, address) == replies.UNFORESEEN
    house.store.failing.clear()
    assert (await again(house, 0, address)).is_positive


async def test_a_return_address_is_taken_alone(house: House) -> None:
    address = await back(house)
    ann = "ann@example.org"
    _, answers = await said(house, NULL, address, ann, address)
    assert answers == [replies.RECIPIENT_OK, replies.ALONE, replies.RECIPIENT_OK]
    arrival, answers = await said(house, NULL, ann, address, ann)
    assert answers == [replies.RECIPIENT_OK, replies.ALONE, replies.RECIPIENT_OK]
    # The others of that transaction get what they want.
    arrival.begin_content()
    arrival.feed(MESSAGE)
    acceptance = await arrival.accept(envelope(house, NULL, ann, ann))
    assert acceptance.replies[0].is_positive


async def test_forged_and_old_ones_are_refused(house: House) -> None:
    address = await back(house)
    forged = address.replace("bob", "eve")
    assert (await said(house, NULL, forged))[1] == [replies.RETURN_INVALID]
    assert (await said(house, NULL, "SRS0=x@example.org"))[1] == [replies.RETURN_INVALID]
    house.clock.seconds += timedelta(days=DAYS_VALID).total_seconds()
    assert (await said(house, NULL, address))[1] == [replies.RECIPIENT_OK]
    house.clock.seconds += timedelta(days=1).total_seconds()
    assert (await said(house, NULL, address))[1] == [replies.RETURN_INVALID]


async def test_elsewhere_they_are_addresses_like_others(house: House) -> None:
    address = await back(house)
    elsewhere = address.replace("@example.org", "@elsewhere.example")
    assert (await said(house, NULL, elsewhere))[1] == [replies.NOT_OURS]


async def test_a_sender_who_is_ours_by_now_gets_it_here(house: House) -> None:
    address = await back(house)
    house.store.add_domain("example.net")
    house.store.add_account("bob@example.net")
    house.store.owners_generation += 1
    await deliver(house, address, sender=NULL, content=AWAY)
    assert house.store.queued == []
    assert [str(each.account.address) for each in house.store.stored] == ["bob@example.net"]
    carl = Address.parse("carl@example.net")
    gone = REWRITER.rewrite(carl, Domain.parse("example.org"), house.clock.now())
    assert (await said(house, NULL, str(gone)))[1] == [replies.UNKNOWN]
