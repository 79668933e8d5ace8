"""What QUIT does to the maildrop (RFC 1939 §6), in steps small enough for others to go between."""

from mailbox_server.model.errors import DiskLow
from mailbox_server.model.ids import AccountId, MailboxId
from mailbox_server.model.keywords import SEEN
from mailbox_server.model.mailbox import Role
from mailbox_server.pop3.maildrop import Maildrop
from mailbox_server.pop3.settings import Pop3Settings, Removal, Retrieved
from mailbox_server.store.ports import Edit, FlagChange, Store, WriteTx

STEP_UIDS = 2_000
_TRASH_NAME = "Trash"


async def update(store: Store, maildrop: Maildrop, settings: Pop3Settings) -> None:
    """Remove what was deleted, then mark what was retrieved, as the settings say.

    Each step is durable when it returns.  Messages that are gone already count as removed.
    On a full disk nothing is marked.  Raises Unavailable and whatever the store refuses
    with; later steps are then undone, earlier ones stay.
    """
    mailbox = maildrop.mailbox.id
    deleted = maildrop.deleted_uids()
    for start in range(0, len(deleted), STEP_UIDS):
        step = deleted[start : start + STEP_UIDS]

        def remove(tx: WriteTx, step: list[int] = step) -> None:
            trash = None
            if settings.removal is Removal.TRASH:
                trash = _trash(tx, maildrop.account.id)
            if trash is None or trash == mailbox:
                tx.messages.remove(mailbox, step)
            else:
                tx.messages.move(mailbox, step, trash)

        await store.write(remove)
    seen = maildrop.retrieved_uids() if settings.retrieved is Retrieved.MARK_SEEN else []
    for start in range(0, len(seen), STEP_UIDS):
        step = seen[start : start + STEP_UIDS]
        change = FlagChange(Edit.ADD, frozenset((SEEN,)))

        def mark(tx: WriteTx, step: list[int] = step, change: FlagChange = change) -> None:
            tx.messages.change_flags(mailbox, step, change)

        try:
            await store.write(mark)
        except DiskLow:
            # What was asked for is done; that a message was read is not worth an error.
            return


def _trash(tx: WriteTx, account: AccountId) -> MailboxId:
    """The account's Trash, made where there is none."""
    trash = tx.mailboxes.by_role(account, Role.TRASH) or tx.mailboxes.find(account, _TRASH_NAME)
    if trash is None:
        trash = tx.mailboxes.create(account, _TRASH_NAME, Role.TRASH)
    return trash.id
