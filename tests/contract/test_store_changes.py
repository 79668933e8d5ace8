"""The change log in rows: changes_since, tombstones, floors."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from mailbox_server.model.errors import MailboxMissing, StateTooOld
from mailbox_server.model.ids import AccountId, MailboxId, ModSeq
from mailbox_server.model.uid_set import UidSet
from mailbox_server.store import forgetting
from mailbox_server.store.ports import Changes, Column, Edit, FlagChange
from mailbox_server.store.schema.messages import message
from tests.contract.workbench import BEN, Workbench

SEEN = FlagChange(Edit.ADD, frozenset({"\\Seen"}))


def since(bench: Workbench, mailbox: MailboxId, modseq: int, limit: int = 5_000) -> Changes:
    return bench.read(lambda tx: tx.messages.changes_since(mailbox, ModSeq(modseq), limit))


def at(bench: Workbench, account: AccountId) -> ModSeq:
    return bench.read(lambda tx: tx.accounts.modseq(account))


def test_each_uid_comes_once_in_its_newest_state(bench: Workbench) -> None:
    account = bench.open_account()
    inbox = bench.mailbox(account).id
    for _ in range(4):
        bench.deliver(account)
    base = at(bench, account)
    bench.write(lambda tx: tx.messages.change_flags(inbox, [3], SEEN))
    bench.write(lambda tx: tx.messages.change_flags(inbox, [1, 2], SEEN))
    bench.write(lambda tx: tx.messages.remove(inbox, [2]))
    placed = bench.deliver(account)[0]
    found = since(bench, inbox, base)
    assert [(each.uid, each.modseq) for each in found.changed] == [
        (3, base + 1),
        (1, base + 2),
        (placed.uid, base + 4),
    ]
    assert found.vanished == UidSet.of([2])
    assert [each.created > base for each in found.changed] == [False, False, True]
    assert found.complete and found.upto == found.mailbox.highest_modseq == base + 4
    assert since(bench, inbox, found.upto) == Changes(found.mailbox, (), UidSet(), found.upto, True)


def test_an_answer_ends_with_a_whole_write(bench: Workbench) -> None:
    account = bench.open_account()
    inbox = bench.mailbox(account).id
    for _ in range(9):
        bench.deliver(account)
    base = at(bench, account)
    for step in ([1, 2, 3], [4, 5, 6], [7, 8]):
        bench.write(lambda tx, step=step: tx.messages.change_flags(inbox, step, SEEN))
    bench.write(lambda tx: tx.messages.remove(inbox, [9]))
    first = since(bench, inbox, base, limit=4)
    assert [each.uid for each in first.changed] == [1, 2, 3, 4, 5, 6]
    assert not first.complete and first.upto == base + 2
    second = since(bench, inbox, first.upto, limit=2)
    assert [each.uid for each in second.changed] == [7, 8]
    last = since(bench, inbox, second.upto, limit=1)
    assert (last.changed, last.vanished, last.complete) == ((), UidSet.of([9]), True)


def test_other_mailboxes_do_not_show(bench: Workbench) -> None:
    account, other = bench.open_account(), bench.open_account(BEN)
    inbox, work = bench.mailbox(account).id, bench.mailbox(account, "Work").id
    base = at(bench, account)
    bench.deliver(account, work)
    bench.deliver(other)
    assert since(bench, inbox, base).complete
    assert since(bench, inbox, base).changed == ()
    assert len(since(bench, work, 0).changed) == 1


def test_one_write_takes_one_modseq(bench: Workbench) -> None:
    account = bench.open_account()
    inbox, work = bench.mailbox(account).id, bench.mailbox(account, "Work").id
    base = at(bench, account)
    bench.deliver(account, inbox, work)
    assert at(bench, account) == base + 1

    def work_of_many_parts(tx: object) -> None:
        bench.tx.messages.change_flags(inbox, [1], SEEN)
        bench.tx.messages.copy(inbox, [1], work)
        bench.tx.messages.remove(inbox, [1])
        bench.tx.mailboxes.create(account, "New")

    bench.write(work_of_many_parts)
    assert at(bench, account) == base + 2
    assert bench.mailbox(account).highest_modseq == base + 2
    assert bench.mailbox(account, "Work").highest_modseq == base + 2
    assert bench.mailbox(account, "New").highest_modseq == base + 2


def test_the_view_is_by_uid_and_live(bench: Workbench) -> None:
    account = bench.open_account()
    inbox = bench.mailbox(account).id
    for number in range(5):
        bench.deliver(account, deleted=number == 3)
    bench.write(lambda tx: tx.messages.remove(inbox, [2]))
    view = bench.read(lambda tx: tx.messages.view(inbox))
    assert view.uids.typecode == "I" and list(view.uids) == [1, 3, 4, 5]
    assert view.deleted == b"\0\0\1\0"
    assert list(view.keyword_sets) == [0, 0, 0, 0]
    assert max(view.modseqs) < view.mailbox.highest_modseq
    with pytest.raises(MailboxMissing):
        bench.read(lambda tx: tx.messages.view(MailboxId(99)))


def test_forgotten_expunges_make_states_too_old(bench: Workbench) -> None:
    """store.md §4.2; RFC 7162 §3.2.5: highest_modseq stays (§3.1.2.1)."""
    account = bench.open_account()
    inbox = bench.mailbox(account).id
    for _ in range(3):
        bench.deliver(account)
    base = at(bench, account)
    bench.write(lambda tx: tx.messages.remove(inbox, [1]))
    bench.turn(days=80)
    bench.write(lambda tx: tx.messages.remove(inbox, [2]))
    bench.turn(days=20)
    long_ago = bench.now - timedelta(days=90)
    assert bench.forget_destroyed(bench.now) == 2
    before = bench.mailbox(account)
    assert bench.write(lambda tx: tx.messages.forget_tombstones(long_ago)) == 1
    assert bench.write(lambda tx: tx.messages.forget_tombstones(long_ago)) == 0
    assert bench.mailbox(account) == before
    with pytest.raises(StateTooOld):
        since(bench, inbox, base)
    assert since(bench, inbox, base + 1).vanished == UidSet.of([2])
    assert bench.read(lambda tx: tx.messages.rows(inbox, [1, 2], [Column.SIZE])) != []
    assert bench.write(lambda tx: tx.messages.forget_tombstones(bench.now)) == 1
    assert bench.read(lambda tx: tx.messages.rows(inbox, [1, 2], [])) == []
    assert bench.mailbox(account).highest_modseq == base + 2
    assert bench.deliver(account)[0].uid == 4


def test_a_tombstone_may_go_before_its_message(bench: Workbench) -> None:
    account = bench.open_account()
    inbox, work = bench.mailbox(account).id, bench.mailbox(account, "Work").id
    bench.deliver(account, inbox, work)
    bench.write(lambda tx: tx.messages.remove(inbox, [1]))
    bench.turn(days=1)
    assert bench.write(lambda tx: tx.messages.forget_tombstones(bench.now)) == 1
    assert bench.read(lambda tx: tx.messages.rows(work, [1], [Column.ENVELOPE])) != []


def test_too_many_tombstones_are_forgotten_early(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mailbox_server.store.forgetting.TOMBSTONES_A_MAILBOX", 3)
    account = bench.open_account()
    inbox = bench.mailbox(account).id
    for uid in range(1, 7):
        bench.deliver(account)
        bench.write(lambda tx, uid=uid: tx.messages.remove(inbox, [uid]))
    base = at(bench, account)
    bench.forget_destroyed(bench.now.replace(year=2100))
    long_ago = bench.now.replace(year=2000)
    assert bench.write(lambda tx: tx.messages.forget_tombstones(long_ago)) == 3
    assert bench.write(lambda tx: tx.messages.forget_tombstones(long_ago)) == 0
    with pytest.raises(StateTooOld):
        since(bench, inbox, 1)
    assert since(bench, inbox, base - 5).vanished == UidSet.of([4, 5, 6])


def test_a_message_whose_tombstones_went_first_leaves_no_row(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = bench.open_account()
    bench.deliver(account)
    inbox = bench.mailbox(account)
    bench.write(lambda tx: tx.messages.remove(inbox.id, [1]))
    monkeypatch.setattr(forgetting, "TOMBSTONES_A_MAILBOX", 0)
    before = bench.now
    bench.turn(days=1)
    assert bench.write(lambda tx: tx.messages.forget_tombstones(before)) == 1
    assert bench.forget_destroyed(bench.now) == 1
    assert bench.read(lambda tx: tx.sql.rows(message.select())) == []


def test_a_tombstone_is_told_of_when_its_message_has_gone(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A crowded mailbox forgot the expunge that destroyed it, another one remembers its own."""
    monkeypatch.setattr(forgetting, "TOMBSTONES_A_MAILBOX", 1)
    account = bench.open_account()
    inbox, work = bench.mailbox(account).id, bench.mailbox(account, "Work").id
    bench.deliver(account, inbox, work)
    bench.deliver(account, work)
    base = at(bench, account)
    bench.write(lambda tx: tx.messages.remove(inbox, [1]))
    bench.write(lambda tx: tx.messages.remove(work, [1]))
    bench.write(lambda tx: tx.messages.remove(work, [2]))
    before = bench.now
    bench.turn(days=1)
    assert bench.forget_destroyed(bench.now) == 2
    assert bench.write(lambda tx: tx.messages.forget_tombstones(before)) == 1
    (left,) = bench.read(lambda tx: tx.sql.rows(sa.select(message.c.destroyed_at)))
    assert left == (base + 3,)
    assert since(bench, inbox, base).vanished == UidSet.of([1])
    assert bench.broken() == []
    while bench.write(lambda tx: tx.messages.forget_tombstones(bench.now)):
        assert bench.broken() == []
    assert bench.read(lambda tx: tx.sql.rows(message.select())) == []
