"""\\Seen of who is not the owner, in rows: exact for the reader, and nothing to the owner."""

import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from mailbox_server.model.ids import AccountId, MailboxId, ModSeq
from mailbox_server.model.keywords import FLAGGED, SEEN, FlagKind
from mailbox_server.model.uid_set import UidSet
from mailbox_server.store.ports import Column, Copier, Edit, FlagChange
from mailbox_server.store.schema.sharing import seen_run
from mailbox_server.store.seen_runs import Run, _carved
from tests.contract.workbench import BEN, Workbench

_SEE = FlagChange(Edit.ADD, frozenset({SEEN}))
_UNSEE = FlagChange(Edit.REMOVE, frozenset({SEEN}))
_ALL = frozenset(FlagKind)


def filled(bench: Workbench, count: int) -> tuple[AccountId, AccountId, MailboxId]:
    ann, ben = bench.open_account(), bench.open_account(BEN)
    work = bench.mailbox(ann, "Work").id
    for _ in range(count):
        bench.deliver(ann, work)
    return ann, ben, work


def seen(bench: Workbench, mailbox: MailboxId, reader: AccountId) -> dict[int, tuple[bool, int]]:
    """Of each UID whether the reader has seen it, and its modseq to the reader."""
    rows = bench.read(lambda tx: tx.messages.view(mailbox, reader))
    names = bench.read(
        lambda tx: tx.messages.keyword_sets(
            rows.mailbox.account, rows.keyword_sets, for_reader=True
        )
    )
    return {
        uid: (SEEN in names[number], modseq)
        for uid, number, modseq in zip(rows.uids, rows.keyword_sets, rows.modseqs, strict=True)
    }


def test_what_a_reader_has_seen_is_nothing_to_the_owner(bench: Workbench) -> None:
    _, ben, work = filled(bench, 4)
    before = bench.read(lambda tx: tx.messages.view(work))
    done = bench.write(lambda tx: tx.messages.change_flags(work, [1, 3], _SEE, reader=ben))
    assert [each[0] for each in seen(bench, work, ben).values()] == [True, False, True, False]
    after = bench.read(lambda tx: tx.messages.view(work))
    assert after.keyword_sets == before.keyword_sets and after.modseqs == before.modseqs
    assert after.mailbox.highest_modseq == done.modseq == before.mailbox.highest_modseq + 1
    status = bench.read(lambda tx: tx.mailboxes.status(work, reader=ben))
    assert (status.unseen, status.recent) == (2, 0)
    assert bench.read(lambda tx: tx.mailboxes.status(work)).unseen == 4
    # Once more changes nothing.
    again = bench.write(lambda tx: tx.messages.change_flags(work, [1, 3], _SEE, reader=ben))
    assert again.modseq == done.modseq
    bench.write(lambda tx: tx.messages.change_flags(work, [2], _SEE))
    assert not seen(bench, work, ben)[2][0]


def test_changes_as_the_reader_sees_them(bench: Workbench) -> None:
    _, ben, work = filled(bench, 4)
    start = bench.read(lambda tx: tx.mailboxes.get(work))
    assert start is not None
    bench.write(lambda tx: tx.messages.change_flags(work, [2, 3], _SEE, reader=ben))
    flagged = FlagChange(Edit.ADD, frozenset({FLAGGED}))
    bench.write(lambda tx: tx.messages.change_flags(work, [3, 4], flagged))
    bench.write(lambda tx: tx.messages.change_flags(work, [1], _SEE, reader=ben))
    whole = bench.read(lambda tx: tx.messages.changes_since(work, start.highest_modseq, 9, ben))
    now = seen(bench, work, ben)
    assert [(each.uid, each.modseq) for each in whole.changed] == [
        (2, now[2][1]),
        (3, now[3][1]),
        (4, now[4][1]),
        (1, now[1][1]),
    ]
    assert whole.complete and whole.upto == now[1][1]
    upto, pages, told = start.highest_modseq, 0, dict[int, int]()
    while True:
        page = bench.read(lambda tx, upto=upto: tx.messages.changes_since(work, upto, 1, ben))
        told.update((each.uid, each.modseq) for each in page.changed)
        upto, pages = page.upto, pages + 1
        if page.complete:
            break
    assert pages > 1 and told == {uid: modseq for uid, (_, modseq) in now.items()}
    owners = bench.read(lambda tx: tx.messages.changes_since(work, start.highest_modseq))
    assert [each.uid for each in owners.changed] == [3, 4]


