"""What comes back to a return path is counted and never kept, refused or answered."""

from dataclasses import replace
from datetime import timedelta

import pytest

from mailbox_server.delivery import replies
from mailbox_server.delivery.arrival import Opening
from mailbox_server.delivery.bounces.probing import AT_ONCE, Prober
from mailbox_server.delivery.bounces.returns import Returns
from mailbox_server.delivery.bounces.scoring import ScoreRules
from mailbox_server.delivery.receiving import Arrival
from mailbox_server.delivery.return_path_keys import ReturnPathKeys
from mailbox_server.delivery.verp import Kind, PathSigner, ReturnToken, plain_path
from mailbox_server.model.address import Address, ReversePath
from mailbox_server.model.bounce import BounceScore, Cause, ScoreState
from mailbox_server.model.envelope import Envelope, Recipient
from mailbox_server.model.errors import StoreUnavailable
from mailbox_server.model.outbound import Origin
from tests.unit.delivery.house import BEGINNING, HOSTNAME, OWN, House
from tests.unit.delivery.test_receiving import envelope

NEWS = Address.parse("news@example.org")
BOB = Address.parse("bob@example.net")
KEY = ("news@example.org", BOB.key)
FAILURE = (
    b"From: MAILER-DAEMON@example.net\r\nSubject: failure notice\r\n\r\n"
    b"<bob@example.net>: no mailbox here by that name (#5.1.1)\r\n"
)
WARNING = FAILURE.replace(b"failure notice", b"Warning: message delayed")
AWAY = (
    b"From: bob@example.net\r\nSubject: Out of office\r\nAuto-Submitted: auto-replied\r\n\r\nx\r\n"
)
LETTER = b"From: bob@example.net\r\nSubject: please stop\r\n\r\nwhat is this\r\n"


class Office(House):
    """A house whose list news@ has bob as its member; the list belongs to nobody yet."""

    def __init__(self) -> None:
        super().__init__()
        self.paths = PathSigner(ReturnPathKeys(b"secret", "verp"))
        self.receiver.returns = Returns(
            store=self.store,  # type: ignore[arg-type]
            signer=self.paths,
            rules=ScoreRules(),
            clock=self.clock,
            events=self.events,
        )
        self.prober = Prober(
            store=self.store,  # type: ignore[arg-type]
            paths=self.paths,
            signer=None,
            hostname=HOSTNAME,
            clock=self.clock,
            entropy=self.entropy,
            events=self.events,
        )

    def path(self, kind: Kind = Kind.BULK, member: int | None = None) -> Address:
        number = member or self.number()
        made = self.paths.path(ReturnToken(NEWS, kind, number, 5), self.clock.now())
        assert made is not None
        return made

    def number(self) -> int:
        number: int = self.store.glance(lambda tx: tx.bounces.number_of(NEWS.key, BOB))
        return number

    def opened(self, sender: str | None = None) -> tuple[Envelope, Arrival]:
        path = ReversePath(None if sender is None else Address.parse(sender))
        made = replace(envelope(self), reverse_path=path)
        return made, Arrival(self.receiver, Opening(made.peer, OWN, path, None))

    async def arrive(
        self, address: Address, content: bytes = FAILURE, sender: str | None = None
    ) -> str:
        made, arrival = self.opened(sender)
        reply = await arrival.recipient(address)
        if not reply.is_positive:
            return f"{reply.code} {reply.enhanced}"
        made = replace(made, recipients=(Recipient(address),))
        arrival.begin_content()
        arrival.feed(content)
        (reply,) = (await arrival.accept(made)).replies
        return f"{reply.code} {reply.enhanced}"


async def test_a_bounce_is_counted_and_not_kept() -> None:
    office = Office()
    assert await office.arrive(office.path()) == "250 2.0.0"
    score = office.store.scores[KEY]
    assert (score.half_points, score.cause) == (2, Cause.NO_SUCH_MAILBOX)
    assert score.words == ": no mailbox here by that name (#5.1.1)"
    assert not office.store.stored and not office.store.kept and not office.store.departed
    assert [fields for name, fields in office.events.told if name == "bounce.returned"] == [
        {
            "scope": "news@example.org",
            "recipient": "bob@example.net",
            "nature": "failure",
            "cause": "no-such-mailbox",
            "state": "counted",
        }
    ]


async def test_it_is_known_by_its_address_alone_whoever_sends_it() -> None:
    office = Office()
    upper = Address.parse(str(office.path()).upper())
    assert await office.arrive(upper, sender="postmaster@example.net") == "250 2.0.0"
    assert office.store.scores[KEY].half_points == 2


@pytest.mark.parametrize("content", [WARNING, AWAY])
async def test_warnings_and_helpers_change_nothing(content: bytes) -> None:
    office = Office()
    assert await office.arrive(office.path(), content) == "250 2.0.0"
    assert not office.store.scores and not office.store.stored


async def test_what_a_person_wrote_goes_to_the_owner() -> None:
    office = Office()
    owner = office.store.add_account("news@example.org")
    assert await office.arrive(office.path(), LETTER, "bob@example.net") == "250 2.0.0"
    (stored,) = office.store.stored
    assert (stored.account, stored.content) == (owner, LETTER)
    assert not office.store.scores


async def test_without_an_owner_it_ends_here() -> None:
    office = Office()
    assert await office.arrive(office.path(), LETTER) == "250 2.0.0"
    assert not office.store.stored
    assert "bounce.unread" in office.events.names()


