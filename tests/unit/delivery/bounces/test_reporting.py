"""Reports written: to whom, with what, in how many pieces, and never for a bounce."""

from dataclasses import replace
from datetime import timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import format_datetime
from ipaddress import ip_address

import pytest

from mailbox_server.checks.dkim.signing import Signer
from mailbox_server.delivery.bounces.happening import Happening, happened
from mailbox_server.delivery.bounces.original import Original, of_departure, staged_reader
from mailbox_server.delivery.bounces.report import ReportRules, returned
from mailbox_server.delivery.bounces.reporting import PreparedReports, Reporter
from mailbox_server.delivery.bounces.scoring import ScoreRules
from mailbox_server.delivery.replies import ENDED_BY_OPERATOR
from mailbox_server.delivery.return_path_keys import ReturnPathKeys
from mailbox_server.delivery.routing import RoutingRules
from mailbox_server.delivery.verp import Kind, PathSigner, ReturnToken
from mailbox_server.mime.reports.delivery_status import Action
from mailbox_server.mime.reports.returned import Returned
from mailbox_server.model.address import Address, ReversePath
from mailbox_server.model.bounce import BounceScore, Cause, ScoreState
from mailbox_server.model.envelope import BodyType, Notify, OriginalRecipient, Return
from mailbox_server.model.errors import ContentDamaged, DiskLow
from mailbox_server.model.ids import AccountId, ContentId, DepartureId, OutboundId
from mailbox_server.model.outbound import (
    Attempt,
    Departure,
    Finding,
    NewOutbound,
    Origin,
    Outbound,
    OutboundState,
    Phase,
)
from mailbox_server.model.reply import Reply, reply
from tests.unit.delivery.house import BEGINNING, HOSTNAME, House
from tests.unit.delivery.memory_store import MemoryStaged

CONTENT = b"Subject: Lunch\r\nMessage-ID: <1@example.org>\r\nFrom: ann@example.org\r\n\r\nbody\r\n"
TRACE = b"Received: from x\r\n"
BOB = Address.parse("bob@example.net")
NO_USER = reply(550, "5.1.1", "No such user")


def refused(at_hours: float = 0) -> Attempt:
    return Attempt(
        at=BEGINNING + timedelta(hours=at_hours),
        finding=Finding.REFUSED,
        phase=Phase.RCPT,
        reply=NO_USER,
        is_theirs=True,
        host="mx.example.net",
        ip=ip_address("192.0.2.9"),
    )


def failure(
    address: str = "bob@example.net",
    notify: Notify = Notify.UNSAID,
    return_path: ReversePath | None = None,
) -> Happening:
    return Happening(
        Address.parse(address),
        Action.FAILED,
        notify,
        OriginalRecipient("rfc822", address),
        return_path,
        refused(),
    )


class Office:
    """A reporter in the house of ann, her message, and what was put into the queue."""

    def __init__(self, signer: Signer | None = None, rules: ReportRules | None = None) -> None:
        self.house = House()
        self.ann = self.house.store.add_account("ann@example.org")
        self.house.store.kept.append(CONTENT)
        self.reporter = Reporter(
            store=self.house.store,  # type: ignore[arg-type]
            rules=rules or ReportRules(HOSTNAME),
            routing=RoutingRules(HOSTNAME),
            scores=ScoreRules(),
            signer=signer,
            clock=self.house.clock,
            entropy=self.house.entropy,
            events=self.house.events,
        )

    def departure(self, sender: str | None = "ann@example.org") -> Departure:
        return Departure(
            origin=Origin.SUBMISSION,
            account=self.ann.id,
            reverse_path=ReversePath(None if sender is None else Address.parse(sender)),
            content=ContentId(1),
            trace=TRACE,
            size=len(TRACE) + len(self.house.store.kept[0]),
            message_id="<1@example.org>",
            body=BodyType.SEVEN_BIT,
            smtputf8=False,
            require_tls=False,
            tls_optional=False,
            ret=Return.UNSAID,
            envelope_id="QQ1",
            priority=0,
            deliver_by=None,
            held_until=None,
            arrived=BEGINNING,
        )

    def original(self, sender: str | None = "ann@example.org") -> Original:
        return of_departure(self.departure(sender), self.house.store)  # type: ignore[arg-type]

    async def report(self, original: Original, *happenings: Happening) -> PreparedReports:
        prepared = await self.reporter.prepare(original, happenings)
        await self.house.store.write(prepared.write)
        return prepared

    def mail(self) -> list[EmailMessage]:
        found = []
        for stored in self.house.store.stored:
            message = message_from_bytes(stored.content, policy=policy.default)
            assert isinstance(message, EmailMessage)
            found.append(message)
        return found


