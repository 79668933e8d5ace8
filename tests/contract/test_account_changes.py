"""What changed in an account (store.md §4.1, §4.6): messages, threads, mailboxes, in pages."""

from typing import Any

import pytest

from mailbox_server.model.errors import AccountMissing, StateTooOld
from mailbox_server.model.ids import AccountId, MailboxId
from mailbox_server.model.state_token import StateToken
from mailbox_server.store.ports import AccountChanges, Edit, FlagChange
from mailbox_server.store.repositories import Repositories
from tests.contract.workbench import BEN, Workbench, analysis

SEEN = FlagChange(Edit.ADD, frozenset({"\\Seen"}))
DELETED = FlagChange(Edit.ADD, frozenset({"\\Deleted"}))
UNDELETED = FlagChange(Edit.REMOVE, frozenset({"\\Deleted"}))
FLAGGED = FlagChange(Edit.ADD, frozenset({"\\Flagged"}))

Told = tuple[list[int], list[int], list[int]]


class Asker:
    """Asks for the changes of one account from one state on."""

    def __init__(self, bench: Workbench, account: AccountId) -> None:
        self.bench = bench
        self.account = account
        self.since = bench.read(lambda tx: tx.changes.state(account))

    def ask(self, kind: str, since: StateToken | None = None, limit: int = 100) -> Any:
        def work(tx: Repositories) -> AccountChanges[Any]:
            verb = getattr(tx.changes, f"{kind}_since")
            changes: AccountChanges[Any] = verb(self.account, since or self.since, limit)
            return changes

        return self.bench.read(work)

    def told(self, kind: str, since: StateToken | None = None) -> Told:
        changes = self.ask(kind, since)
        assert changes.complete
        assert changes.upto == self.bench.read(lambda tx: tx.changes.state(self.account))
        return list(changes.created), list(changes.updated), list(changes.destroyed)


@pytest.fixture
def account(bench: Workbench) -> AccountId:
    return bench.open_account()


def flag(bench: Workbench, mailbox: MailboxId, uids: list[int], change: FlagChange) -> None:
    bench.write(lambda tx: tx.messages.change_flags(mailbox, uids, change))


def test_messages_come_change_and_go(bench: Workbench, account: AccountId) -> None:
    inbox = bench.mailbox(account).id
    old = [bench.deliver(account)[0].message for _ in range(4)]
    asker = Asker(bench, account)
    assert asker.told("messages") == ([], [], [])
    new = bench.deliver(account)[0].message
    flag(bench, inbox, [2], SEEN)
    flag(bench, inbox, [3], SEEN)
    bench.write(lambda tx: tx.messages.remove(inbox, [3]))
    assert asker.told("messages") == ([new], [old[1]], [old[2]])


def test_what_came_and_went_is_not_told(bench: Workbench, account: AccountId) -> None:
    asker = Asker(bench, account)
    inbox = bench.mailbox(account).id
    bench.deliver(account)
    flag(bench, inbox, [1], SEEN)
    bench.write(lambda tx: tx.messages.remove(inbox, [1]))
    assert asker.told("messages") == asker.told("threads") == ([], [], [])


def test_a_message_is_told_once_however_often_it_is_placed(
    bench: Workbench, account: AccountId
) -> None:
    work, inbox = bench.mailbox(account, "Work").id, bench.mailbox(account).id
    number = bench.deliver(account, inbox)[0].message
    asker = Asker(bench, account)
    bench.write(lambda tx: tx.messages.copy(inbox, [1], work))
    bench.write(lambda tx: tx.messages.copy(inbox, [1], work))
    flag(bench, inbox, [1], SEEN)
    assert asker.told("messages") == ([], [number], [])
    bench.write(lambda tx: tx.messages.move(inbox, [1], work))
    assert asker.told("messages") == ([], [number], [])
    assert asker.told("threads") == ([], [], [])


