"""The journey of what our own people send: judged, mended, kept in one write, answered after."""

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest
import pytest_asyncio

from mailbox_server.checks.dkim.canonical import relaxed_field
from mailbox_server.checks.dkim.keys import SigningKey
from mailbox_server.delivery import replies
from mailbox_server.delivery.arrival import Acceptance, Opening, Wishes
from mailbox_server.delivery.submitting.bounced_before import Answer, BouncedRules
from mailbox_server.delivery.submitting.pace import PaceLimits
from mailbox_server.delivery.submitting.submission import Submission
from mailbox_server.model.address import Address, ReversePath
from mailbox_server.model.bounce import Cause
from mailbox_server.model.envelope import (
    BodyType,
    Envelope,
    Notify,
    OriginalRecipient,
    Peer,
    Recipient,
    Return,
    TlsState,
)
from mailbox_server.model.errors import DiskLow
from mailbox_server.model.ids import MessageId, ThreadId, Uid
from mailbox_server.model.message import Placed
from mailbox_server.model.outbound import ByMode, DeliverBy, Origin
from mailbox_server.model.reply import Reply
from mailbox_server.store.ports import Room, WriteTx
from tests.dialogues.submission.house import SubmissionHouse
from tests.unit.checks.dkim.pairs import pair, records
from tests.unit.checks.dkim.reference import Parsed, holds
from tests.unit.delivery.house import OWN, PEER

ANN = Address.parse("ann@example.org")
BOB = Recipient(Address.parse("bob@example.org"))
CARL = Recipient(Address.parse("carl@far.example"))
MESSAGE = b"From: Ann <ann@example.org>\r\nSubject: hello\r\nBcc: carl@far.example\r\n\r\nwords\r\n"


@pytest_asyncio.fixture
async def house() -> AsyncIterator[SubmissionHouse]:
    house = await SubmissionHouse.open()
    yield house
    await house.close()


async def submit(
    house: SubmissionHouse,
    *recipients: Recipient,
    content: bytes = MESSAGE,
    step: int = 1 << 16,
    sender: Address | None = ANN,
    wishes: Wishes | None = None,
    **given: object,
) -> Reply:
    """One message of ann's, all recipients taken."""
    acceptance = await transact(
        house, *recipients, content=content, step=step, sender=sender, wishes=wishes, **given
    )
    return acceptance.replies[0]


async def transact(
    house: SubmissionHouse,
    *recipients: Recipient,
    content: bytes = MESSAGE,
    step: int = 1 << 16,
    sender: Address | None = ANN,
    wishes: Wishes | None = None,
    **given: object,
) -> Acceptance:
    """The same, with what the client's next word would confirm."""
    path, peer = ReversePath(sender), Peer(PEER, 40_000, "c1")
    account = await house.account("ann")
    opening = Opening(peer, OWN, path, None, account, wishes or Wishes())
    begun = await house.submitter.begin(opening)
    assert isinstance(begun, Submission), begun
    for recipient in recipients:
        assert (await begun.recipient(recipient.address)).is_positive
    begun.begin_content()
    for at in range(0, len(content), step):
        if begun.feed(content[at : at + step]):
            await begun.drained()
    envelope = Envelope(
        peer=peer,
        peer_name=None,
        greeting_name="laptop",
        protocol="ESMTPSA",
        tls=TlsState("TLSv1.3", "TLS_AES_256_GCM_SHA384", 256),
        reverse_path=path,
        recipients=recipients,
        body=BodyType.SEVEN_BIT,
        smtputf8=False,
        require_tls=False,
        ret=Return.UNSAID,
        envelope_id=None,
        declared_size=None,
        started=house.clock.now(),
    )
    acceptance = await begun.accept(replace(envelope, **given))  # type: ignore[arg-type]
    assert len(acceptance.replies) == len(recipients)
    return acceptance