async def test_a_sender_of_ours_finds_the_report_in_the_inbox() -> None:
    office = Office()
    await office.report(office.original(), failure())
    (stored,) = office.house.store.stored
    assert stored.account == office.ann
    assert stored.new.trace == b"Return-Path: <>\r\n"
    (message,) = office.mail()
    assert message["From"] == "Mail server <postmaster@mx.example.org>"
    assert message["To"] == "ann@example.org"
    assert message["Subject"] == "Not delivered: Lunch"
    assert message["Auto-Submitted"] == "auto-replied"
    assert message["References"] == message["In-Reply-To"] == "<1@example.org>"
    words, fields, whole = message.iter_parts()
    assert "There is no mailbox of this name at example.net." in words.get_content()
    assert "mx.example.net [192.0.2.9] said:" in words.get_content()
    assert "Original-Envelope-Id: QQ1" in fields.as_string()
    assert "Remote-MTA: dns; mx.example.net" in fields.as_string()
    assert "Diagnostic-Code: smtp; 550 5.1.1 No such user" in fields.as_string()
    assert whole.get_content_type() == "message/rfc822"
    assert TRACE + CONTENT in stored.content
    assert not office.house.store.departed


async def test_a_sender_elsewhere_gets_it_by_the_queue_with_a_null_reverse_path() -> None:
    office = Office()
    await office.report(office.original("ann@example.com"), failure())
    ((departure, recipients),) = office.house.store.departed
    assert departure.origin is Origin.REPORT
    assert departure.reverse_path.address is None
    # RFC 3461 §6.1.
    assert departure.ret is Return.UNSAID
    assert recipients == [NewOutbound(Address.parse("ann@example.com"), Notify.NEVER)]
    assert departure.size == len(office.house.store.kept[departure.content - 1])
    assert not office.house.store.stored


async def test_one_report_for_all_that_became_known_at_a_time() -> None:
    office = Office()
    dave = Happening(Address.parse("dave@example.net"), Action.RELAYED, Notify.SUCCESS)
    never = failure("eve@example.net", Notify.NEVER)
    await office.report(office.original(), failure(), failure("carol@example.net"), dave, never)
    (message,) = office.mail()
    words, fields, _ = message.iter_parts()
    assert fields.as_string().count("Action: failed") == 2
    assert fields.as_string().count("Action: relayed") == 1
    # RFC 3461 §5.2.8: nothing of who must not be told of.
    assert "eve@example.net" not in words.get_content() + fields.as_string()


@pytest.mark.parametrize(("action", "code"), [(Action.FAILED, "5.4.7"), (Action.DELAYED, "4.4.7")])
async def test_what_is_late_is_said_to_be_so(action: Action, code: str) -> None:
    """RFC 2852 §4.1.3, §5: whatever the last answer was, and until when it was wanted."""
    office = Office()
    until = BEGINNING + timedelta(minutes=2)
    original = replace(office.original(), deliver_by=until)
    late = replace(failure(), action=action, is_late=True, gave_up=True, until=until)
    await office.report(original, late)
    [mail] = office.mail()
    status = mail.get_payload()[1].as_string()  # type: ignore[index, union-attr]
    assert f"Status: {code}\n" in status
    assert f"Deliver-By-Date: {format_datetime(until)}\n" in status


async def test_a_return_path_of_its_own_gets_a_report_of_its_own() -> None:
    office = Office()
    own = ReversePath(Address.parse("ann+bob@example.org"))
    await office.report(office.original(), failure(return_path=own), failure("carol@example.net"))
    assert [message["To"] for message in office.mail()] == [
        "ann+bob@example.org",
        "ann@example.org",
    ]


