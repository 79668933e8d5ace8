"""A mailbox that is not selected answers a search as one that is."""

from array import array
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import cast

import pytest

from mailbox_server.imap.grammar.lexer import Lexer
from mailbox_server.imap.grammar.search_criteria import parse_search
from mailbox_server.imap.grammar.sequence_sets import By
from mailbox_server.imap.search.searched import UnselectedMailbox, unselected
from mailbox_server.model.account import Account, AccountState
from mailbox_server.model.address import Address
from mailbox_server.model.ids import AccountId, MailboxId, ModSeq
from mailbox_server.model.mailbox import Mailbox, MailboxStatus
from mailbox_server.model.rights import ALL_RIGHTS, Rights
from mailbox_server.store.ports import ReadTx, ViewRows

NOW = datetime(2026, 1, 2, tzinfo=UTC)
ANN = Account(AccountId(1), Address.parse("ann@example.org"), AccountState.ACTIVE, 0, NOW)
MAILBOX = Mailbox(MailboxId(7), AccountId(1), "Other", None, 5, 31, ModSeq(90), False)


@dataclass
class Rows:
    """A transaction in which the mailbox has the UIDs 10, 20 and 30."""

    recent: int = 1

    @property
    def messages(self) -> "Rows":
        return self

    @property
    def mailboxes(self) -> "Rows":
        return self

    @property
    def rights(self) -> "Rows":
        return self

    def held(self, mailbox: Mailbox, account: AccountId) -> Rights:
        return ALL_RIGHTS

    def view(self, mailbox: MailboxId, reader: AccountId | None = None) -> ViewRows:
        assert mailbox == MAILBOX.id
        return ViewRows(
            MAILBOX,
            array("I", (10, 20, 30)),
            array("q", (1, 2, 3)),
            array("q", (0, 4, 4)),
            b"\1\0\1",
            array("q", (50, 90, 60)),
        )

    def keyword_sets(
        self, account: AccountId, ids: list[int], *, for_reader: bool = False
    ) -> dict[int, frozenset[str]]:
        assert (account, ids) == (MAILBOX.account, [4])
        return {4: frozenset({"$Work"})}

    def status(self, mailbox: MailboxId, reader: AccountId | None = None) -> MailboxStatus:
        return MailboxStatus(MAILBOX, 3, 3, 2, self.recent, 300)


def seen(keys: str, recent: int = 1) -> UnselectedMailbox:
    key = parse_search(Lexer(f" {keys}".encode()), By.UID).key
    return unselected(MAILBOX, ANN, key)(cast(ReadTx, Rows(recent)))


def test_numbers() -> None:
    box = seen("ALL")
    assert (box.count, box.uid_at(1), box.uid_at(3)) == (3, 10, 30)
    assert list(box.all_uids()) == [10, 20, 30]
    assert not box.saved


def test_flags() -> None:
    box = seen("NOT (OR KEYWORD x 1)")
    assert box.having(lambda names: "$Work" in names, [10, 20, 30]) == [20, 30]
    assert box.having(lambda names: "\\Deleted" in names, [10, 30]) == [10, 30]
    assert box.having(lambda names: not names, [10, 20, 30]) == []


def test_modseqs() -> None:
    box = seen("MODSEQ 5")
    assert box.changed_since(59, [10, 20, 30]) == [20, 30]
    assert box.changed_since(90, [20]) == []
    assert box.modseqs_of([10, 30]) == [50, 60]


@pytest.mark.parametrize(("recent", "uids"), [(0, []), (1, [30]), (3, [10, 20, 30])])
def test_recent(recent: int, uids: list[int]) -> None:
    box = seen("RECENT", recent)
    assert [uid for uid in (10, 20, 30) if box.is_recent(uid)] == uids