async def test_a_forged_or_old_path_is_an_address_like_any_other() -> None:
    office = Office()
    forged = str(office.path()).replace("news+b", "news+p")
    assert await office.arrive(Address.parse(forged)) == "550 5.1.1"
    assert await office.arrive(office.path(member=99)) == "550 5.1.1"
    others = PathSigner(ReturnPathKeys(b"another", "verp")).path(
        ReturnToken(NEWS, Kind.BULK, office.number(), 5), office.clock.now()
    )
    assert others is not None
    assert await office.arrive(others) == "550 5.1.1"
    path = office.path()
    office.clock.seconds += timedelta(days=70).total_seconds()
    assert await office.arrive(path) == "550 5.1.1"
    assert not office.store.scores


async def test_a_plain_path_counts_only_where_mail_has_gone_out() -> None:
    office = Office()
    path = plain_path(NEWS, BOB)
    assert path is not None
    assert await office.arrive(path) == "550 5.1.1"
    office.number()
    assert await office.arrive(path) == "250 2.0.0"
    assert office.store.scores[KEY].half_points == 2


async def test_it_is_taken_alone() -> None:
    office = Office()
    office.store.add_account("ann@example.org")
    ann = Address.parse("ann@example.org")
    _, arrival = office.opened()
    assert (await arrival.recipient(office.path())).is_positive
    assert await arrival.recipient(ann) == replies.ALONE
    assert await arrival.recipient(office.path()) == replies.ALONE
    arrival.abandon()
    _, arrival = office.opened()
    assert (await arrival.recipient(ann)).is_positive
    assert await arrival.recipient(office.path()) == replies.ALONE
    arrival.abandon()


async def test_trouble_of_ours_is_temporary_and_counts_nothing() -> None:
    office = Office()
    path = office.path()
    office.store.failing["write"] = StoreUnavailable("no")
    assert await office.arrive(path) == "451 4.3.0"
    assert not office.store.scores


def suspect(office: Office) -> BounceScore:
    score = BounceScore(
        NEWS.key, BOB, 10, ScoreState.SUSPECT, BEGINNING, Cause.DISABLED, "no", BEGINNING, 5
    )
    office.store.scores[KEY] = score
    return score


async def test_who_is_suspect_is_probed_once_and_disabled_when_that_comes_back() -> None:
    office = Office()
    suspect(office)
    assert await office.prober.send_due() == 1
    ((departure, (recipient,)),) = office.store.departed
    assert departure.origin is Origin.LIST
    assert departure.reverse_path.address == NEWS
    assert recipient.address == BOB
    content = office.store.kept[departure.content - 1]
    assert departure.size == len(content)
    assert b"From: news@example.org" in content and b"Auto-Submitted: auto-gen" in content
    assert office.store.scores[KEY].state is ScoreState.PROBED
    assert await office.prober.send_due() == 0
    # An ordinary bounce meanwhile changes nothing; that of the probe does.
    await office.arrive(office.path())
    assert office.store.scores[KEY].state is ScoreState.PROBED
    assert recipient.return_path is not None and recipient.return_path.address is not None
    assert await office.arrive(recipient.return_path.address) == "250 2.0.0"
    assert office.store.scores[KEY].state is ScoreState.DISABLED
    assert await office.arrive(recipient.return_path.address) == "250 2.0.0"


async def test_a_list_that_cannot_be_written_for_keeps_nobody_else_from_being_probed() -> None:
    office = Office()
    odd = Address.parse('"=?utf-8?q?=ED=A0=80?=:@"@example.org')
    first = replace(suspect(office), scope=odd.key)
    del office.store.scores[KEY]
    office.store.scores[odd.key, BOB.key] = first
    suspect(office)
    assert await office.prober.send_due() == 1
    assert office.store.scores[KEY].state is ScoreState.PROBED
    assert [name for name, _ in office.events.faults] == ["bounce.unprobed"]


async def test_who_was_cleared_meanwhile_is_not_probed() -> None:
    office = Office()
    suspect(office)

    async def clear() -> None:
        office.store.scores.clear()

    office.number()
    office.store.before_write = clear
    assert await office.prober.send_due() == 0
    assert not office.store.departed


async def test_where_no_path_fits_nobody_is_disabled() -> None:
    office = Office()
    long = Address.parse(f"{'n' * 60}@example.org")
    office.store.scores[long.key, BOB.key] = replace(suspect(office), scope=long.key)
    del office.store.scores[KEY]
    assert await office.prober.send_due() == 0
    assert "bounce.unprobed" in office.events.names()


@pytest.mark.parametrize("name", ["n" * 60, '"=?utf-8?q?=ED=A0=80?=:@"'])
async def test_who_cannot_be_probed_gives_way_to_those_behind(name: str) -> None:
    office = Office()
    scope = Address.parse(f"{name}@example.org").key
    for number in range(AT_ONCE):
        member = Address.parse(f"m{number}@example.net")
        office.store.scores[scope, member.key] = replace(
            suspect(office), scope=scope, address=member, since=BEGINNING - timedelta(days=1)
        )
    assert await office.prober.send_due() == 0
    assert await office.prober.send_due() == 1
    assert office.store.scores[KEY].state is ScoreState.PROBED


async def test_a_probe_that_is_cleared_before_it_comes_back_says_nothing() -> None:
    office = Office()
    path = office.path(Kind.PROBE)
    assert await office.arrive(path) == "250 2.0.0"
    assert not office.store.scores