async def test_nothing_is_written_for_a_bounce() -> None:
    office = Office()
    prepared = await office.report(office.original(None), failure())
    assert prepared.contents == ()
    assert not office.house.store.stored and not office.house.store.departed
    assert office.house.events.names() == ["bounce.untold"]


async def test_a_failed_forward_tells_the_owner_and_never_the_stranger() -> None:
    office = Office()
    office.house.store.kept[0] = b"From: Eve <eve@example.com>\r\n" + CONTENT
    original = replace(
        office.original("SRS0=x=y=example.com=eve@example.org"), origin=Origin.FORWARD
    )
    await office.report(original, failure())
    (message,) = office.mail()
    assert message["To"] == "ann@example.org"
    words = next(message.iter_parts()).get_content()
    assert "A message from Eve <eve@example.com> that came for ann@example.org" in " ".join(
        words.split()
    )
    assert not office.house.store.departed


def forwarded(office: Office) -> Original:
    return replace(office.original("SRS0=x=y=example.com=eve@example.org"), origin=Origin.FORWARD)


def told_words(message: EmailMessage) -> str:
    return " ".join(next(message.iter_parts()).get_content().split())


async def test_of_one_address_an_owner_hears_once_a_day() -> None:
    office, carol = Office(), failure("carol@example.net")
    await office.report(forwarded(office), failure())
    for hours in (1, 23):
        office.house.clock.seconds = hours * 3_600
        await office.report(forwarded(office), failure())
    assert len(office.mail()) == 1
    # Another address is another matter, and only it is told of.
    await office.report(forwarded(office), failure(), carol)
    _, second = office.mail()
    assert "carol@example.net" in told_words(second)
    assert "bob@example.net" not in second.as_string().partition("message/rfc822")[0]
    office.house.clock.seconds = 25 * 3_600
    await office.report(forwarded(office), failure(), carol)
    words = told_words(office.mail()[2])
    assert "3 more messages failed in the same way" in words
    assert "carol" not in words
    office.house.clock.seconds = 50 * 3_600
    await office.report(forwarded(office), failure(), carol)
    words = told_words(office.mail()[3])
    # Of bob there was nothing more; of carol one.
    assert words.count("in the same way") == 1 and "One more message" in words
    assert [name for name in office.house.events.names() if name == "bounce.counted"] == (
        ["bounce.counted"] * 4
    )


async def test_two_reports_at_once_are_told_once() -> None:
    office = Office()
    both = [await office.reporter.prepare(forwarded(office), [failure()]) for _ in range(2)]
    for prepared in both:
        await office.house.store.write(prepared.write)
    assert len(office.mail()) == 1
    assert office.house.store.failed_forwards[office.ann.id, BOB.key].untold == 1


async def test_a_clock_that_was_set_back_silences_nobody() -> None:
    office = Office()
    office.house.clock.seconds = 86_400 * 400
    await office.report(forwarded(office), failure())
    office.house.clock.seconds = 0
    await office.report(forwarded(office), failure())
    assert len(office.mail()) == 2


async def test_an_owner_who_went_meanwhile_hears_nothing() -> None:
    office = Office()
    prepared = await office.reporter.prepare(forwarded(office), [failure()])
    office.house.store.people.clear()
    await office.house.store.write(prepared.write)
    assert office.mail() == [] and office.house.store.failed_forwards == {}


async def test_who_sends_through_us_hears_of_each() -> None:
    office = Office()
    for _ in range(3):
        await office.report(office.original(), failure())
    assert len(office.mail()) == 3 and office.house.store.failed_forwards == {}


async def test_without_an_owner_a_failed_forward_is_told_to_nobody() -> None:
    office = Office()
    original = replace(
        office.original("eve@example.com"), origin=Origin.FORWARD, account=AccountId(99)
    )
    await office.report(original, failure())
    assert not office.house.store.stored and not office.house.store.departed
    assert "bounce.untold" in office.house.events.names()