def test_unchanged_since_counts_what_the_reader_has_seen(bench: Workbench) -> None:
    _, ben, work = filled(bench, 2)
    start = bench.read(lambda tx: tx.mailboxes.get(work))
    assert start is not None
    since = start.highest_modseq
    bench.write(lambda tx: tx.messages.change_flags(work, [1], _SEE, reader=ben))
    done = bench.write(lambda tx: tx.messages.change_flags(work, [1, 2], _UNSEE, since, ben))
    assert done.modified == UidSet.of([1])
    assert seen(bench, work, ben)[1][0]


def test_copies_carry_what_the_copier_has_seen(bench: Workbench) -> None:
    ann, ben, work = filled(bench, 2)
    bench.write(lambda tx: tx.messages.change_flags(work, [1], _SEE))
    bench.write(lambda tx: tx.messages.change_flags(work, [2], _SEE, reader=ben))
    own = bench.mailbox(ben, "Own").id
    bench.write(lambda tx: tx.messages.copy(work, [1, 2], own, Copier(ben, _ALL)))
    assert bench.read(lambda tx: tx.mailboxes.status(own)).unseen == 1
    days = bench.read(lambda tx: tx.messages.rows(own, [1, 2], (Column.SENT_DAY,)))
    assert [day for _, day in days] == [18_518, 18_518]
    # Inside ann's account too, ben's copies are messages of their own.
    other = bench.mailbox(ann, "Other").id
    before = bench.read(lambda tx: tx.accounts.usage(ann)).messages
    bench.write(lambda tx: tx.messages.copy(work, [1, 2], other, Copier(ben, _ALL)))
    assert bench.read(lambda tx: tx.accounts.usage(ann)).messages == before + 2
    assert [each[0] for each in seen(bench, other, ben).values()] == [False, True]
    assert bench.read(lambda tx: tx.mailboxes.status(other)).unseen == 2
    bench.write(lambda tx: tx.messages.move(other, [1, 2], other, Copier(ben, frozenset())))
    assert {uid: each[0] for uid, each in seen(bench, other, ben).items()} == {3: False, 4: False}


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 40), st.booleans()), max_size=30, unique_by=lambda e: e[0]),
    st.sets(st.integers(1, 40), min_size=1, max_size=30),
)
def test_carved_runs_keep_all_but_the_ranges(there: list[tuple[int, bool]], cut: set[int]) -> None:
    """Each run is a few UIDs; those that are cut out are in none of the runs left."""
    runs: list[Run] = []
    for uid, is_seen in sorted(there):
        last = runs[-1] if runs else None
        if last is not None and last.last == uid - 1 and bool(last.seen) is is_seen:
            runs[-1] = last._replace(last=uid)
        else:
            runs.append(Run(uid, uid, int(is_seen), len(runs)))
    gone, left = _carved(runs, UidSet.of(cut).ranges)
    after = sorted([each for each in runs if each not in gone] + left)

    def spelled(several: list[Run]) -> list[tuple[int, int, int]]:
        return [(u, r.seen, r.modseq) for r in several for u in range(r.first, r.last + 1)]

    assert spelled(after) == [each for each in spelled(runs) if each[0] not in cut]
    assert all(not cut.isdisjoint(range(run.first, run.last + 1)) for run in gone)


def test_a_deleted_mailbox_was_seen_by_nobody(bench: Workbench) -> None:
    ann, ben, work = filled(bench, 1)
    bench.write(lambda tx: tx.messages.change_flags(work, [1], _SEE, ModSeq(1 << 40), ben))
    bench.write(lambda tx: tx.mailboxes.delete(ann, "Work"))
    assert bench.read(lambda tx: tx.sql.rows(sa.select(seen_run))) == []
