"""Rights in rows: lists of mailboxes, what they give to whom, and how they come and go."""

import pytest

from mailbox_server.model.errors import MailboxNameMalformed, TooManyRights
from mailbox_server.model.ids import AccountId
from mailbox_server.model.mailbox import INBOX, Mailbox
from mailbox_server.model.rights import ALL_RIGHTS, Rights
from mailbox_server.store import rights
from tests.contract.workbench import ANN, BEN, Workbench


def let(
    bench: Workbench,
    mailbox: Mailbox,
    holder: AccountId | None,
    letters: str,
    *,
    negative: bool = False,
) -> None:
    bench.write(lambda tx: tx.rights.set(mailbox, holder, frozenset(letters), is_negative=negative))


def held(bench: Workbench, mailbox: Mailbox, account: AccountId) -> Rights:
    return bench.read(lambda tx: tx.rights.held(mailbox, account))


def listed(bench: Workbench, mailbox: Mailbox) -> list[tuple[str, str]]:
    grants = bench.read(lambda tx: tx.rights.grants(mailbox.id))
    return [(grant.identifier, "".join(sorted(grant.rights))) for grant in grants]


def test_entries_give_rights_and_take_them(bench: Workbench) -> None:
    ann, ben = bench.open_account(), bench.open_account(BEN)
    work = bench.mailbox(ann, "Work")
    assert held(bench, work, ann) == ALL_RIGHTS and held(bench, work, ben) == frozenset()
    let(bench, work, None, "lr")
    let(bench, work, ben, "iw")
    let(bench, work, ben, "r", negative=True)
    assert held(bench, work, ben) == frozenset("liw")
    assert listed(bench, work) == [("anyone", "lr"), (str(BEN), "iw"), (f"-{BEN}", "r")]
    let(bench, work, ben, "s")
    let(bench, work, ben, "", negative=True)
    assert held(bench, work, ben) == frozenset("lrs")
    assert listed(bench, work) == [("anyone", "lr"), (str(BEN), "s")]


def test_the_owner_hears_of_it(bench: Workbench) -> None:
    """The mailbox is told as changed, and every session that has it open looks again."""
    ann, ben = bench.open_account(), bench.open_account(BEN)
    work = bench.mailbox(ann, "Work")
    before = bench.read(lambda tx: tx.changes.state(ann))
    let(bench, work, ben, "lr")
    changed = bench.read(lambda tx: tx.changes.mailboxes_since(ann, before, 10))
    assert list(changed.updated) == [work.id] and not changed.only_counts
    after = bench.read(lambda tx: tx.mailboxes.get(work.id))
    assert after == work, "nothing that IMAP shows in it"


def test_what_somebody_may_look_up(bench: Workbench) -> None:
    ann, ben = bench.open_account(), bench.open_account(BEN)
    both, some, none = (bench.mailbox(ann, name) for name in ("Both", "Some", "None"))
    let(bench, both, None, "r")
    let(bench, both, ben, "l")
    let(bench, some, None, "lr")
    let(bench, none, None, "lr")
    let(bench, none, ben, "l", negative=True)
    shared = bench.read(lambda tx: tx.rights.visible(ben))
    assert [(each.owner, each.mailbox.name) for each in shared] == [(ANN, "Both"), (ANN, "Some")]
    assert shared[0].rights == frozenset("lr")
    assert bench.read(lambda tx: tx.rights.visible(ann)) == []
    bench.write(lambda tx: tx.mailboxes.delete(ann, "Some"))
    assert len(bench.read(lambda tx: tx.rights.visible(ben))) == 1


def test_a_mailbox_below_another_is_shared_as_that_is(bench: Workbench) -> None:
    ann, ben = bench.open_account(), bench.open_account(BEN)
    let(bench, bench.mailbox(ann, "Work"), ben, "lr")
    deep = bench.write(lambda tx: tx.mailboxes.create(ann, "Work/A/B"))
    assert held(bench, deep, ben) == frozenset("lr")
    bench.write(lambda tx: tx.mailboxes.rename(ann, "Work", "Play"))
    assert held(bench, deep, ben) == frozenset("lr")
    bench.write(lambda tx: tx.mailboxes.delete(ann, "Play/A/B"))
    assert listed(bench, deep) == []


def test_a_list_has_an_end(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rights, "GRANTS_A_MAILBOX", 1)
    ann, ben = bench.open_account(), bench.open_account(BEN)
    work = bench.mailbox(ann, "Work")
    let(bench, work, ben, "lr")
    let(bench, work, ben, "l")
    with pytest.raises(TooManyRights):
        let(bench, work, None, "l")
    assert listed(bench, work) == [(str(BEN), "l")]


def test_removed_accounts_hold_nothing(bench: Workbench) -> None:
    ann, ben = bench.open_account(), bench.open_account(BEN)
    work = bench.mailbox(ann, "Work")
    let(bench, work, ben, "lr")
    bench.write(lambda tx: tx.accounts.remove(ben))
    assert listed(bench, work) == []
    carl = bench.open_account(BEN)
    assert held(bench, work, carl) == frozenset()


def test_the_name_of_others_mailboxes_is_reserved(bench: Workbench) -> None:
    ann = bench.open_account()
    for name in ("Other users", "Other users/ben@example.org/INBOX"):
        with pytest.raises(MailboxNameMalformed):
            bench.write(lambda tx, name=name: tx.mailboxes.create(ann, name))
        with pytest.raises(MailboxNameMalformed):
            bench.write(lambda tx, name=name: tx.mailboxes.rename(ann, INBOX, name))