async def test_a_report_that_leads_nowhere_here_goes_to_the_account_that_sent() -> None:
    office = Office()
    await office.report(office.original("gone@example.org"), failure())
    assert [stored.account for stored in office.house.store.stored] == [office.ann]
    assert not office.house.store.departed


async def test_a_report_that_leads_nowhere_and_has_no_owner_is_dropped() -> None:
    office = Office()
    original = replace(office.original("gone@example.org"), account=None)
    await office.report(original, failure())
    assert not office.house.store.stored and not office.house.store.departed


@pytest.mark.parametrize(
    ("ret", "octets", "has_failure", "expected"),
    [
        # RFC 3461 §4.3, §6.2: all of it only for a failure.
        (Return.FULL, 1_000, True, Returned.WHOLE),
        (Return.FULL, 1_000, False, Returned.HEADER),
        (Return.FULL, 10_000_000, True, Returned.WHOLE),
        (Return.FULL, 100_000_000, True, Returned.HEADER),
        (Return.HEADERS, 1_000, True, Returned.HEADER),
        (Return.HEADERS, 1_000, False, Returned.HEADER),
        (Return.UNSAID, 1_000, True, Returned.WHOLE),
        (Return.UNSAID, 1_000, False, Returned.HEADER),
        (Return.UNSAID, 100_000, True, Returned.HEADER),
    ],
)
def test_how_much_is_given_back(
    ret: Return, octets: int, has_failure: bool, expected: Returned
) -> None:
    assert returned(ReportRules(HOSTNAME), ret, octets, has_failure=has_failure) is expected


async def test_of_what_needed_tls_only_the_header_is_given_back() -> None:
    """RFC 8689 §5, whatever RET says."""
    office = Office()
    await office.report(replace(office.original(), require_tls=True, ret=Return.FULL), failure())
    (stored,) = office.house.store.stored
    assert b"\r\nContent-Type: text/rfc822-headers\r\n" in stored.content
    assert b"body" not in stored.content


async def test_a_large_message_goes_through_in_blocks() -> None:
    office = Office()
    line = b"x" * 70 + b"\r\n"
    content = CONTENT + line * 50_000
    asked: list[int] = []

    async def read(start: int, length: int) -> bytes:
        asked.append(length)
        return content[start : start + length]

    original = replace(
        office.original(), size=len(TRACE) + len(content), ret=Return.FULL, read=read
    )
    await office.report(original, failure())
    (stored,) = office.house.store.stored
    assert TRACE + content in stored.content
    assert max(asked) <= 64 * 1024 + 1


async def test_a_message_that_cannot_be_read_is_told_of_all_the_same() -> None:
    office = Office()
    office.house.store.failing["read"] = ContentDamaged("gone")
    await office.report(office.original(), failure())
    (message,) = office.mail()
    assert message["Subject"] == "Not delivered: your message"
    _, _, header = message.iter_parts()
    assert header.get_content_type() == "text/rfc822-headers"
    assert office.house.events.faults


async def test_one_that_breaks_off_half_way_is_told_of_by_its_header() -> None:
    office = Office()
    calls = 0

    async def read(start: int, length: int) -> bytes:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise ContentDamaged("gone")
        return CONTENT[start : start + length]

    await office.report(replace(office.original(), read=read), failure())
    (message,) = office.mail()
    assert message["Subject"] == "Not delivered: Lunch"


async def test_what_cannot_be_staged_leaves_nothing_behind() -> None:
    office = Office()
    office.house.store.failing["finish"] = DiskLow("full")
    with pytest.raises(DiskLow):
        await office.reporter.prepare(office.original(), [failure()])
    assert all(staging.discarded for staging in office.house.store.stagings)


async def test_reports_are_signed() -> None:
    seen: list[bytes] = []

    class Signing:
        def header(self, block: bytes) -> None:
            seen.append(block)

        def feed(self, octets: bytes) -> None:
            seen.append(octets)

        def fields(self) -> bytes:
            return b"DKIM-Signature: x\r\n"

    class Pen:
        def begin(self) -> Signing:
            return Signing()

    office = Office(Pen())  # type: ignore[arg-type]
    await office.report(office.original("ann@example.com"), failure())
    ((departure, _),) = office.house.store.departed
    assert departure.trace == b"DKIM-Signature: x\r\n"
    assert departure.size == len(departure.trace) + len(b"".join(seen))
    assert b"".join(seen) == office.house.store.kept[departure.content - 1]
    assert seen[0].endswith(b"\r\n\r\n") and b"Auto-Submitted" in seen[0]


