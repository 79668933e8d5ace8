"""Passports and receipts in rows."""

from datetime import timedelta

from mailbox_server.model.ids import MessageId
from mailbox_server.model.passport import Evidence
from mailbox_server.store.ports import Receipt
from tests.contract.workbench import Workbench


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


def test_evidence_goes_with_the_last_tombstone(bench: Workbench) -> None:
    account = bench.open_account()
    placed = bench.deliver(account)[0]
    stamp = Evidence(bench.now, "deliver.local", ())
    bench.write(lambda tx: tx.passports.stamp(placed.message, [stamp]))
    bench.write(lambda tx: tx.messages.remove(placed.mailbox, [placed.uid]))
    bench.turn(days=1)
    bench.write(lambda tx: tx.messages.forget_destroyed(bench.now))
    assert bench.read(lambda tx: tx.passports.of(placed.message)) == [stamp]
    bench.write(lambda tx: tx.messages.forget_tombstones(bench.now))
    assert bench.read(lambda tx: tx.passports.of(placed.message)) == []


def test_a_receipt_is_found_while_young_and_unconfirmed(bench: Workbench) -> None:
    made = Receipt(b"\0print", bench.now, (MessageId(3), MessageId(4)))
    bench.write(lambda tx: tx.receipts.add(made))
    young = bench.now - timedelta(minutes=10)
    assert bench.read(lambda tx: tx.receipts.find(b"\0print", young)) == made
    assert bench.read(lambda tx: tx.receipts.find(b"\0print", bench.now)) == made
    later = bench.now + timedelta(seconds=1)
    assert bench.read(lambda tx: tx.receipts.find(b"\0print", later)) is None
    assert bench.read(lambda tx: tx.receipts.find(b"other", young)) is None
    newer = Receipt(b"\0print", later, ())
    bench.write(lambda tx: tx.receipts.add(newer))
    assert bench.read(lambda tx: tx.receipts.find(b"\0print", young)) == newer
    bench.write(lambda tx: tx.receipts.confirm([b"other", b"\0print"]))
    assert bench.read(lambda tx: tx.receipts.find(b"\0print", young)) is None


def test_old_receipts_are_forgotten(bench: Workbench) -> None:
    for number in range(3):
        each = Receipt(b"%d" % number, bench.now - timedelta(minutes=2 - number), ())
        bench.write(lambda tx, each=each: tx.receipts.add(each))
    bench.write(lambda tx: tx.receipts.forget(bench.now - timedelta(minutes=1)))
    since = bench.now - timedelta(minutes=10)
    found = [bench.read(lambda tx, n=n: tx.receipts.find(b"%d" % n, since)) for n in range(3)]
    assert [each is None for each in found] == [True, False, False]
