"""What an operator may do with the rights in mailboxes: list them, and give them (RFC 4314)."""

from collections.abc import Mapping, Sequence
from typing import Final

from mailbox_server.model.account import Account
from mailbox_server.model.errors import BadInput, MailboxMissing, RightsMalformed
from mailbox_server.model.ids import AccountId
from mailbox_server.model.mailbox import Mailbox, mailbox_name
from mailbox_server.model.rights import (
    ALL_RIGHTS,
    ANYONE,
    WRITTEN_ORDER,
    Rights,
    parse_rights,
    written_rights,
)
from mailbox_server.ops import requests
from mailbox_server.ops.account_verbs import account_of
from mailbox_server.ops.rows import RightRow
from mailbox_server.store.ports import ReadTx, Store, WriteTx

_NAMED: Final[Mapping[str, str]] = {
    "none": "",
    "read": "lrs",
    "write": "lrswite",
    "all": WRITTEN_ORDER,
}
"""Words for what is wanted most; a reader needs l, r and s."""


async def list_rights(store: Store, asked: requests.MailboxRights) -> Sequence[RightRow]:
    """Who may do what, the owner first."""
    return await store.read(lambda tx: _rows(tx, *_mailbox(tx, asked.address, asked.mailbox)))


async def share(store: Store, asked: requests.MailboxShare) -> Sequence[RightRow]:
    """Make these the rights of an entry; who may do what then."""
    rights = _rights(asked.rights)

    def work(tx: WriteTx) -> Sequence[RightRow]:
        owner, mailbox = _mailbox(tx, asked.address, asked.mailbox)
        holder = _holder(tx, asked.holder)
        if holder == owner.id:
            raise BadInput(f"{owner.address} is the owner and has all rights")
        tx.rights.set(mailbox, holder, rights, is_negative=asked.is_negative)
        return _rows(tx, owner, mailbox)

    return await store.write(work)


def _rights(text: str) -> Rights:
    try:
        return parse_rights(_NAMED.get(text, text))
    except RightsMalformed as fault:
        known = ", ".join(_NAMED)
        raise BadInput(
            f"{text!r:.40} are no rights: {known}, or some of {WRITTEN_ORDER}"
        ) from fault


def _holder(tx: WriteTx, text: str) -> AccountId | None:
    return None if text == ANYONE else account_of(tx, text).id


def _mailbox(tx: ReadTx | WriteTx, address: str, name: str) -> tuple[Account, Mailbox]:
    owner = account_of(tx, address)
    mailbox = tx.mailboxes.find(owner.id, mailbox_name(name))
    if mailbox is None:
        raise MailboxMissing(f"{owner.address} has no mailbox {name}")
    return owner, mailbox


def _rows(tx: ReadTx | WriteTx, owner: Account, mailbox: Mailbox) -> list[RightRow]:
    rows = [RightRow(str(owner.address), written_rights(ALL_RIGHTS))]
    for grant in tx.rights.grants(mailbox.id):
        rows.append(RightRow(grant.identifier, written_rights(grant.rights)))
    return rows