@pytest.mark.parametrize("step", [1, 3, 1 << 16])
async def test_here_and_elsewhere_from_one_write(house: SubmissionHouse, step: int) -> None:
    wish = replace(
        CARL, notify=Notify.SUCCESS, original=OriginalRecipient("rfc822", "carl@far.example")
    )
    answer = await submit(house, BOB, wish, step=step, ret=Return.HEADERS, envelope_id="e1")
    assert answer == replies.queued("c1-1")
    [(departure, outbound)] = await house.queued()
    assert outbound.address == CARL.address
    assert (outbound.notify, outbound.original) == (wish.notify, wish.original)
    assert departure.origin is Origin.SUBMISSION
    assert departure.reverse_path == ReversePath(ANN)
    assert (departure.ret, departure.envelope_id) == (Return.HEADERS, "e1")
    content = await house.content(departure)
    assert departure.size == len(departure.trace) + len(content)
    [mail] = await house.mail("bob")
    assert mail == b"Return-Path: <ann@example.org>\r\n" + departure.trace + content
    date = rb"Date: Tue, 24 Nov 2026 12:00:00 \+0000\r\n"
    found = re.fullmatch(
        date + rb"Message-ID: (<[0-9a-f]{24}@mx.example.org>)\r\n"
        rb"From: Ann <ann@example.org>\r\nSubject: hello\r\n\r\nwords\r\n",
        content,
    )
    assert found is not None, content
    assert departure.message_id == found[1].decode()


async def test_the_trace_does_not_tell_where_the_sender_is(house: SubmissionHouse) -> None:
    await submit(house, CARL)
    [(departure, _)] = await house.queued()
    assert departure.trace.startswith(b"Received: by mx.example.org (mailbox-server) with ESMTPSA")
    assert str(PEER).encode() not in departure.trace and b"laptop" not in departure.trace
    house.keep(replace(house.rules, names_client=True))
    await submit(house, CARL)
    assert any(str(PEER).encode() in each.trace for each, _ in await house.queued())


@pytest.mark.parametrize("step", [1, 50, 1 << 16])
async def test_what_leaves_is_signed_as_it_leaves(house: SubmissionHouse, step: int) -> None:
    house.keys["example.org"] = [SigningKey.read(key) for key in pair()]
    await submit(house, CARL, BOB, content=b"To: carl\r\n\r\nwords \r\n\r\n", step=step)
    [(departure, _)] = await house.queued()
    message = departure.trace.partition(b"DKIM-Signature")
    signed = message[1] + message[2] + await house.content(departure)
    assert b"\r\nTo: carl@example.org\r\n" in signed
    signatures = Parsed.read(signed).signatures()
    assert len(signatures) == 2
    assert all(holds(signed, one, records(), relaxed_field) for one in signatures)
    [here] = await house.mail("bob")
    assert here.endswith(signed)


async def test_a_body_that_comes_without_a_header_is_signed_as_body(
    house: SubmissionHouse,
) -> None:
    house.keys["example.org"] = [SigningKey.read(key) for key in pair()]
    await submit(house, CARL, content=b"only words, no field \xc3\xa4\r\n\r\nmore\r\n")
    [(departure, _)] = await house.queued()
    message = departure.trace.partition(b"DKIM-Signature")
    signed = message[1] + message[2] + await house.content(departure)
    signatures = Parsed.read(signed).signatures()
    assert len(signatures) == 2
    assert all(holds(signed, one, records(), relaxed_field) for one in signatures)
    assert not departure.smtputf8
    # The signatures were made after the rest of its trace.
    assert departure.size == len(departure.trace) + len(await house.content(departure))