def test_a_message_is_told_once_whatever_it_left_behind(
    bench: Workbench, account: AccountId
) -> None:
    """Its tombstones have stamps of their own, and what it still has an older one."""
    work, play = bench.mailbox(account, "Work").id, bench.mailbox(account, "Play").id
    inbox = bench.mailbox(account).id
    number = bench.deliver(account, inbox)[0].message
    bench.write(lambda tx: tx.messages.copy(inbox, [1], work))
    bench.write(lambda tx: tx.messages.copy(inbox, [1], play))
    asker = Asker(bench, account)
    bench.write(lambda tx: tx.messages.remove(work, [1]))
    new = bench.deliver(account, inbox)[0].message
    bench.write(lambda tx: tx.messages.remove(play, [1]))
    first = asker.ask("messages", limit=1)
    assert (list(first.created), list(first.updated), first.complete) == ([new], [], False)
    rest = asker.ask("messages", first.upto, 1)
    assert (list(rest.created), list(rest.updated), rest.complete) == ([], [number], True)


def test_deleted_everywhere_is_gone_and_undeleted_is_created_again(
    bench: Workbench, account: AccountId
) -> None:
    """store.md §4.4: a placement with \\Deleted is not in JMAP's mailboxIds."""
    work, inbox = bench.mailbox(account, "Work").id, bench.mailbox(account).id
    one = bench.deliver(account, inbox, work)[0]
    asker = Asker(bench, account)
    flag(bench, inbox, [1], DELETED)
    assert asker.told("messages") == ([], [one.message], [])
    flag(bench, work, [1], DELETED)
    assert asker.told("messages") == ([], [], [one.message])
    assert asker.told("threads") == ([], [], [one.thread])
    later = Asker(bench, account)
    # What nobody saw any more is not told to go a second time.
    bench.write(lambda tx: tx.messages.expunge(work))
    assert later.told("messages") == later.told("threads") == ([], [], [])
    flag(bench, inbox, [1], UNDELETED)
    assert later.told("messages") == ([one.message], [], [])
    assert later.told("threads") == ([one.thread], [], [])


def test_the_last_placement_that_shows_a_message_may_be_expunged(
    bench: Workbench, account: AccountId
) -> None:
    work, inbox = bench.mailbox(account, "Work").id, bench.mailbox(account).id
    one = bench.deliver(account, inbox, work)[0]
    flag(bench, inbox, [1], DELETED)
    asker = Asker(bench, account)
    bench.write(lambda tx: tx.messages.remove(work, [1]))
    assert asker.told("messages") == ([], [], [one.message])
    assert bench.read(lambda tx: tx.accounts.usage(account)).messages == 1


def test_a_message_that_arrives_deleted_was_never_there(
    bench: Workbench, account: AccountId
) -> None:
    asker = Asker(bench, account)
    bench.deliver(account, deleted=True)
    assert asker.told("messages") == ([], [], [])


def test_a_copy_in_another_account_keeps_what_it_is(bench: Workbench, account: AccountId) -> None:
    ben = bench.open_account(BEN)
    inbox, there = bench.mailbox(account).id, bench.mailbox(ben).id
    bench.deliver(account)
    bench.deliver(account, deleted=True)
    asker = Asker(bench, ben)
    bench.write(lambda tx: tx.messages.copy(inbox, [1, 2], there))
    view = bench.read(lambda tx: tx.messages.view(there))
    assert asker.told("messages") == ([view.messages[0]], [], [])


def test_a_deleted_mailbox_takes_its_messages_with_it(bench: Workbench, account: AccountId) -> None:
    work, inbox = bench.mailbox(account, "Work").id, bench.mailbox(account).id
    gone = bench.deliver(account, work)[0].message
    both = bench.deliver(account, work, inbox)[0].message
    asker = Asker(bench, account)
    bench.write(lambda tx: tx.mailboxes.delete(account, "Work"))
    assert asker.told("messages") == ([], [both], [gone])
    created, updated, destroyed = asker.told("mailboxes")
    assert (created, updated, destroyed) == ([], [], [work])


