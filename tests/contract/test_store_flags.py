"""STORE in rows: keywords of messages, `\\Deleted` of placements, what keeps its modseq."""

import pytest
import sqlalchemy as sa

from mailbox_server.model.errors import MailboxMissing
from mailbox_server.model.ids import AccountId, MailboxId, ModSeq
from mailbox_server.model.uid_set import UidSet
from mailbox_server.store.ports import Edit, FlagChange, FlagMoves, FlagOutcome
from mailbox_server.store.schema.messages import message
from tests.contract.workbench import Workbench


def store(
    bench: Workbench,
    mailbox: MailboxId,
    uids: list[int],
    edit: Edit,
    *names: str,
    unchanged_since: int | None = None,
) -> FlagOutcome:
    change = FlagChange(edit, frozenset(names))
    since = None if unchanged_since is None else ModSeq(unchanged_since)
    return bench.write(lambda tx: tx.messages.change_flags(mailbox, uids, change, since))


def modseqs(bench: Workbench, mailbox: MailboxId) -> dict[int, int]:
    view = bench.read(lambda tx: tx.messages.view(mailbox))
    return dict(zip(view.uids, view.modseqs, strict=True))


def test_add_remove_replace(bench: Workbench) -> None:
    account = bench.open_account()
    inbox = bench.mailbox(account).id
    for _ in range(4):
        bench.deliver(account)
    store(bench, inbox, [1, 2, 3], Edit.ADD, "\\Seen", "$Work")
    store(bench, inbox, [2, 9], Edit.ADD, "\\Deleted", "$Work")
    store(bench, inbox, [3], Edit.REMOVE, "\\Seen", "\\Deleted", "none")
    assert bench.flags(inbox) == {
        1: {"\\Seen", "$Work"},
        2: {"\\Seen", "$Work", "\\Deleted"},
        3: {"$Work"},
        4: set(),
    }
    store(bench, inbox, [1, 2, 4], Edit.REPLACE, "\\Flagged")
    assert bench.flags(inbox) == {
        1: {"\\Flagged"},
        2: {"\\Flagged"},
        3: {"$Work"},
        4: {"\\Flagged"},
    }
    store(bench, inbox, [1], Edit.REPLACE, "\\Deleted")
    store(bench, inbox, [4], Edit.REPLACE)
    assert bench.flags(inbox) == {1: {"\\Deleted"}, 2: {"\\Flagged"}, 3: {"$Work"}, 4: set()}
    status = bench.read(lambda tx: tx.mailboxes.status(inbox))
    assert (status.unseen, status.deleted) == (4, 1)


def test_what_stays_as_it_is_keeps_its_modseq(bench: Workbench) -> None:
    """RFC 7162 §3.1.3: a STORE that changes nothing is no change."""
    account = bench.open_account()
    inbox = bench.mailbox(account).id
    bench.deliver(account, keywords=["\\Seen"])
    bench.deliver(account)
    before = modseqs(bench, inbox)
    done = store(bench, inbox, [1], Edit.ADD, "\\Seen")
    assert done == FlagOutcome(ModSeq(before[2]), UidSet())
    assert modseqs(bench, inbox) == before
    assert bench.read(lambda tx: tx.accounts.modseq(account)) == before[2]
    done = store(bench, inbox, [1, 2], Edit.ADD, "\\Seen")
    assert modseqs(bench, inbox) == {1: before[1], 2: done.modseq}
    assert done.modseq == bench.read(lambda tx: tx.mailboxes.get(inbox)).highest_modseq


def test_unchanged_since_spares_what_changed(bench: Workbench) -> None:
    """RFC 7162 §3.1.3: also where the flags would have stayed as they are."""
    account = bench.open_account()
    inbox = bench.mailbox(account).id
    for _ in range(3):
        bench.deliver(account)
    base = max(modseqs(bench, inbox).values())
    store(bench, inbox, [2], Edit.ADD, "\\Flagged")
    done = store(bench, inbox, [1, 2, 3, 8], Edit.ADD, "\\Flagged", unchanged_since=base)
    assert done.modified == UidSet.of([2])
    assert modseqs(bench, inbox)[1] == modseqs(bench, inbox)[3] == done.modseq
    done = store(bench, inbox, [1], Edit.ADD, "\\Seen", unchanged_since=0)
    assert done.modified == UidSet.of([1])


