"""IMAP URLs that name our own messages: whose they are, and which octets they mean.

Only messages of the account that the URL itself names are found, or of the account whose
session gives a relative one.  What an owner has authorized for others (RFC 4467) is read by
authorized_part, from IMAP and, for what is to be sent (RFC 4468), from submission.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from mailbox_server.auth.lookup import parse_login
from mailbox_server.auth.url_tokens import has_token
from mailbox_server.delivery.message_parts import FoundPart, find_part
from mailbox_server.mime.section_names import read_section
from mailbox_server.mime.sections import Partial
from mailbox_server.model.account import Account, AccountState
from mailbox_server.model.address import Domain
from mailbox_server.model.errors import DomainMalformed
from mailbox_server.model.ids import AccountId, MailboxId
from mailbox_server.model.imap_url import AccessKind, ImapUrl, UrlAccess
from mailbox_server.model.mailbox import Mailbox
from mailbox_server.store.ports import ReadTx

LABELS_MOST: Final = 10
"""Of a host's name so many labels are looked at, from its end."""

_ALL: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class UrlAsker:
    """Who wants to read what a URL means.

    account: as whom it is logged in.
    is_submission: whether it hands in mail for others, and has seen to it that whom the URL
        names is who hands this one in (RFC 4467 §3).
    """

    account: AccountId
    is_submission: bool = False


def url_owner(tx: ReadTx, url: ImapUrl, hostname: str) -> Account | None:
    """The account that an absolute URL names, where its host is ours and it may log in.

    Ours are hostname, the domains that are hosted, and what lies some labels below them:
    clients write the name that they connect to, and there may be several.
    """
    if not url.user or not _is_ours(tx, url.host, hostname):
        return None
    address = parse_login(tx, url.user)
    account = None if address is None else tx.accounts.find(address)
    return account if account is not None and account.state is AccountState.ACTIVE else None


def _is_ours(tx: ReadTx, host: str, hostname: str) -> bool:
    if host == hostname.lower():
        return True
    labels = host.split(".")
    for at in range(max(0, len(labels) - LABELS_MOST), len(labels) - 1):
        try:
            domain = Domain.parse(".".join(labels[at:]))
        except DomainMalformed:
            return False
        if tx.domains.find(domain) is not None:
            return True
    return False


def url_mailbox(tx: ReadTx, account: AccountId, url: ImapUrl) -> Mailbox | None:
    """The mailbox that a URL names, where its UIDs still stand (RFC 5092 §5)."""
    if url.mailbox is None:
        return None
    found = tx.mailboxes.find(account, url.mailbox)
    return found if found is not None and _stands(found, url) else None


def _stands(mailbox: Mailbox, url: ImapUrl) -> bool:
    return url.uid_validity in (None, mailbox.uid_validity)


def url_part(tx: ReadTx, mailbox: MailboxId, url: ImapUrl) -> FoundPart | None:
    """What a URL means in its mailbox; None where the message is not there.

    May read the content: not for a glance.  Raises ContentMissing, ContentDamaged.
    """
    partial = None
    if url.start or url.count is not None:
        partial = Partial(url.start, _ALL if url.count is None else url.count)
    section = read_section(url.section, partial)
    return None if section is None else find_part(tx, mailbox, url.uid, section)


def authorized_part(
    tx: ReadTx, url: ImapUrl, asker: UrlAsker, hostname: str, now: datetime
) -> FoundPart | None:
    """What a URL means whose owner has authorized it for the asker; None for any reason.

    The owner's own access decides, as it is now (RFC 4467 §7).  May read the content.
    Raises ContentMissing, ContentDamaged.
    """
    if url.access is None or url.verifier is None:
        return None
    owner = url_owner(tx, url, hostname)
    mailbox = None if owner is None else url_mailbox(tx, owner.id, url)
    key = None
    if owner is not None and mailbox is not None:
        key = tx.access_keys.find(owner.id, mailbox.id)
    if not has_token(url.verifier, key) or mailbox is None:
        return None
    return url_part(tx, mailbox.id, url) if _may_use(tx, url.access, asker, now) else None


def _may_use(tx: ReadTx, access: UrlAccess, asker: UrlAsker, now: datetime) -> bool:
    if access.expires is not None and now > access.expires:
        return False
    match access.kind:
        case AccessKind.SUBMIT:
            return asker.is_submission
        case AccessKind.USER:
            address = parse_login(tx, access.userid)
            account = None if address is None else tx.accounts.find(address)
            return account is not None and account.id == asker.account
        case AccessKind.AUTHUSER | AccessKind.ANONYMOUS:
            # Nobody logs in without a name here.
            return True
