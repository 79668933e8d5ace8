"""Storing a new message for one account: its rows, its thread, its placements."""

from typing import Any, Final

from mailbox_server.model.ids import AccountId, MessageId, ThreadId, Uid
from mailbox_server.model.keywords import SEEN
from mailbox_server.model.message import Analysis, Placed
from mailbox_server.store.contents import ContentRepository
from mailbox_server.store.keyword_sets import admit, interned, keys_of, spelled
from mailbox_server.store.mailbox_rows import Counters
from mailbox_server.store.message_inserts import (
    draw_uids,
    insert_message,
    place,
    take,
)
from mailbox_server.store.passports import insert_passport
from mailbox_server.store.ports import NewMessage, QuotaRule
from mailbox_server.store.threads import keys_octets, thread_keys
from mailbox_server.store.transactions import SqlTx

_REPLACEMENT: Final = "\ufffd"


def storable(text: str) -> str:
    """Text without NUL and surrogates, which not every database takes."""
    if text.isascii():
        return text.replace("\0", _REPLACEMENT) if "\0" in text else text
    return text.encode("utf-8", "replace").decode("utf-8").replace("\0", _REPLACEMENT)


def _listing(new: NewMessage, analysis: Analysis, keys: tuple[int, ...]) -> dict[str, Any]:
    listed = analysis.listed_fields
    return {
        "sent": analysis.sent,
        "has_attachment": int(analysis.has_attachment),
        "header_octets": analysis.header_octets,
        "subject_base": storable(analysis.subject_base),
        "preview": storable(analysis.preview),
        "thread_keys": keys_octets(keys),
        "trace": new.trace,
        "envelope": analysis.envelope,
        "body_structure": analysis.body_structure,
        "body": analysis.body,
        "listed": None if listed is None else listed.first,
        "listed_rest": None if listed is None else listed.rest,
        "listed_order": None if listed is None else listed.order,
        "parts": analysis.part_table,
    }


def add_message(
    tx: SqlTx,
    contents: ContentRepository,
    owner: AccountId,
    new: NewMessage,
    quota: QuotaRule,
) -> tuple[Placed, ...]:
    """Store one message in one or more mailboxes of the account.

    Raises OverQuota, MailboxMissing, AccountMissing, TooManyKeywords, ContentMissing.
    """
    if not new.targets:
        raise ValueError("a message needs a mailbox to be in")
    analysis = new.analysis
    size = len(new.trace) + contents.size(new.content)
    modseq = take(tx, owner, size, enforce=quota is QuotaRule.ENFORCE)
    contents.hold(new.content)
    names = spelled(tx, owner, new.keywords) if new.keywords else new.keywords
    keyword_set = interned(tx, owner, names)
    keys = thread_keys(analysis.subject_base, analysis.message_id, analysis.references)
    number, thread = insert_message(
        tx,
        owner,
        content=new.content,
        size=size,
        received=new.received.seconds,
        zone_minutes=new.received.zone_minutes,
        sent_day=analysis.sent_day,
        keys=keys,
        listing=_listing(new, analysis, keys),
        header=storable(analysis.search_header),
        body=storable(analysis.search_text),
        cut=analysis.text_is_cut,
        seen=not all(target.deleted for target in new.targets),
        modseq=modseq,
    )
    unseen = int(SEEN not in names)
    shared = int(len(new.targets) > 1)
    placed: list[Placed] = []
    for target in new.targets:
        more = Counters(1, unseen, int(target.deleted), size)
        mailbox, uid, uid_validity = draw_uids(tx, owner, target.mailbox, more, modseq)
        admit(tx, mailbox, keys_of(names))
        place(
            tx,
            owner,
            [
                {
                    "mailbox": mailbox,
                    "uid": uid,
                    "message": number,
                    "keyword_set": keyword_set,
                    "deleted": int(target.deleted),
                    "shared": shared,
                    "size": size,
                    "saved": tx.now,
                    "modseq": modseq,
                }
            ],
        )
        placed.append(Placed(mailbox, uid_validity, Uid(uid), MessageId(number), ThreadId(thread)))
    if new.evidence:
        insert_passport(tx, MessageId(number), new.evidence, new.fingerprint)
    return tuple(placed)
