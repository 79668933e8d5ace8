"""Passports and receipts in rows."""

from datetime import timedelta

from mailbox_server.model.address import Address
from mailbox_server.model.ids import AccountId, MessageId
from mailbox_server.model.message import InternalDate, Target
from mailbox_server.model.passport import Evidence
from mailbox_server.store.ports import NewMessage, QuotaRule, Receipt
from mailbox_server.store.repositories import Repositories
from tests.contract.workbench import Workbench, analysis


def test_evidence_is_appended_in_order(bench: Workbench) -> None:
    account = bench.open_account()
    placed = bench.deliver(account)[0]
    first = Evidence(bench.now, "receive.envelope", (("peer", "192.0.2.1"), ("tls", "")))
    odd = Evidence(bench.now, "deliver.local", (("name", "\0\ud800 \u2028\n\"'\\ é"),))
    assert bench.read(lambda tx: tx.passports.of(placed.message)) == []
    bench.write(lambda tx: tx.passports.stamp(placed.message, [first]))
    bench.write(lambda tx: tx.passports.stamp(placed.message, []))
    bench.write(lambda tx: tx.passports.stamp(placed.message, [odd, first]))
    assert bench.read(lambda tx: tx.passports.of(placed.message)) == [first, odd, first]
    assert bench.read(lambda tx: tx.passports.of(MessageId(99))) == []


def test_evidence_goes_when_its_time_has_come(bench: Workbench) -> None:
    account = bench.open_account()
    placed = bench.deliver(account)[0]
    stamp = Evidence(bench.now, "deliver.local", ())
    bench.write(lambda tx: tx.passports.stamp(placed.message, [stamp]))
    bench.write(lambda tx: tx.messages.remove(placed.mailbox, [placed.uid]))
    bench.turn(days=1)
    bench.forget_destroyed(bench.now)
    assert bench.read(lambda tx: tx.passports.of(placed.message)) == [stamp]
    bench.write(lambda tx: tx.messages.forget_tombstones(bench.now))
    assert bench.read(lambda tx: tx.passports.of(placed.message)) == [stamp]
    assert bench.write(lambda tx: tx.passports.forget(bench.now)) == 1
    assert bench.read(lambda tx: tx.passports.of(placed.message)) == []


def _delivered(
    bench: Workbench, account: AccountId, mark: bytes | None, ago: timedelta = timedelta()
) -> MessageId:
    """A message that came so long ago in the transaction of that fingerprint."""

    def work(tx: Repositories) -> MessageId:
        new = NewMessage(
            content=bench.content(b"Subject: x\r\n\r\n"),
            trace=b"",
            analysis=analysis(),
            received=InternalDate(int((bench.now - ago).timestamp())),
            keywords=frozenset(),
            targets=(Target(None),),
            evidence=(Evidence(bench.now, "deliver.local", ()),),
            fingerprint=mark,
        )
        (placed,) = tx.messages.add(account, new, QuotaRule.OVERSHOOT)
        return placed.message

    return bench.write(work)


def test_receipts_are_found_by_the_messages_of_their_transactions(bench: Workbench) -> None:
    ann, ben = bench.open_account(), bench.open_account(Address.parse("ben@example.org"))
    _delivered(bench, ann, b"late", timedelta(minutes=11))
    _delivered(bench, ann, None)
    _delivered(bench, ann, b"\0again", timedelta(minutes=5))
    first, second = _delivered(bench, ann, b"\0again"), _delivered(bench, ben, b"\0again")
    bench.deliver(ann)
    since = bench.now - timedelta(minutes=10)
    (found,) = bench.read(lambda tx: tx.receipts.since(since))
    assert found == Receipt(b"\0again", bench.now, (first, second))
    assert bench.read(lambda tx: tx.receipts.is_there(found))


def test_what_was_settled_is_closed_but_for_what_is_still_open(bench: Workbench) -> None:
    account = bench.open_account()
    _delivered(bench, account, b"closed")
    kept = Receipt(b"\0open", bench.now, (_delivered(bench, account, b"\0open"),))
    bench.write(lambda tx: tx.receipts.settle([]))
    bench.write(lambda tx: tx.receipts.settle([kept]))
    since = bench.now - timedelta(minutes=10)
    assert bench.read(lambda tx: tx.receipts.since(since)) == [kept]
    later = Receipt(b"later", bench.now, (_delivered(bench, account, b"later"),))
    assert bench.read(lambda tx: tx.receipts.since(since)) == [later, kept]
    assert bench.read(lambda tx: tx.receipts.since(bench.now + timedelta(seconds=1))) == []
