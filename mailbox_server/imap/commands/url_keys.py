"""RESETKEY and GENURLAUTH: URLs with which others may read what is ours (RFC 4467 §7)."""

from collections.abc import Callable, Sequence
from typing import Final

from mailbox_server.auth.url_tokens import INTERNAL, KEY_OCTETS, url_token
from mailbox_server.delivery.message_urls import url_mailbox, url_owner
from mailbox_server.imap.grammar.url_arguments import ResetKeyArguments, Rump
from mailbox_server.imap.responses import CRLF, Outcome, bad, no, ok, string
from mailbox_server.imap.session import CommandRefused, Session
from mailbox_server.mime.section_names import read_section
from mailbox_server.model.errors import MailboxMissing, UrlMalformed
from mailbox_server.model.ids import AccountId, MailboxId
from mailbox_server.model.imap_url import ImapUrl, parse_imap_url
from mailbox_server.store.ports import ReadTx, WriteTx

_UNKNOWN: Final = no("INTERNAL is the only mechanism here", b"CANNOT")
_NO_URL: Final = bad("That is no URL of a message")
_NO_OWNER: Final = bad("The URL must name this server and you as the owner")
_NO_ACCESS: Final = bad("The URL must end with for whom it is")
_NO_MAILBOX: Final = bad("There is no such mailbox, or its UIDs are others by now")
_NO_SECTION: Final = bad("There is no section of that name")


async def reset_key(session: Session, arguments: ResetKeyArguments) -> Outcome:
    """Make what was authorized before worthless, of one mailbox or of all."""
    if any(mechanism != INTERNAL for mechanism in arguments.mechanisms):
        return _UNKNOWN
    account, name, resets = session.account.id, arguments.mailbox, session.services.key_resets
    if name is None:
        await session.store.write(lambda tx: tx.access_keys.remove_all(account))
        resets.tell(account, None)
        return ok("All keys were removed")
    key = session.services.entropy.octets(KEY_OCTETS)

    def work(tx: WriteTx) -> MailboxId:
        found = tx.mailboxes.find(account, name)
        if found is None:
            raise MailboxMissing("a key of a mailbox that does not exist")
        tx.access_keys.set(account, found.id, key)
        return found.id

    code = session.url_mechanisms
    # Whose client reads of it in the reply need not be told again.
    resets.tell(account, await session.store.write(work), session.key_watch if code else None)
    return ok("There is a new key", code)


async def gen_url_auth(session: Session, arguments: Sequence[Rump]) -> Outcome:
    """Authorize all URLs or none; a mailbox that has no key yet gets one."""
    if any(rump.mechanism != INTERNAL for rump in arguments):
        return _UNKNOWN
    urls = [_admitted(rump) for rump in arguments]
    account, host = session.account.id, session.services.hostname
    # A read each: many URLs keep nobody waiting.
    mailboxes = [await session.store.read(_mailbox(account, host, url)) for url in urls]
    keys = await _keys(session, mailboxes)
    authorized = [
        string(b"%b:%b:%b" % (rump.url, INTERNAL.encode(), url_token(keys[mailbox], rump.url)))
        for rump, mailbox in zip(arguments, mailboxes, strict=True)
    ]
    await session.send(b"* GENURLAUTH " + b" ".join(authorized) + CRLF)
    return ok("Authorized")


def _admitted(rump: Rump) -> ImapUrl:
    """The URL, as far as it can be judged by itself.  Raises CommandRefused."""
    try:
        url = parse_imap_url(rump.url)
    except UrlMalformed as fault:
        raise CommandRefused(_NO_URL) from fault
    if url.access is None or url.verifier is not None:
        raise CommandRefused(_NO_ACCESS)
    if read_section(url.section) is None:
        raise CommandRefused(_NO_SECTION)
    return url


def _mailbox(account: AccountId, hostname: str, url: ImapUrl) -> Callable[[ReadTx], MailboxId]:
    """The mailbox whose key counts; for whom the URL shall be is not looked at.

    Nobody learns who has an account here (RFC 4467 §7).  Raises CommandRefused.
    """

    def work(tx: ReadTx) -> MailboxId:
        owner = url_owner(tx, url, hostname)
        if owner is None or owner.id != account:
            raise CommandRefused(_NO_OWNER)
        mailbox = url_mailbox(tx, account, url)
        if mailbox is None:
            raise CommandRefused(_NO_MAILBOX)
        return mailbox.id

    return work


async def _keys(session: Session, mailboxes: Sequence[MailboxId]) -> dict[MailboxId, bytes]:
    account = session.account.id
    wanted = dict.fromkeys(mailboxes)
    found = await session.store.read(
        lambda tx: {mailbox: tx.access_keys.find(account, mailbox) for mailbox in wanted}
    )
    fresh = {
        mailbox: session.services.entropy.octets(KEY_OCTETS)
        for mailbox, key in found.items()
        if key is None
    }
    made = await session.store.write(lambda tx: _made(tx, account, fresh)) if fresh else {}
    return {mailbox: made[mailbox] if key is None else key for mailbox, key in found.items()}


def _made(tx: WriteTx, account: AccountId, fresh: dict[MailboxId, bytes]) -> dict[MailboxId, bytes]:
    """Put the keys where still none is; the keys that count.  Raises CommandRefused."""
    keys = {}
    for mailbox, key in fresh.items():
        if tx.mailboxes.get(mailbox) is None:
            raise CommandRefused(_NO_MAILBOX)
        found = tx.access_keys.find(account, mailbox)
        if found is None:
            tx.access_keys.set(account, mailbox, key)
        keys[mailbox] = key if found is None else found
    return keys