@pytest.mark.parametrize("recipients", [(CARL,), (BOB,), (CARL, BOB)])
async def test_without_its_signature_nothing_leaves(
    house: SubmissionHouse, recipients: tuple[Recipient, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    house.keys["example.org"] = [SigningKey.read(key) for key in pair()]

    def sign(key: SigningKey, digest: bytes) -> bytes:
        raise ValueError("the key is spoiled")

    with monkeypatch.context() as patch:
        patch.setattr(SigningKey, "sign", sign)
        assert await submit(house, *recipients) == replies.UNFORESEEN
    assert await house.queued() == [] and await house.mail("bob") == []
    assert house.store._staging.used == 0
    [(event, fault)] = house.events.faults
    assert event == "smtp.not_accepted" and isinstance(fault, ValueError)
    house.events.faults.clear()
    assert (await submit(house, *recipients)).is_positive


async def test_one_job_an_address_however_often_it_was_named(house: SubmissionHouse) -> None:
    capitals = Recipient(Address.parse("Carl@far.example"))
    await submit(house, CARL, CARL, capitals, BOB, BOB)
    assert sorted(str(each.address) for _, each in await house.queued()) == [
        "Carl@far.example",
        "carl@far.example",
    ]
    assert len(await house.mail("bob")) == 1


@pytest.mark.parametrize(
    ("content", "body", "smtputf8"),
    [
        (MESSAGE, BodyType.SEVEN_BIT, False),
        (MESSAGE + b"\xe4\r\n", BodyType.EIGHT_BIT_MIME, False),
        (b"Subject: \xc3\xa4\r\n\r\n", BodyType.EIGHT_BIT_MIME, True),
    ],
)
@pytest.mark.parametrize("asked", [False, True])
async def test_what_the_next_server_must_know_is_seen_in_the_octets(
    house: SubmissionHouse, content: bytes, body: BodyType, smtputf8: bool, asked: bool
) -> None:
    """RFC 6531 §3.6: it is no internationalized message where nobody said so."""
    await submit(house, CARL, content=content, smtputf8=asked)
    [(departure, _)] = await house.queued()
    assert (departure.body, departure.smtputf8) == (body, smtputf8 and asked)


async def test_tls_required_no_yields_to_requiretls(house: SubmissionHouse) -> None:
    optional = b"TLS-Required: No\r\n" + MESSAGE
    await submit(house, CARL, content=optional)
    await submit(house, CARL, content=optional, require_tls=True)
    found = sorted((each.tls_optional, each.require_tls) for each, _ in await house.queued())
    assert found == [(False, True), (True, False)]


async def test_wishes_for_the_way_out_go_into_the_queue(house: SubmissionHouse) -> None:
    by = DeliverBy(house.clock.now(), ByMode.NOTIFY, trace=True)
    await submit(house, CARL, wishes=Wishes(priority=-4, deliver_by=by))
    [(departure, _)] = await house.queued()
    assert (departure.priority, departure.deliver_by) == (-4, by)


async def test_a_copy_is_filed_where_that_is_wanted(house: SubmissionHouse) -> None:
    await submit(house, CARL)
    assert await house.mail("ann", "Sent") == []
    house.keep(replace(house.rules, keeps_copies=frozenset((ANN.key,))))
    to_herself = Recipient(ANN)
    await submit(house, CARL, to_herself)
    [copy], [got] = await house.mail("ann", "Sent"), await house.mail("ann")
    assert got.endswith(copy) and copy.startswith(b"Date: ") and b"Bcc" not in copy
    account = await house.account("ann")
    flags = await house.store.read(lambda tx: tx.mailboxes.find(account.id, "Sent"))
    assert flags is not None
    status = await house.store.read(lambda tx: tx.mailboxes.status(flags.id))
    assert status.unseen == 0


async def test_whether_a_copy_is_kept_is_settled_before_the_content(
    house: SubmissionHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin_content = Submission.begin_content

    def begin_and_change(begun: Submission) -> None:
        begin_content(begun)
        house.keep(replace(house.rules, copies_all=not house.rules.copies_all))

    monkeypatch.setattr(Submission, "begin_content", begin_and_change)
    assert await submit(house, CARL) != replies.UNFORESEEN
    assert await house.mail("ann", "Sent") == []
    assert await submit(house, CARL) != replies.UNFORESEEN
    assert len(await house.mail("ann", "Sent")) == 1


async def test_what_only_passes_through_is_not_looked_into(
    house: SubmissionHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mailbox_server.delivery.intake.Scanner", None)
    assert (await submit(house, CARL, content=b"Message-ID: <1@laptop>\r\n" + MESSAGE)).code == 250
    [(departure, _)] = await house.queued()
    assert departure.message_id == "<1@laptop>"
    assert (await house.content(departure)).endswith(b"\r\n\r\nwords\r\n")


async def test_a_copy_is_known_by_its_message_id(house: SubmissionHouse) -> None:
    account = await house.account("ann")
    await house.given("copies for everyone")
    await submit(house, CARL, content=b"Message-ID: <1@laptop>\r\n\r\n")
    copy = house.sent_copies.find(account.id, "1@laptop")
    assert copy is not None and copy.uid == 1
    assert house.sent_copies.find(account.id, None) is None
    house.clock.seconds += 3601
    assert house.sent_copies.find(account.id, "1@laptop") is None


async def test_what_is_handed_in_for_some_at_a_time_is_filed_once(house: SubmissionHouse) -> None:
    account, same = await house.account("ann"), b"Date: now\r\nMessage-ID: <1@laptop>\r\n\r\n"
    await house.given("copies for everyone")
    await submit(house, CARL, content=same)
    await submit(house, BOB, content=same)
    assert len(await house.mail("ann", "Sent")) == len(await house.mail("bob")) == 1
    assert len(await house.queued()) == 1
    copy = house.sent_copies.find(account.id, "1@laptop")
    assert copy is not None and copy.uid == 1

    await submit(house, CARL, content=b"Subject: another\r\n" + same)
    assert len(await house.mail("ann", "Sent")) == 2, "of another message with that Message-ID"

    await house.store.write(lambda tx: tx.messages.remove(copy.mailbox, (1, 2)))
    await submit(house, BOB, content=b"Subject: another\r\n" + same)
    copy = house.sent_copies.find(account.id, "1@laptop")
    assert copy is not None and copy.uid == 3, "she had taken the other out"


async def test_what_a_program_filed_before_it_sent_is_not_filed_again(
    house: SubmissionHouse,
) -> None:
    """As mutt does it with fcc_before_send; ours would stay beside it for good."""
    account = await house.account("ann")
    await house.given("copies for everyone")
    first, second = (b"Message-ID: <%d@laptop>\r\n\r\n" % number for number in (1, 2))
    await submit(house, CARL, content=first)
    filed = house.sent_copies.find(account.id, "1@laptop")
    assert filed is not None
    # What lies there is taken for the program's own.
    hers = Placed(filed.mailbox, 1, Uid(filed.uid), MessageId(1), ThreadId(1))
    house.sent_copies.brought(account.id, "2@laptop", hers)
    await submit(house, CARL, content=second)
    assert len(await house.mail("ann", "Sent")) == 1

    await submit(house, Recipient(ANN))
    assert len(await house.mail("ann", "Sent")) == 2
    inbox = await house.store.read(lambda tx: tx.mailboxes.find(account.id, "INBOX"))
    assert inbox is not None
    house.sent_copies.brought(account.id, "2@laptop", replace(hers, mailbox=inbox.id))
    await submit(house, BOB, content=second)
    assert len(await house.mail("ann", "Sent")) == 3, "what lies elsewhere is no copy"


async def test_a_copy_makes_the_mailbox_that_it_needs(house: SubmissionHouse) -> None:
    account = await house.account("ann")
    await house.store.write(lambda tx: tx.mailboxes.delete(account.id, "Sent"))
    await house.given("copies for everyone")
    await submit(house, CARL)
    await submit(house, CARL)
    assert len(await house.mail("ann", "Sent")) == 2


async def test_without_room_for_the_copy_nothing_is_sent(house: SubmissionHouse) -> None:
    account = await house.account("ann")
    await house.store.write(lambda tx: tx.accounts.set_quota(account.id, 10))
    await house.given("copies for everyone")
    assert await submit(house, CARL, BOB) == replies.NO_ROOM_FOR_COPY
    assert await house.queued() == [] and await house.mail("bob") == []


async def test_a_full_mailbox_here_refuses_at_once(house: SubmissionHouse) -> None:
    bob = await house.account("bob")
    await submit(house, BOB)
    await house.store.write(lambda tx: tx.accounts.set_quota(bob.id, 10))
    opening = Opening(Peer(PEER, 1, "c1"), OWN, ReversePath(ANN), None, await house.account("ann"))
    begun = await house.submitter.begin(opening)
    assert isinstance(begun, Submission)
    assert await begun.recipient(BOB.address) == replies.OVER_QUOTA
    begun.abandon()


@pytest.mark.parametrize("wishes", [Wishes(), Wishes(held_until=datetime(2100, 1, 1, tzinfo=UTC))])
async def test_a_sender_that_was_disabled_meanwhile_sends_nothing(
    house: SubmissionHouse, wishes: Wishes
) -> None:
    began = house.submitter.begin

    async def begin_and_disable(opening: Opening) -> Submission | Reply:
        begun = await began(opening)
        await house.given("ann is disabled")
        return begun

    house.submitter.begin = begin_and_disable  # type: ignore[method-assign]
    assert await submit(house, CARL, BOB, wishes=wishes) == replies.ACCOUNT_DISABLED
    assert await house.queued() == [] and await house.mail("bob") == []
    assert house.events.faults == []


async def test_a_sender_that_was_removed_meanwhile_sends_nothing(house: SubmissionHouse) -> None:
    account = await house.account("ann")
    opening = Opening(Peer(PEER, 1, "c1"), OWN, ReversePath(ANN), None, account)
    begun = await house.submitter.begin(opening)
    assert isinstance(begun, Submission)
    begun.abandon()
    original = house.store.write

    async def write(*given: object) -> object:
        house.store.write = original  # type: ignore[method-assign]
        await original(lambda tx: tx.accounts.remove(account.id))
        return await original(*given)  # type: ignore[arg-type]

    house.store.write = write  # type: ignore[method-assign, assignment]
    assert await submit(house, CARL) == replies.UNFORESEEN
    assert await house.queued() == []


async def test_little_room_refuses_at_the_start_and_at_the_end(
    house: SubmissionHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(*_: object) -> None:
        raise DiskLow("no room")

    monkeypatch.setattr(house.store, "write", full)
    assert await submit(house, CARL) == replies.DISK_LOW
    monkeypatch.setattr(house.store, "room", lambda: Room.LOW)
    opening = Opening(Peer(PEER, 1, "c1"), OWN, ReversePath(ANN), None, await house.account("ann"))
    assert await house.submitter.begin(opening) == replies.DISK_LOW


@pytest.mark.parametrize(
    "header",
    [
        b"X: 0123456789012345678901234567890123456789\r\n" * 25_000 + b"\r\n",
        b"a:\r\n" * 10_000 + b"\r\n",
        b"a:\r\n" * 10_000,
        b"X" * 1_100_000,
    ],
)
async def test_headers_beyond_all_measure_are_refused(
    house: SubmissionHouse, header: bytes
) -> None:
    assert await submit(house, CARL, content=header) == replies.HEADER_TOO_LARGE
    assert await house.queued() == []


async def test_a_second_author_is_found_behind_any_number_of_fields(
    house: SubmissionHouse,
) -> None:
    header = b"From: ann@example.org\r\n" + b"a:\r\n" * 9_980 + b"From: bob@example.org\r\n\r\n"
    assert await submit(house, CARL, content=header) == replies.SENDERS_TOO_MANY


async def test_senders_without_end_are_refused(house: SubmissionHouse) -> None:
    """Each of them costs a look, also where it is one's own."""
    listed = b",\r\n ".join(b"ann+%d@example.org" % number for number in range(101))
    header = b"From: " + listed + b"\r\n\r\n"
    assert await submit(house, CARL, content=header) == replies.SENDERS_BEYOND
    header = b"From: " + listed.partition(b",\r\n ann+100@")[0] + b"\r\n\r\n"
    assert (await submit(house, CARL, content=header)).is_positive
    beyond = b"From: " + b"a@example.org,\r\n " * 20_000 + b"\r\n\r\n"
    assert not (await submit(house, CARL, content=beyond)).is_positive


async def test_a_large_message_goes_through_files(house: SubmissionHouse) -> None:
    body = b"0123456789" * 7 + b"\r\n"
    await submit(house, CARL, content=MESSAGE + body * 20_000)
    [(departure, _)] = await house.queued()
    assert departure.size > 1_400_000


async def test_messages_are_limited_and_the_operator_hears(house: SubmissionHouse) -> None:
    """R4 of submission: a stolen password does not become a spam run."""
    house.keep(replace(house.rules, pace=PaceLimits(messages_hour=5, messages_day=6)))
    for _ in range(5):
        assert (await submit(house, CARL)).is_positive
    assert house.events.names().count("submission.limit_near") == 2
    opening = Opening(Peer(PEER, 1, "c1"), OWN, ReversePath(ANN), None, await house.account("ann"))
    for _ in range(3):
        refused = await house.submitter.begin(opening)
        assert isinstance(refused, Reply)
        assert (refused.code, refused.enhanced) == (450, "4.7.1")
        assert refused.lines[0].endswith("try again in 70 minutes")
    assert house.events.names().count("submission.limit_reached") == 1
    house.clock.seconds += 70 * 60
    assert (await submit(house, CARL)).is_positive
    refused = await house.submitter.begin(opening)
    assert isinstance(refused, Reply) and refused.lines[0].endswith("try again in 23 hours")
    assert house.events.names().count("submission.limit_reached") == 2
    other = replace(opening, account=await house.account("bob"), reverse_path=ReversePath(None))
    assert isinstance(await house.submitter.begin(other), Submission)


async def test_strangers_are_limited_and_friends_are_not(house: SubmissionHouse) -> None:
    house.keep(replace(house.rules, paces={ANN.key: PaceLimits(strangers_hour=2)}))
    assert (await submit(house, CARL, CARL, BOB)).is_positive
    opening = Opening(Peer(PEER, 1, "c1"), OWN, ReversePath(ANN), None, await house.account("ann"))
    begun = await house.submitter.begin(opening)
    assert isinstance(begun, Submission)
    assert (await begun.recipient(Address.parse("dan@far.example"))).code == 450
    assert (await begun.recipient(Address.parse("CARL@far.example"))).is_positive
    assert (await begun.recipient(BOB.address)).is_positive
    begun.abandon()


async def test_transactions_side_by_side_do_not_pass_the_limit_together(
    house: SubmissionHouse,
) -> None:
    """What the other sent while this one was coming counts in its write."""
    house.keep(replace(house.rules, pace=PaceLimits(strangers_hour=3)))
    account, original = await house.account("ann"), house.store.write
    others = ["dan@far.example", "eve@far.example", "fay@far.example"]

    async def write(*given: object) -> object:
        now = house.clock.now()
        await original(lambda tx: tx.correspondents.sent(account.id, others, now))
        return await original(*given)  # type: ignore[arg-type]

    house.store.write = write  # type: ignore[method-assign, assignment]
    assert (await submit(house, CARL)).code == 450
    assert await house.queued() == []


async def test_an_event_tells_of_it(house: SubmissionHouse) -> None:
    await submit(house, CARL, BOB)
    [fields] = [fields for name, fields in house.events.told if name == "smtp.submitted"]
    assert fields["account"] == "ann@example.org"
    assert (fields["here"], fields["elsewhere"]) == (1, 1)


async def test_an_alias_that_leads_elsewhere_is_the_senders_mail(house: SubmissionHouse) -> None:
    await house.given("alias out for carl@far.example, bob")
    out = Recipient(Address.parse("out@example.org"), Notify.FAILURE)
    assert (await submit(house, out, CARL)).is_positive
    jobs = {str(outbound.address): departure for departure, outbound in await house.queued()}
    assert set(jobs) == {"carl@far.example"}
    ((first, _), (second, _)) = await house.queued()
    forwarded = next(each for each in (first, second) if each.trace.startswith(b"Delivered-To"))
    assert forwarded.trace.startswith(b"Delivered-To: out@example.org\r\nReceived: by ")
    # Whoever has logged in hears of what fails, as of all that they send.
    assert forwarded.origin is Origin.SUBMISSION
    assert forwarded.account == (await house.account("ann")).id
    assert forwarded.reverse_path == ReversePath(ANN)


async def test_wishes_for_the_way_out_hold_behind_an_alias(house: SubmissionHouse) -> None:
    await house.given("alias out for carl@far.example")
    by = DeliverBy(house.clock.now(), ByMode.RETURN, trace=False)
    out = Recipient(Address.parse("out@example.org"))
    await submit(house, out, wishes=Wishes(priority=-4, deliver_by=by))
    [(departure, _)] = await house.queued()
    assert (departure.priority, departure.deliver_by) == (-4, by)


async def test_nobody_sends_as_an_alias_that_leads_elsewhere_only(house: SubmissionHouse) -> None:
    await house.given("alias out for carl@far.example")
    path, account = ReversePath(Address.parse("out@example.org")), await house.account("ann")
    begun = await house.submitter.begin(Opening(Peer(PEER, 1, "c1"), OWN, path, None, account))
    assert isinstance(begun, Reply)
    assert begun.code == 550


async def bounced(house: SubmissionHouse, times: int = 1) -> None:
    """Ann's mail to carl came back."""
    account = await house.account("ann")
    now = house.clock.now()

    def work(tx: WriteTx) -> None:
        for _ in range(times):
            tx.bounces.remember(account.id, CARL.address, Cause.NO_SUCH_MAILBOX, "550 no", now)

    await house.store.write(work)


async def recipient(house: SubmissionHouse, address: Address, name: str = "ann") -> Reply:
    """The answer to RCPT."""
    account = await house.account(name)
    opening = Opening(Peer(PEER, 40_000, "c1"), OWN, ReversePath(account.address), None, account)
    begun = await house.submitter.begin(opening)
    assert isinstance(begun, Submission), begun
    answer = await begun.recipient(address)
    begun.abandon()
    return answer


@pytest.mark.parametrize(
    ("answer", "code", "enhanced"),
    [(Answer.REFUSE, 550, "5.1.1"), (Answer.LATER, 450, "4.1.1"), (Answer.OFF, 250, "2.1.5")],
)
async def test_who_writes_to_a_dead_address_again_is_warned(
    house: SubmissionHouse, answer: Answer, code: int, enhanced: str
) -> None:
    await bounced(house)
    house.keep(replace(house.rules, bounced=BouncedRules(answer)))
    said = await recipient(house, CARL.address)
    assert (said.code, said.enhanced) == (code, enhanced)
    if code != 250:
        assert "They said: 550 no" in said.lines
        assert "2026-11-24" in said.lines[0] and "2026-12-01" in said.lines[2]
    assert (await recipient(house, CARL.address, "bob")).is_positive
    assert (await recipient(house, Address.parse("dan@far.example"))).is_positive


@pytest.mark.parametrize(("times", "days"), [(1, 7), (2, 14), (8, 56), (30, 56)])
async def test_a_dead_address_is_tried_again_later(
    house: SubmissionHouse, times: int, days: int
) -> None:
    await bounced(house, times)
    house.clock.seconds += days * 86_400 - 1
    assert not (await recipient(house, CARL.address)).is_positive
    house.clock.seconds += 1
    assert (await recipient(house, CARL.address)).is_positive


async def test_what_is_cleared_is_sent(house: SubmissionHouse) -> None:
    await bounced(house)
    await house.store.write(lambda tx: tx.bounces.clear(None, CARL.address))
    assert (await recipient(house, CARL.address)).is_positive


async def test_who_asks_hears_that_mail_lies_in_the_mailbox(house: SubmissionHouse) -> None:
    # RFC 3461 §5.2.3 a; of carl the relay will tell.
    wish = replace(BOB, notify=Notify.SUCCESS)
    answer = await submit(house, wish, replace(CARL, notify=Notify.SUCCESS), envelope_id="e1")
    assert answer.is_positive
    [report] = await house.mail("ann")
    assert b"Subject: Delivered: hello\r\n" in report
    assert b"Original-Envelope-Id: e1" in report
    assert b"Final-Recipient: rfc822; bob@example.org\r\nAction: delivered" in report
    assert b"carl@" not in report and b"words" not in report
    assert len(await house.mail("bob")) == 1
    await submit(house, replace(BOB, notify=Notify.FAILURE))
    assert len(await house.mail("ann")) == 1