def test_keywords_reach_every_mailbox_and_deleted_does_not(bench: Workbench) -> None:
    """store.md §4.4: labels work; a change shows wherever the message is."""
    account = bench.open_account()
    inbox, work, other = (bench.mailbox(account, name).id for name in ("INBOX", "Work", "Other"))
    bench.deliver(account)
    bench.deliver(account, other)
    bench.write(lambda tx: tx.messages.copy(inbox, [1], work))
    bench.write(lambda tx: tx.messages.copy(inbox, [1], inbox))
    untouched = bench.read(lambda tx: tx.mailboxes.get(other))
    done = store(bench, work, [1], Edit.ADD, "\\Seen", "\\Deleted", "label")
    assert bench.flags(work) == {1: {"\\Seen", "label", "\\Deleted"}}
    assert bench.flags(inbox) == {1: {"\\Seen", "label"}, 2: {"\\Seen", "label"}}
    assert modseqs(bench, inbox) == {1: done.modseq, 2: done.modseq}
    for mailbox in (inbox, work):
        found = bench.read(lambda tx, mailbox=mailbox: tx.mailboxes.status(mailbox))
        assert found.unseen == 0 and found.mailbox.highest_modseq == done.modseq
    assert bench.read(lambda tx: tx.mailboxes.get(other)) == untouched
    store(bench, inbox, [1, 2], Edit.REMOVE, "\\Seen")
    assert bench.flags(work) == {1: {"label", "\\Deleted"}}
    deleted = bench.read(lambda tx: tx.mailboxes.get(work)).highest_modseq
    store(bench, inbox, [2], Edit.ADD, "\\Deleted")
    assert bench.read(lambda tx: tx.mailboxes.get(work)).highest_modseq == deleted


def test_a_message_alone_again_after_expunge(bench: Workbench) -> None:
    account = bench.open_account()
    inbox, work = bench.mailbox(account).id, bench.mailbox(account, "Work").id
    bench.deliver(account)
    bench.write(lambda tx: tx.messages.copy(inbox, [1], work))
    bench.write(lambda tx: tx.messages.remove(inbox, [1]))
    store(bench, work, [1], Edit.ADD, "\\Seen")
    bench.write(lambda tx: tx.messages.move(work, [1], inbox))
    store(bench, inbox, [2], Edit.ADD, "\\Flagged")
    assert bench.flags(inbox) == {2: {"\\Seen", "\\Flagged"}}


def test_the_first_spelling_wins(bench: Workbench) -> None:
    account = bench.open_account()
    inbox = bench.mailbox(account).id
    bench.deliver(account, keywords=["$Junk"])
    bench.deliver(account, keywords=["$JUNK"])
    store(bench, inbox, [1], Edit.ADD, "$junk")
    assert bench.flags(inbox) == {1: {"$Junk"}, 2: {"$Junk"}}
    store(bench, inbox, [1, 2], Edit.REMOVE, "$jUNK")
    assert bench.flags(inbox) == {1: set(), 2: set()}


def test_thousands_of_different_sets(bench: Workbench) -> None:
    account = bench.open_account()
    inbox = bench.mailbox(account).id
    for _ in range(300):
        bench.deliver(account)
    for bit in range(9):
        uids = [uid for uid in range(1, 301) if uid >> bit & 1]
        store(bench, inbox, uids, Edit.ADD, f"bit{bit}")
    flags = bench.flags(inbox)
    assert len(set(map(frozenset, flags.values()))) == 300
    assert flags[173] == {f"bit{bit}" for bit in range(9) if 173 >> bit & 1}


@pytest.mark.parametrize("count", [3, 40])
def test_a_run_of_many_states_is_changed_whole(bench: Workbench, count: int) -> None:
    """Counters and modseqs are right however the run was cut."""
    account = bench.open_account()
    inbox = bench.mailbox(account).id
    for number in range(100):
        keywords = [f"k{number % count}", *(["\\Seen"] if number % 7 == 0 else [])]
        bench.deliver(account, keywords=keywords, deleted=number % 3 == 0)
    bench.write(lambda tx: tx.messages.remove(inbox, [50, 51]))
    before = bench.flags(inbox)
    done = store(bench, inbox, list(range(2, 100)), Edit.ADD, "\\Seen", "\\Deleted")
    assert bench.flags(inbox) == {
        uid: names | {"\\Seen", "\\Deleted"} if 2 <= uid <= 99 else names
        for uid, names in before.items()
    }
    changed = [uid for uid, modseq in modseqs(bench, inbox).items() if modseq == done.modseq]
    assert changed == [uid for uid, names in bench.flags(inbox).items() if names != before[uid]]
    assert bench.broken() == []


