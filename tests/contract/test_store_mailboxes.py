"""Mailboxes in rows: names, roles, UIDVALIDITY, subscriptions, counts."""

from dataclasses import replace

import pytest

from mailbox_server.model.errors import (
    AccountMissing,
    MailboxExists,
    MailboxMissing,
    MailboxNameMalformed,
    MailboxProtected,
    TooManyMailboxes,
)
from mailbox_server.model.ids import AccountId, MailboxId, ModSeq
from mailbox_server.model.mailbox import INBOX, Role, mailbox_name
from mailbox_server.store import expunges, mailboxes
from mailbox_server.store.ports import Column, Edit, FlagChange, ReadTx, Unpurged
from mailbox_server.store.repositories import Repositories
from tests.contract.workbench import BEN, Workbench


def names(bench: Workbench, account: AccountId) -> set[str]:
    """All names but the default ones."""
    found = bench.read(lambda tx: tx.mailboxes.all(account))
    return {each.name for each in found if each.role is None}


def test_missing_levels_are_made(bench: Workbench) -> None:
    account = bench.open_account()
    made = bench.write(lambda tx: tx.mailboxes.create(account, "a/b/c"))
    assert made.name == "a/b/c" and made.uid_next == 1 and not made.subscribed
    assert names(bench, account) == {"a", "a/b", "a/b/c"}
    bench.write(lambda tx: tx.mailboxes.create(account, "a/d"))
    assert names(bench, account) == {"a", "a/b", "a/b/c", "a/d"}
    assert bench.read(lambda tx: tx.mailboxes.get(made.id)) == made
    assert made.highest_modseq == 2


def test_names_exist_once_in_an_account(bench: Workbench) -> None:
    account, other = bench.open_account(), bench.open_account(BEN)
    for name in (INBOX, "Sent"):
        with pytest.raises(MailboxExists):
            bench.write(lambda tx, name=name: tx.mailboxes.create(account, name))
    bench.write(lambda tx: tx.mailboxes.create(account, "Work"))
    bench.write(lambda tx: tx.mailboxes.create(other, "Work"))
    # Only INBOX ignores case.
    bench.write(lambda tx: tx.mailboxes.create(account, "WORK"))


def test_roles_are_given_once(bench: Workbench) -> None:
    account = bench.open_account()
    with pytest.raises(MailboxExists):
        bench.write(lambda tx: tx.mailboxes.create(account, "Bin", Role.TRASH))
    made = bench.write(lambda tx: tx.mailboxes.create(account, "Stars", Role.FLAGGED))
    assert bench.read(lambda tx: tx.mailboxes.by_role(account, Role.FLAGGED)) == made
    bench.write(lambda tx: tx.mailboxes.delete(account, "Stars"))
    assert bench.read(lambda tx: tx.mailboxes.by_role(account, Role.FLAGGED)) is None
    bench.write(lambda tx: tx.mailboxes.create(account, "Flags", Role.FLAGGED))


