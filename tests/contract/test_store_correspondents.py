"""To whom accounts have written, and how much they sent of late."""

from datetime import timedelta

from mailbox_server.model.address import Address
from mailbox_server.store.ports import Sending
from tests.contract.workbench import Workbench

CARL, DAN = Address.parse("Carl@far.example"), Address.parse("dan@far.example")


def test_strangers_are_strangers_once(bench: Workbench) -> None:
    ann, bob = bench.open_account(), bench.open_account(Address.parse("bob@example.org"))
    assert bench.read(lambda tx: tx.correspondents.strangers(ann, ())) == set()
    both = bench.read(lambda tx: tx.correspondents.strangers(ann, (CARL, DAN, CARL)))
    assert both == {CARL.key, DAN.key}
    bench.write(lambda tx: tx.correspondents.sent(ann, [CARL.key], bench.now))
    carl = Address.parse("CARL@far.example")
    left = bench.read(lambda tx: tx.correspondents.strangers(ann, (carl, DAN)))
    assert left == {DAN.key}
    crowd = [Address.parse(f"{number}@far.example") for number in range(9)]
    met = bench.read(lambda tx: tx.correspondents.strangers(ann, (*crowd, carl)))
    assert met == {each.key for each in crowd}
    others = bench.read(lambda tx: tx.correspondents.strangers(bob, (carl,)))
    assert others == {CARL.key}


def test_what_was_sent_is_counted_by_spans(bench: Workbench) -> None:
    ann = bench.open_account()
    start = bench.now.replace(minute=0, second=0, microsecond=0)
    for minutes, strangers in ((0, ["a@b"]), (9, ["c@d", "e@f"]), (10, [])):
        at = start + timedelta(minutes=minutes)
        bench.write(lambda tx, at=at, met=strangers: tx.correspondents.sent(ann, met, at))
    later = start + timedelta(minutes=10)
    spans = [Sending(start, 2, 3), Sending(later, 1, 0)]
    assert bench.read(lambda tx: tx.correspondents.sendings(ann, start)) == spans
    assert bench.read(lambda tx: tx.correspondents.sendings(ann, later)) == spans[1:]
    assert bench.write(lambda tx: tx.correspondents.forget_sendings(later)) == 1
    assert bench.read(lambda tx: tx.correspondents.sendings(ann, start)) == spans[1:]


def test_they_go_with_the_account(bench: Workbench) -> None:
    ann = bench.open_account()
    bench.write(lambda tx: tx.correspondents.sent(ann, [CARL.key], bench.now))
    bench.write(lambda tx: tx.accounts.remove(ann))
    assert bench.read(lambda tx: tx.correspondents.sendings(ann, bench.now)) == []
    assert bench.read(lambda tx: tx.correspondents.strangers(ann, (CARL,))) == {CARL.key}
