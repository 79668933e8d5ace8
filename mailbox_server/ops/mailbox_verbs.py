"""What an operator may do with mailboxes, beside sharing them."""

from mailbox_server.model.ids import mailbox_object_id
from mailbox_server.ops import requests
from mailbox_server.ops.account_verbs import account_of
from mailbox_server.ops.rows import AnyRow, MailboxRow
from mailbox_server.store.ports import ReadTx, Store


async def list_all(store: Store, asked: requests.MailboxList) -> list[AnyRow]:
    """The mailboxes of an account with their counts.  Raises AccountMissing, AddressMalformed."""

    def rows(tx: ReadTx) -> list[AnyRow]:
        found: list[AnyRow] = []
        for mailbox in tx.mailboxes.all(account_of(tx, asked.address).id):
            status = tx.mailboxes.status(mailbox.id, counts_recent=False)
            found.append(
                MailboxRow(
                    mailbox_object_id(mailbox.id),
                    mailbox.name,
                    mailbox.role.value.lower() if mailbox.role else None,
                    status.messages,
                    status.unseen,
                    status.octets,
                    mailbox.uid_next,
                    mailbox.subscribed,
                )
            )
        return found

    return await store.read(rows)