def test_a_page_may_end_inside_a_write(bench: Workbench, account: AccountId) -> None:
    """store.md §4.6; of two mailboxes at once, whose messages one write stamped."""
    work, inbox = bench.mailbox(account, "Work").id, bench.mailbox(account).id
    numbers = [bench.deliver(account, work, inbox)[0].message for _ in range(7)]
    asker = Asker(bench, account)
    flag(bench, work, list(range(1, 8)), SEEN)
    since, told = asker.since, []
    for left in (4, 1):
        page = asker.ask("messages", since, 3)
        assert not page.complete and len(page.updated) == 3
        assert str(page.upto) == f"{since.base + 1}.{page.updated[-1]}~{asker.since.stamp}"
        told += page.updated
        since = StateToken.parse(str(page.upto))
        assert len(numbers) - len(told) == left
    page = asker.ask("messages", since, 3)
    assert page.complete and str(page.upto) == str(since.base + 1)
    assert told + list(page.updated) == numbers


def test_what_is_new_is_measured_against_where_paging_began(
    bench: Workbench, account: AccountId
) -> None:
    """RFC 8620 §5.2: nothing is told as created that was told as updated before."""
    inbox = bench.mailbox(account).id
    old = bench.deliver(account)[0].message
    asker = Asker(bench, account)
    new = [bench.deliver(account)[0].message for _ in range(3)]
    flag(bench, inbox, [1], SEEN)
    first = asker.ask("messages", limit=2)
    assert (list(first.created), list(first.updated)) == (new[:2], [])
    flag(bench, inbox, [2, 4], SEEN)
    bench.write(lambda tx: tx.messages.remove(inbox, [3]))
    rest = asker.ask("messages", first.upto)
    assert list(rest.created) == [new[0], new[2]]
    assert list(rest.updated) == [old]
    # It was told as created in the first page.
    assert list(rest.destroyed) == [new[1]]


def test_threads_change_by_who_comes_and_goes_only(bench: Workbench, account: AccountId) -> None:
    inbox = bench.mailbox(account).id

    def deliver(message_id: str, *references: str) -> Any:
        what = analysis(subject="s", message_id=message_id, references=references)
        return bench.deliver(account, what=what)[0]

    kept, left = deliver("1@x"), deliver("2@x")
    asker = Asker(bench, account)
    flag(bench, inbox, [1, 2], FLAGGED)
    assert asker.told("threads") == ([], [], [])
    answer = deliver("3@x", "1@x")
    assert answer.thread == kept.thread
    new = deliver("4@x")
    bench.write(lambda tx: tx.messages.remove(inbox, [left.uid]))
    assert asker.told("threads") == ([new.thread], [kept.thread], [left.thread])
    bench.write(lambda tx: tx.messages.remove(inbox, [kept.uid]))
    # The one that opened it is gone, the thread is not.
    assert asker.told("threads") == ([new.thread], [kept.thread], [left.thread])


def test_threads_are_told_in_pages(bench: Workbench, account: AccountId) -> None:
    asker = Asker(bench, account)
    threads = [bench.deliver(account)[0].thread for _ in range(5)]
    since, told, pages = asker.since, [], 0
    while True:
        page = asker.ask("threads", since, 2)
        told += page.created
        pages += 1
        if page.complete:
            break
        since = page.upto
    assert (told, pages) == (threads, 3)


def test_mailboxes_say_whether_only_counts_changed(bench: Workbench, account: AccountId) -> None:
    """RFC 8621 §2.2."""
    work, inbox = bench.mailbox(account, "Work").id, bench.mailbox(account).id
    bench.deliver(account, inbox)
    asker = Asker(bench, account)
    flag(bench, inbox, [1], FLAGGED)
    assert asker.told("mailboxes") == ([], [], [])
    flag(bench, inbox, [1], SEEN)
    changes = asker.ask("mailboxes")
    assert list(changes.updated) == [inbox] and changes.only_counts
    bench.write(lambda tx: tx.mailboxes.rename(account, "Work", "Play"))
    changes = asker.ask("mailboxes")
    assert list(changes.updated) == [inbox, work] and not changes.only_counts
    first = asker.ask("mailboxes", limit=1)
    assert list(first.updated) == [inbox] and first.only_counts and not first.complete
    rest = asker.ask("mailboxes", first.upto, 1)
    assert list(rest.updated) == [work] and rest.complete