@pytest.mark.parametrize(
    "subject",
    [
        b"",
        b"=?utf-8?q?a=0Ab?=",
        b"=?utf-8?q?=3D=3Fx=3Fq=3Fy=3F=3D?=",
        b"\xff\xfe\0",
        b"x " * 40_000,
    ],
)
async def test_any_subject_can_be_told(subject: bytes) -> None:
    office = Office()
    office.house.store.kept[0] = b"Subject: " + subject + b"\r\n\r\n"
    await office.report(office.original(), failure())
    (message,) = office.mail()
    assert message["Subject"].startswith("Not delivered: ")


async def test_no_message_id_keeps_its_report_away() -> None:
    """What looks like an encoded word would be decoded when it is written as a field."""
    office = Office()
    named = "<=?utf-8?q?=ED=A0=80?=@example.org>"
    await office.report(replace(office.original(), message_id=named), failure())
    (message,) = office.mail()
    assert message["References"] is message["In-Reply-To"] is None


async def test_a_reader_whose_address_needs_utf8_has_a_report_in_utf8() -> None:
    """Also where the message itself needed none."""
    office = Office()
    await office.report(office.original("jörg@example.com"), failure())
    ((departure, _),) = office.house.store.departed
    assert departure.smtputf8 and departure.body is BodyType.EIGHT_BIT_MIME
    content = office.house.store.kept[departure.content - 1]
    assert b"message/global-delivery-status" in content


async def test_international_mail_is_told_in_utf8() -> None:
    office = Office()
    original = replace(office.original(), smtputf8=True, message_id="<jörg@x>")
    await office.report(original, replace(failure(), address=Address.parse("jörg@example.net")))
    content = office.house.store.stored[0].content
    assert "Final-Recipient: utf-8; jörg@example.net".encode() in content
    assert b"message/global-delivery-status" in content and b"message/global\r\n" in content
    assert b"References" not in content


async def test_a_dead_address_is_remembered_for_who_wrote_to_it() -> None:
    office = Office()
    await office.report(office.original(), failure())
    assert office.house.store.bounced == [
        (office.ann.id, BOB, Cause.NO_SUCH_MAILBOX, "550 5.1.1 No such user")
    ]
    assert not office.house.store.scores


@pytest.mark.parametrize(
    "said",
    [
        reply(450, "4.1.1", "No such user"),
        reply(552, "5.2.2", "Full"),
        reply(550, "5.1.1", "blocked by spamhaus"),
    ],
)
async def test_others_are_not(said: Reply) -> None:
    office = Office()
    told = failure()
    assert told.attempt is not None
    told = replace(told, attempt=replace(told.attempt, reply=said))
    await office.report(office.original(), told)
    assert not office.house.store.bounced


async def test_list_mail_that_comes_back_is_counted_and_told_to_nobody() -> None:
    office = Office()
    original = replace(office.original("list-bounces@example.org"), origin=Origin.LIST)
    await office.report(original, failure())
    await office.report(original, failure())
    score = office.house.store.scores["list-bounces@example.org", BOB.key]
    assert (score.half_points, score.times) == (2, 2)
    assert not office.house.store.stored and not office.house.store.departed
    assert not office.house.store.bounced