@pytest.mark.parametrize(
    "but", ["nothing", "first", "middle", "gone", "shared", "first shared", "all shared", "seen"]
)
def test_a_run_in_one_state_is_changed_whole_and_what_differs_in_it_too(
    bench: Workbench, but: str
) -> None:
    account = bench.open_account()
    inbox, work = bench.mailbox(account).id, bench.mailbox(account, "Work").id
    odd = {"first": 1, "middle": 20}.get(but)
    for uid in range(1, 41):
        keywords = ["k"] if uid == odd else ["\\Seen"] if but == "seen" else []
        bench.deliver(account, keywords=keywords, deleted=uid == odd)
    if but == "gone":
        bench.write(lambda tx: tx.messages.remove(inbox, [7]))
    copied = {"shared": [9], "first shared": [1], "all shared": list(range(1, 41))}.get(but, [])
    bench.write(lambda tx: tx.messages.copy(inbox, copied, work))
    before = bench.flags(inbox)
    done = store(bench, inbox, list(range(1, 41)), Edit.ADD, "\\Flagged", "\\Seen")
    assert bench.flags(inbox) == {
        uid: names | {"\\Flagged", "\\Seen"} for uid, names in before.items()
    }
    assert set(modseqs(bench, inbox).values()) == {done.modseq}
    assert set(map(frozenset, bench.flags(work).values())) <= {frozenset({"\\Flagged", "\\Seen"})}
    status = bench.read(lambda tx: tx.mailboxes.status(inbox))
    assert (status.unseen, status.mailbox.highest_modseq) == (0, done.modseq)
    assert bench.broken() == []
    assert store(bench, inbox, list(range(1, 41)), Edit.ADD, "\\Seen").modseq == done.modseq


def test_it_says_what_became_of_which_state(bench: Workbench) -> None:
    account = bench.open_account()
    inbox, work = bench.mailbox(account).id, bench.mailbox(account, "Work").id
    bench.deliver(account, keywords=["\\Seen"])
    bench.deliver(account)
    bench.deliver(account, keywords=["\\Seen"], deleted=True)
    before = bench.read(lambda tx: tx.mailboxes.get(inbox)).highest_modseq
    done = store(bench, inbox, [1, 2, 3], Edit.ADD, "\\Seen")
    assert done.moves == FlagMoves(
        before, {(0, 0): (1, 0)}, {0: frozenset(), 1: frozenset({"\\Seen"})}
    )
    assert store(bench, inbox, [1, 2, 3], Edit.ADD, "\\Seen").moves is None
    bench.write(lambda tx: tx.messages.copy(inbox, [1], work))
    assert store(bench, inbox, [1], Edit.REMOVE, "\\Seen").moves is not None
    bench.write(lambda tx: tx.messages.copy(inbox, [1], inbox))
    # Its other placement, in the same mailbox, changes with it.
    assert store(bench, inbox, [1], Edit.ADD, "\\Seen").moves is None


def test_sets_are_told_to_their_account_only(bench: Workbench) -> None:
    account = bench.open_account()
    bench.deliver(account, keywords=["secret"])
    assert bench.read(lambda tx: tx.messages.keyword_sets(account, [0, 1, 7])) == {
        0: frozenset(),
        1: {"secret"},
    }
    assert bench.read(lambda tx: tx.messages.keyword_sets(AccountId(99), [1])) == {}


def test_undeleting_the_only_placement_makes_it_new(bench: Workbench) -> None:
    """store.md §4.4: JMAP saw it vanish, so it must see it created."""
    account = bench.open_account()
    inbox, work = bench.mailbox(account).id, bench.mailbox(account, "Work").id
    bench.deliver(account, deleted=True)
    bench.deliver(account, inbox, work)
    created = sa.select(message.c.id, message.c.created_at)
    stamps = dict(bench.read(lambda tx: tx.sql.rows(created)))
    store(bench, inbox, [2], Edit.ADD, "\\Deleted")
    done = store(bench, inbox, [1, 2], Edit.REMOVE, "\\Deleted")
    after = dict(bench.read(lambda tx: tx.sql.rows(created)))
    assert after == {1: done.modseq, 2: stamps[2]}


def test_a_missing_mailbox_is_said(bench: Workbench) -> None:
    with pytest.raises(MailboxMissing):
        store(bench, MailboxId(9), [1], Edit.ADD, "\\Seen")
