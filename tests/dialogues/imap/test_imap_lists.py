"""What a LIST asks the store for: no more than it tells."""

import pytest

from mailbox_server.model.ids import AccountId
from mailbox_server.model.mailbox import Mailbox
from mailbox_server.model.rights import Rights
from mailbox_server.store.rights import MailboxRights
from tests.dialogues.imap.shared_inbox import SHARED, say, shared_inbox


async def test_rights_are_asked_for_only_where_something_is_told_by_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of each mailbox of somebody else's that is a read of its own."""
    held, asked = MailboxRights.held, list[str]()

    def counted(rights: MailboxRights, mailbox: Mailbox, account: AccountId) -> Rights:
        asked.append(mailbox.name)
        return held(rights, mailbox, account)

    async with shared_inbox() as driver:
        monkeypatch.setattr(MailboxRights, "held", counted)
        assert SHARED in await say(driver, b'a LIST "" "*"', 2)
        assert not asked
        told = await say(driver, b'b LIST "" "*" RETURN (STATUS (MESSAGES))', 2)
        assert b"STATUS " + SHARED in told
        assert asked