@pytest.mark.parametrize(
    ("known", "said", "meant"),
    [
        ("bbo@example.net", NO_USER, "bbo@example.net"),
        ("bobo@example.net", NO_USER, "bobo@example.net"),
        ("ob@example.net", NO_USER, "ob@example.net"),
        ("rob@example.net", NO_USER, "rob@example.net"),
        ("Robb@example.net", NO_USER, None),
        ("bob@exmaple.net", NO_USER, None),
        ("bob@exmaple.net", reply(550, "5.1.2", "No such domain"), "bob@exmaple.net"),
        ("bobo@example.net", reply(552, "5.2.2", "Full"), None),
        ("bobo@example.net", reply(450, "4.1.1", "No such user"), "bobo@example.net"),
    ],
)
async def test_an_address_one_slip_away_is_suggested(
    known: str, said: Reply, meant: str | None
) -> None:
    office = Office()
    office.house.store.written = {(office.ann.id, known.lower()), (office.ann.id, BOB.key)}
    told = failure()
    assert told.attempt is not None
    told = replace(told, attempt=replace(told.attempt, reply=said))
    await office.report(office.original(), told)
    (message,) = office.mail()
    words = " ".join(next(message.iter_parts()).get_content().split())
    assert (f"Did you mean {meant}?" in words) is (meant is not None)


async def test_no_address_is_suggested_from_which_mail_came_back() -> None:
    office = Office()
    bobo = Address.parse("bobo@example.net")
    office.house.store.written = {(office.ann.id, bobo.key)}
    office.house.store.bounced = [(office.ann.id, bobo, Cause.DISABLED, "")]
    await office.report(office.original(), failure())
    (message,) = office.mail()
    assert "Did you mean" not in message.as_string()


async def test_a_probe_that_our_own_attempt_fails_disables() -> None:
    office = Office()
    paths = PathSigner(ReturnPathKeys(b"secret", "verp"))
    news = Address.parse("news@example.org")
    original = replace(office.original("news@example.org"), origin=Origin.LIST)
    probe = paths.path(ReturnToken(news, Kind.PROBE, 1, 0), BEGINNING)
    told = failure(return_path=ReversePath(probe))
    await office.report(original, told)
    assert not office.house.store.scores
    score = BounceScore(
        news.key, BOB, 10, ScoreState.PROBED, BEGINNING, Cause.DISABLED, "no", BEGINNING, 5
    )
    office.house.store.scores[news.key, BOB.key] = score
    await office.report(original, told)
    assert office.house.store.scores[news.key, BOB.key].state is ScoreState.DISABLED


async def test_a_probe_that_an_operator_ends_disables_nobody() -> None:
    office = Office()
    paths = PathSigner(ReturnPathKeys(b"secret", "verp"))
    news = Address.parse("news@example.org")
    original = replace(office.original("news@example.org"), origin=Origin.LIST)
    probe = paths.path(ReturnToken(news, Kind.PROBE, 1, 0), BEGINNING)
    told = failure(return_path=ReversePath(probe))
    assert told.attempt is not None
    ended = replace(told.attempt, reply=ENDED_BY_OPERATOR, is_theirs=False)
    score = BounceScore(
        news.key, BOB, 10, ScoreState.PROBED, BEGINNING, Cause.DISABLED, "no", BEGINNING, 5
    )
    office.house.store.scores[news.key, BOB.key] = score
    await office.report(original, replace(told, attempt=ended))
    assert office.house.store.scores == {(news.key, BOB.key): score}


async def test_many_recipients_are_told_and_remembered_on_a_thread() -> None:
    office = Office()
    many = [failure(f"bob{number}@example.net") for number in range(50)]
    await office.report(office.original(), *many)
    assert len(office.house.store.bounced) == 50
    (message,) = office.mail()
    assert message.as_string().count("Action: failed") == 50


def test_what_the_queue_tells_of_a_job() -> None:
    job = Outbound(
        id=OutboundId(1),
        departure=DepartureId(1),
        address=BOB,
        notify=Notify.DELAY,
        original=None,
        return_path=None,
        state=OutboundState.WAITING,
        due=BEGINNING,
        attempts=3,
        expires=BEGINNING + timedelta(days=5),
        last=None,
        delay_told=BEGINNING,
        route=None,
    )
    told = happened(job, Action.DELAYED, refused(), until=job.expires)
    assert told.told_before and told.notify is Notify.DELAY and told.until == job.expires


async def test_staged_content_is_read_as_it_lies() -> None:
    assert await staged_reader(MemoryStaged(b"abcdef"))(2, 3) == b"cde"
