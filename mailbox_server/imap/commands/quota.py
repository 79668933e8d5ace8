"""GETQUOTA and GETQUOTAROOT: what an account holds and may hold (RFC 9208).

An account is one quota root, named by its address; one without a limit has none.
"""

from typing import Final

from mailbox_server.imap.grammar.lexer import TextForm
from mailbox_server.imap.grammar.mailbox_arguments import MailboxArguments
from mailbox_server.imap.responses import Outcome, mailbox, no, ok, text
from mailbox_server.imap.session import Session
from mailbox_server.model.account import Account, Usage
from mailbox_server.model.errors import AccountMissing
from mailbox_server.store.ports import ReadTx

KIB: Final = 1024


async def quota(session: Session, root: str) -> Outcome:
    """Tell usage and limit of a root."""
    account, usage = _now(session)
    if root != str(account.address) or not account.quota_octets:
        return no("There is no such quota root", b"NONEXISTENT")
    session.respond(_quota(account, usage, session.text_form))
    return ok("That is all")


async def quota_root(session: Session, arguments: MailboxArguments) -> Outcome:
    """Tell the roots of a mailbox, which need not exist, and their usage and limits."""
    account, usage = _now(session)
    named = b"QUOTAROOT " + mailbox(arguments.mailbox, session.text_form)
    if not account.quota_octets:
        session.respond(named)
        return ok("That is all")
    session.respond(named + b" " + _root(account, session.text_form))
    session.respond(_quota(account, usage, session.text_form))
    return ok("That is all")


def _now(session: Session) -> tuple[Account, Usage]:
    number = session.account.id

    def work(tx: ReadTx) -> tuple[Account, Usage]:
        found = tx.accounts.get(number)
        if found is None:
            raise AccountMissing("the account was removed")
        return found, tx.accounts.usage(number)

    return session.store.glance(work)


def _root(account: Account, form: TextForm) -> bytes:
    return text(str(account.address), form)


def _quota(account: Account, usage: Usage, form: TextForm) -> bytes:
    """STORAGE counts units of 1,024 octets, begun ones in full (RFC 9208 §5.1)."""
    used = -(-usage.octets // KIB)
    limit = account.quota_octets // KIB
    return b"QUOTA %b (STORAGE %d %d)" % (_root(account, form), used, limit)