def test_a_mailbox_whose_parent_comes_or_goes_has_changed(
    bench: Workbench, account: AccountId
) -> None:
    below = bench.mailbox(account, "a/b").id
    above = bench.mailbox(account, "a").id
    asker = Asker(bench, account)
    bench.write(lambda tx: tx.mailboxes.delete(account, "a"))
    assert asker.told("mailboxes") == ([], [below], [above])
    asker = Asker(bench, account)
    again = bench.mailbox(account, "a").id
    assert asker.told("mailboxes") == ([again], [below], [])


def test_counts_that_cancel_out_have_changed(bench: Workbench, account: AccountId) -> None:
    """One goes unread, one goes \\Deleted: what JMAP counts is another sum."""
    inbox = bench.mailbox(account).id
    bench.deliver(account)
    bench.deliver(account, keywords=["\\Seen"], deleted=True)
    asker = Asker(bench, account)

    def swap(tx: Repositories) -> None:
        tx.messages.change_flags(inbox, [1], DELETED)
        tx.messages.change_flags(inbox, [2], UNDELETED)

    bench.write(swap)
    assert asker.told("mailboxes") == ([], [inbox], [])


def test_who_asks_from_too_far_back_begins_anew(bench: Workbench, account: AccountId) -> None:
    inbox = bench.mailbox(account).id
    for _ in range(3):
        bench.deliver(account)
    asker = Asker(bench, account)
    bench.write(lambda tx: tx.messages.remove(inbox, [1]))
    between = Asker(bench, account)
    flag(bench, inbox, [2], SEEN)
    bench.turn(days=100)
    while bench.write(lambda tx: tx.messages.forget_tombstones(bench.now)):
        pass
    for kind in ("messages", "threads", "mailboxes"):
        with pytest.raises(StateTooOld):
            asker.ask(kind)
        between.ask(kind)
        # Of a write that is forgotten in part no page can be told to its end.
        inside = StateToken(between.since.stamp, 1, asker.since.base)
        with pytest.raises(StateTooOld):
            between.ask(kind, inside)


def test_nobody_stands_where_the_account_never_was(bench: Workbench, account: AccountId) -> None:
    asker = Asker(bench, account)
    with pytest.raises(StateTooOld):
        asker.ask("messages", StateToken.at(type(asker.since.stamp)(asker.since.stamp + 1)))
    bench.write(lambda tx: tx.accounts.remove(account))
    for kind in ("messages", "threads", "mailboxes"):
        with pytest.raises(AccountMissing):
            asker.ask(kind)


def test_an_answer_costs_what_changed_not_what_there_is(
    bench: Workbench, account: AccountId
) -> None:
    """store.md §4.1."""
    inbox = bench.mailbox(account).id

    def price() -> int:
        asker = Asker(bench, account)
        flag(bench, inbox, [1, 2, 3], FlagChange(Edit.ADD, frozenset({f"k{asker.since.stamp}"})))
        with bench.counted() as steps:
            assert len(asker.told("messages")[1]) == 3
            asker.told("threads")
            asker.told("mailboxes")
        return steps()

    for _ in range(20):
        bench.deliver(account)
    few = price()
    for _ in range(200):
        bench.deliver(account)
    assert price() < 2 * few


def test_a_page_ends_where_messages_do_not_placements(bench: Workbench, account: AccountId) -> None:
    """Moved within its mailbox a message has two placements of one stamp."""
    inbox = bench.mailbox(account).id
    for _ in range(3):
        bench.deliver(account)
    asker = Asker(bench, account)
    bench.write(lambda tx: tx.messages.move(inbox, [1, 2, 3], inbox))
    found = bench.read(lambda tx: tx.changes.messages_since(account, asker.since, 1))
    assert len(found.updated) == 1
    assert not found.complete