def test_the_number_of_mailboxes_is_limited(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = bench.open_account()
    monkeypatch.setattr(mailboxes, "MAILBOXES_AN_ACCOUNT", 8)
    with pytest.raises(TooManyMailboxes):
        bench.write(lambda tx: tx.mailboxes.create(account, "a/b/c"))
    assert names(bench, account) == set()
    bench.write(lambda tx: tx.mailboxes.create(account, "a/b"))


def test_created_again_it_has_a_higher_uid_validity(bench: Workbench) -> None:
    """RFC 9051 §2.3.1.1, §6.3.4: fast too, and the old messages do not come back."""
    account = bench.open_account()
    before = bench.mailbox(account, "Work")
    bench.deliver(account, before.id)
    bench.write(lambda tx: tx.mailboxes.delete(account, "Work"))
    after = bench.write(lambda tx: tx.mailboxes.create(account, "Work"))
    assert after.id > before.id
    assert after.uid_validity > before.uid_validity
    assert len(bench.read(lambda tx: tx.messages.view(after.id)).uids) == 0


def test_delete_leaves_what_lies_below(bench: Workbench) -> None:
    account = bench.open_account()
    bench.mailbox(account, "a/b/c")
    middle = bench.mailbox(account, "a/b")
    bench.deliver(account, middle.id)
    bench.write(lambda tx: tx.mailboxes.delete(account, "a/b"))
    assert names(bench, account) == {"a", "a/b/c"}
    assert bench.read(lambda tx: tx.mailboxes.get(middle.id)) is None
    assert bench.read(lambda tx: tx.accounts.usage(account)).messages == 0
    for work in (
        lambda tx: tx.messages.view(middle.id),
        lambda tx: tx.messages.changes_since(middle.id, ModSeq(1)),
        lambda tx: tx.mailboxes.status(middle.id),
        lambda tx: tx.mailboxes.delete(account, "a/b"),
        lambda tx: tx.mailboxes.claim_recent(middle.id),
        lambda tx: tx.messages.expunge(middle.id),
    ):
        with pytest.raises(MailboxMissing):
            bench.write(work)


def test_a_large_mailbox_is_hidden_at_once_and_emptied_in_steps(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """store.md §2: no delivery waits behind a DELETE; at each step the counts are right."""
    monkeypatch.setattr(expunges, "STEP", 3)
    account = bench.open_account()
    work = bench.mailbox(account, "Work")
    inbox = bench.mailbox(account)
    for _ in range(7):
        bench.deliver(account, work.id, octets=b"12345", trace=b"")
    placed = bench.deliver(account, work.id, inbox.id, octets=b"1", trace=b"", keywords=["$Both"])[
        0
    ]
    rest = bench.write(lambda tx: tx.mailboxes.delete(account, "Work"))
    left = [(5, 21)]
    assert bench.read(lambda tx: tx.mailboxes.find(account, "Work")) is None
    # The name is free, and what the mailbox still holds is in nobody's way.
    again = bench.mailbox(account, "Work")
    change = FlagChange(Edit.ADD, frozenset(["$New"]))
    bench.write(lambda tx: tx.messages.change_flags(inbox.id, [1], change))
    facts = bench.read(lambda tx: tx.messages.about(placed.message))
    assert facts is not None and facts.places == ((inbox.id, 1),)
    while True:
        usage = bench.read(lambda tx: tx.accounts.usage(account))
        assert (usage.messages, usage.octets) == left.pop(0)
        assert bench.broken() == []
        if rest is None:
            break
        purging = rest
        rest = bench.write(lambda tx, purging=purging: tx.mailboxes.purge(purging))
        left.append({5: (2, 6), 2: (1, 1)}[usage.messages])
    assert bench.flags(inbox.id) == {1: {"$Both", "$New"}}
    assert bench.read(lambda tx: tx.mailboxes.status(again.id)).messages == 0


def test_only_a_deleted_mailbox_is_purged(bench: Workbench) -> None:
    account = bench.open_account()
    bench.deliver(account)
    inbox = bench.mailbox(account)
    assert bench.write(lambda tx: tx.mailboxes.purge(Unpurged(inbox.id, 0))) is None
    assert bench.write(lambda tx: tx.mailboxes.purge(Unpurged(MailboxId(99), 0))) is None
    assert bench.read(lambda tx: tx.mailboxes.status(inbox.id)).messages == 1


@pytest.mark.parametrize("verb", ["delete", "rename"])
def test_its_price_follows_the_size_of_the_mailbox(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    """Four times the messages are four times the work of the database, not sixteen times."""
    monkeypatch.setattr(expunges, "STEP", 10)
    account = bench.open_account()

    def work(tx: Repositories) -> Unpurged | None:
        if verb == "delete":
            return tx.mailboxes.delete(account, "Work")
        tx.mailboxes.rename(account, INBOX, "Elsewhere")
        return None

    def price(messages: int) -> int:
        name = "Work" if verb == "delete" else INBOX
        for _ in range(messages):
            bench.deliver(account, bench.mailbox(account, name).id)
        with bench.counted() as steps:
            rest = bench.write(work)
            while rest is not None:
                rest = bench.write(lambda tx, purging=rest: tx.mailboxes.purge(purging))
        if verb == "rename":
            bench.write(lambda tx: tx.mailboxes.rename(account, "Elsewhere", f"of {messages}"))
        return steps()

    few = price(100)
    assert price(400) < 5 * few


def test_inbox_is_not_deleted(bench: Workbench) -> None:
    account = bench.open_account()
    with pytest.raises(MailboxProtected):
        bench.write(lambda tx: tx.mailboxes.delete(account, INBOX))


def test_rename_takes_all_below_with_it(bench: Workbench) -> None:
    account = bench.open_account()
    bench.mailbox(account, "a/b/c")
    for name in ("ab", "a!", "a0"):
        bench.mailbox(account, name)
    before = bench.mailbox(account, "a/b")
    placed = bench.deliver(account, before.id)[0]
    bench.write(lambda tx: tx.mailboxes.rename(account, "a", "x/y"))
    assert names(bench, account) == {"x", "x/y", "x/y/b", "x/y/b/c", "ab", "a!", "a0"}
    after = bench.mailbox(account, "x/y/b")
    assert (after.id, after.uid_validity) == (before.id, before.uid_validity)
    assert list(bench.read(lambda tx: tx.messages.view(after.id)).uids) == [placed.uid]


def test_rename_keeps_role_and_subscriptions(bench: Workbench) -> None:
    """Subscriptions are names of their own (RFC 3501 §6.3.6, §6.3.9)."""
    account = bench.open_account()
    bench.write(lambda tx: tx.mailboxes.rename(account, "Trash", "Bin"))
    found = bench.read(lambda tx: tx.mailboxes.by_role(account, Role.TRASH))
    assert found is not None and found.name == "Bin" and not found.subscribed
    assert "Trash" in bench.read(lambda tx: tx.mailboxes.subscriptions(account))


def test_rename_of_a_deleted_level_takes_all_below_with_it(bench: Workbench) -> None:
    """RFC 9051 §6.3.6: LIST tells of the name, so it can be renamed; no mailbox comes of it."""
    account = bench.open_account()
    bench.mailbox(account, "a/b/c")
    bench.write(lambda tx: tx.mailboxes.delete(account, "a"))
    bench.write(lambda tx: tx.mailboxes.rename(account, "a", "x/y"))
    assert names(bench, account) == {"x", "x/y/b", "x/y/b/c"}


def test_rename_up_into_the_place_of_a_deleted_level(bench: Workbench) -> None:
    account = bench.open_account()
    bench.mailbox(account, "a/a/a")
    bench.write(lambda tx: tx.mailboxes.delete(account, "a"))
    bench.write(lambda tx: tx.mailboxes.rename(account, "a/a", "a"))
    assert names(bench, account) == {"a", "a/a"}


@pytest.mark.parametrize(
    ("name", "new_name", "refusal"),
    [
        ("none", "new", MailboxMissing),
        ("a", "b", MailboxExists),
        ("a", "a", MailboxExists),
        ("a", INBOX, MailboxExists),
        ("a", "a/x", MailboxNameMalformed),
        ("a", "n" * 999, MailboxNameMalformed),
        ("a", "/".join("l" * 20), MailboxNameMalformed),
        ("a", "c", MailboxExists),
        (INBOX, "b", MailboxExists),
    ],
)
def test_refused_renames_change_nothing(
    bench: Workbench, name: str, new_name: str, refusal: type[Exception]
) -> None:
    account = bench.open_account()
    for each in ("a/deep", "b", "c/deep"):
        bench.mailbox(account, each)
    bench.write(lambda tx: tx.mailboxes.delete(account, "c"))
    before = bench.read(lambda tx: tx.mailboxes.all(account))
    with pytest.raises(refusal):
        bench.write(lambda tx: tx.mailboxes.rename(account, name, new_name))
    assert bench.read(lambda tx: tx.mailboxes.all(account)) == before


def test_renaming_inbox_moves_its_messages(bench: Workbench) -> None:
    """RFC 9051 §6.3.6: INBOX goes on, empty; what lies below it stays."""
    account = bench.open_account()
    bench.mailbox(account, "INBOX/below")
    inbox = bench.mailbox(account)
    for number in range(5):
        bench.deliver(account, keywords=["\\Seen"] if number else [], deleted=number == 2)
    flags = bench.flags(inbox.id)
    bench.write(lambda tx: tx.mailboxes.rename(account, INBOX, "Old/mail"))
    after = bench.mailbox(account)
    old = bench.mailbox(account, "Old/mail")
    assert (after.id, after.uid_validity, after.uid_next) == (inbox.id, inbox.uid_validity, 6)
    assert bench.read(lambda tx: tx.mailboxes.status(inbox.id)).messages == 0
    assert bench.flags(old.id) == flags
    status = bench.read(lambda tx: tx.mailboxes.status(old.id))
    assert (status.messages, status.unseen, status.deleted) == (5, 1, 1)
    assert "INBOX/below" in names(bench, account)
    assert bench.read(lambda tx: tx.accounts.usage(account)).messages == 5


def test_renaming_inbox_copies_what_is_written_on_it(bench: Workbench) -> None:
    """RFC 5464 §3.2: the annotations go along, and INBOX keeps them."""
    account = bench.open_account()
    inbox = bench.mailbox(account).id

    def write(tx: Repositories) -> None:
        tx.annotations.set(account, inbox, "/private/comment", b"mine")
        tx.annotations.set(account, inbox, "/private/gone", b"x")
        tx.annotations.set(account, inbox, "/private/gone", None)
        tx.mailboxes.rename(account, INBOX, "Old")

    bench.write(write)
    old = bench.mailbox(account, "Old").id
    for mailbox in (inbox, old):
        found = bench.read(lambda tx, mailbox=mailbox: tx.annotations.all(account, mailbox))
        assert found == {"/private/comment": b"mine"}


def test_any_name_is_subscribed_once(bench: Workbench) -> None:
    account = bench.open_account()
    bench.mailbox(account, "Work")
    before = bench.read(lambda tx: tx.accounts.modseq(account))
    for _ in range(2):
        bench.write(lambda tx: tx.mailboxes.subscribe(account, "Work"))
        bench.write(lambda tx: tx.mailboxes.subscribe(account, "nowhere"))
    assert bench.read(lambda tx: tx.accounts.modseq(account)) == before + 2
    assert bench.mailbox(account, "Work").subscribed
    assert {"Work", "nowhere"} < set(bench.read(lambda tx: tx.mailboxes.subscriptions(account)))
    bench.write(lambda tx: tx.mailboxes.unsubscribe(account, "Work"))
    bench.write(lambda tx: tx.mailboxes.unsubscribe(account, "never"))
    assert not bench.mailbox(account, "Work").subscribed


def test_a_subscription_outlives_its_mailbox(bench: Workbench) -> None:
    account = bench.open_account()
    bench.write(lambda tx: tx.mailboxes.delete(account, "Archive"))
    assert "Archive" in bench.read(lambda tx: tx.mailboxes.subscriptions(account))
    assert bench.mailbox(account, "Archive").subscribed


def test_status_counts(bench: Workbench) -> None:
    account = bench.open_account()
    inbox = bench.mailbox(account)
    bench.deliver(account, octets=b"12345", trace=b"abc")
    bench.deliver(account, octets=b"12345", trace=b"", keywords=["\\Seen"])
    bench.deliver(account, octets=b"", trace=b"", deleted=True)
    status = bench.read(lambda tx: tx.mailboxes.status(inbox.id))
    counts = (status.messages, status.unseen, status.deleted, status.recent, status.octets)
    assert counts == (3, 2, 1, 3, 13)
    assert status.mailbox.uid_next == 4
    sizes = bench.read(lambda tx: tx.messages.rows(inbox.id, [1, 2, 3], [Column.SIZE]))
    assert sizes == [(1, 8), (2, 5), (3, 0)]


@pytest.mark.parametrize(
    ("beginning", "found"),
    [
        ("a", ["a", "a!", "a/b", "a/b/c", "aé"]),
        ("a/", ["a/b", "a/b/c"]),
        ("a/b", ["a/b", "a/b/c"]),
        ("aé", ["aé"]),
        ("A", ["A", "Archive"]),
        ("b", []),
        ("a\x00", []),
        ("\U0010ffff", []),
    ],
)
def test_some_are_found_by_how_their_names_begin(
    bench: Workbench, beginning: str, found: list[str]
) -> None:
    account, other = bench.open_account(), bench.open_account(BEN)
    for name in ("a/b/c", "a!", "aé", "A"):
        bench.write(lambda tx, name=name: tx.mailboxes.create(account, name))
    bench.write(lambda tx: tx.mailboxes.create(other, "a/other"))
    for name in ("a", "a!", "a/b", "a/b/c", "aé", "A", "Archive"):
        bench.write(lambda tx, name=name: tx.mailboxes.subscribe(account, name))
    by_name = bench.read(lambda tx: tx.mailboxes.all(account, beginning))
    assert [each.name for each in by_name] == found
    counts = bench.read(lambda tx: tx.mailboxes.statuses(account, beginning))
    assert sorted(each.mailbox.name for each in counts) == found
    assert bench.read(lambda tx: tx.mailboxes.subscriptions(account, beginning)) == found


def test_recent_is_claimed_once(bench: Workbench) -> None:
    account = bench.open_account()
    inbox = bench.mailbox(account)
    bench.deliver(account)
    bench.deliver(account)
    modseq = bench.read(lambda tx: tx.accounts.modseq(account))
    assert bench.write(lambda tx: tx.mailboxes.claim_recent(inbox.id)) == (1, 3)
    assert bench.write(lambda tx: tx.mailboxes.claim_recent(inbox.id)) == (3, 3)
    assert bench.read(lambda tx: tx.accounts.modseq(account)) == modseq
    bench.deliver(account)
    assert bench.read(lambda tx: tx.mailboxes.status(inbox.id)).recent == 1
    assert bench.read(lambda tx: tx.mailboxes.status(inbox.id, counts_recent=False)).recent == 0
    assert bench.write(lambda tx: tx.mailboxes.claim_recent(inbox.id)) == (3, 4)


def test_nothing_is_found_under_unknown_ids(bench: Workbench) -> None:
    assert bench.read(lambda tx: tx.mailboxes.get(MailboxId(5))) is None
    with pytest.raises(MailboxMissing):
        bench.read(lambda tx: tx.mailboxes.status(MailboxId(5)))
    account = bench.open_account()
    assert bench.read(lambda tx: tx.mailboxes.find(account, "x")) is None
    with pytest.raises(MailboxMissing):
        bench.write(lambda tx: tx.mailboxes.delete(account, "x"))


def test_what_moved_since(bench: Workbench) -> None:
    account, other = bench.open_account(), bench.open_account(BEN)

    def moved(since: ModSeq) -> tuple[ModSeq, set[str], list[MailboxId]]:
        found = bench.read(lambda tx: tx.mailboxes.moved_since(account, since))
        return found.upto, {each.mailbox.name for each in found.moved}, list(found.deleted)

    at, names, deleted = moved(ModSeq(0))
    assert INBOX in names and not deleted
    assert moved(at) == (at, set(), [])
    made = bench.write(lambda tx: tx.mailboxes.create(account, "a/b"))
    bench.write(lambda tx: tx.mailboxes.create(other, "c"))
    assert moved(at) == (at + 1, {"a", "a/b"}, [])
    bench.write(lambda tx: tx.mailboxes.subscribe(account, "a/b"))
    assert moved(ModSeq(at + 1)) == (at + 2, {"a/b"}, [])
    bench.write(lambda tx: tx.mailboxes.rename(account, "a/b", "d"))
    assert moved(ModSeq(at + 2)) == (at + 3, {"d"}, [])
    bench.write(lambda tx: tx.mailboxes.delete(account, "d"))
    assert moved(ModSeq(at + 3)) == (at + 4, set(), [made.id])
    bench.write(lambda tx: tx.mailboxes.subscribe(account, "nowhere"))
    assert moved(ModSeq(at + 4)) == (at + 5, set(), [])
    with pytest.raises(AccountMissing):
        bench.read(lambda tx: tx.mailboxes.moved_since(AccountId(999), ModSeq(0)))


def test_figures_of_what_moved(bench: Workbench) -> None:
    account = bench.open_account()
    inbox = bench.mailbox(account).id
    at = bench.read(lambda tx: tx.changes.state(account).stamp)
    bench.deliver(account)
    (status,) = bench.read(lambda tx: tx.mailboxes.moved_since(account, at)).moved
    assert status == bench.read(lambda tx: tx.mailboxes.status(inbox, counts_recent=False))
    assert (status.messages, status.unseen, status.recent) == (1, 1, 0)
    change = FlagChange(Edit.ADD, frozenset({"\\Flagged"}))
    bench.write(lambda tx: tx.messages.change_flags(inbox, [1], change))
    (status,) = bench.read(lambda tx: tx.mailboxes.moved_since(account, ModSeq(at + 1))).moved
    assert status.mailbox.highest_modseq == at + 2


DECEPTIVE = ["a\u202egpj.exe", "below/\u2066a", "a\ufffe", "a\U0010ffff", "\ufdd0"]


@pytest.mark.parametrize("name", DECEPTIVE)
def test_new_names_deceive_nobody(bench: Workbench, name: str) -> None:
    account = bench.open_account()
    bench.mailbox(account, "good")
    with pytest.raises(MailboxNameMalformed):
        bench.write(lambda tx: tx.mailboxes.create(account, name))
    with pytest.raises(MailboxNameMalformed):
        bench.write(lambda tx: tx.mailboxes.rename(account, "good", name))
    assert names(bench, account) == {"good"}


@pytest.mark.parametrize("name", ["می\u200cخواهم", "न\u200dय", "a\u200fb"])
def test_what_scripts_need_may_stand_in_a_name(bench: Workbench, name: str) -> None:
    account = bench.open_account()
    bench.write(lambda tx: tx.mailboxes.create(account, name))
    assert names(bench, account) == {name}


@pytest.mark.parametrize("name", DECEPTIVE)
def test_names_from_before_stay_usable(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    account = bench.open_account()
    with monkeypatch.context() as before:
        before.setattr(mailboxes, "refuse_deceptive", lambda name: None)
        bench.mailbox(account, f"{name}/deep")
    found = bench.read(lambda tx: tx.mailboxes.all(account, name[:-1]))
    assert f"{name}/deep" in {each.name for each in found}
    assert mailbox_name(name) == name
    bench.write(lambda tx: tx.mailboxes.delete(account, name))
    bench.write(lambda tx: tx.mailboxes.rename(account, name, "good"))
    assert "good/deep" in names(bench, account)


def test_what_is_counted_row_by_row_is_counted_at_once(bench: Workbench) -> None:
    account = bench.open_account()
    inbox, sent = bench.mailbox(account), bench.mailbox(account, "Sent")
    for octets in (b"1", b"12", b"123", b"1234"):
        bench.deliver(account, octets=octets, trace=b"", deleted=len(octets) > 1)
    bench.write(lambda tx: tx.messages.move(inbox.id, [2], sent.id))
    bench.write(lambda tx: tx.mailboxes.claim_recent(inbox.id))
    bench.deliver(account, octets=b"12345", trace=b"", deleted=True)
    bench.write(lambda tx: tx.messages.remove(inbox.id, [3]))

    def asked(tx: ReadTx, *, recent: bool, octets: bool) -> dict[str, tuple[int, int | None]]:
        kept = tx.mailboxes.statuses(account)
        found = tx.mailboxes.counted(kept, counts_recent=recent, weighs_deleted=octets)
        for each, before in zip(found, kept, strict=True):
            assert replace(each, recent=0, deleted_octets=None) == before
        return {each.mailbox.name: (each.recent, each.deleted_octets) for each in found}

    both = bench.read(lambda tx: asked(tx, recent=True, octets=True))
    assert (both[INBOX], both["Sent"], both["Archive"]) == ((1, 9), (1, 2), (0, 0))
    alone = bench.read(lambda tx: tx.mailboxes.status(inbox.id, weighs_deleted=True))
    assert (alone.recent, alone.deleted_octets) == both[INBOX]
    recent = bench.read(lambda tx: asked(tx, recent=True, octets=False))
    assert recent[INBOX] == (1, None)
    octets = bench.read(lambda tx: asked(tx, recent=False, octets=True))
    assert octets[INBOX] == (0, 9)


def test_mailboxes_with_messages_are_counted(bench: Workbench) -> None:
    account, other = bench.open_account(), bench.open_account(BEN)
    inbox, sent = bench.mailbox(account), bench.mailbox(account, "Sent")
    assert bench.read(lambda tx: tx.mailboxes.filled(account)) == {}
    bench.deliver(other)
    for _ in range(3):
        bench.deliver(account)
    bench.write(lambda tx: tx.messages.move(inbox.id, [1], sent.id))
    assert bench.read(lambda tx: tx.mailboxes.filled(account)) == {inbox.id: 2, sent.id: 1}
    bench.write(lambda tx: tx.mailboxes.delete(account, "Sent"))
    assert bench.read(lambda tx: tx.mailboxes.filled(account)) == {inbox.id: 2}
