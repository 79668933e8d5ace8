"""STORE by who is not the mailbox's owner: \\Seen is the reader's, the rest the owner's."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from mailbox_server.model.ids import AccountId, MailboxId, ModSeq
from mailbox_server.model.keywords import SEEN, FlagKind
from mailbox_server.model.uid_set import UidSet
from mailbox_server.store.flags import change_flags
from mailbox_server.store.live_placements import live_among
from mailbox_server.store.mailbox_rows import live_mailbox, stamp_shown
from mailbox_server.store.ports import Edit, FlagChange, FlagOutcome
from mailbox_server.store.seen_runs import changed_among, seen_among, set_seen
from mailbox_server.store.transactions import SqlTx

_ALL_KINDS: Final = frozenset(FlagKind)


def change_flags_as_reader(
    tx: SqlTx,
    mailbox: MailboxId,
    uids: Sequence[int],
    change: FlagChange,
    unchanged_since: ModSeq | None,
    reader: AccountId,
) -> FlagOutcome:
    """Change flags of the live placements among ascending UIDs.

    A message stands, for UNCHANGEDSINCE, where the reader sees it: at the newer of its own
    change and of the reader's \\Seen.  Raises MailboxMissing, TooManyKeywords.
    """
    found = live_mailbox(tx, mailbox)
    live = live_among(tx, found.account, mailbox, uids).uids
    kept = UidSet()
    if unchanged_since is not None:
        kept = changed_among(tx, mailbox, reader, live, unchanged_since)
        live = live.without(kept)
    others = replace(change, names=change.names - {SEEN}, spares=change.spares | {FlagKind.SEEN})
    outcome = FlagOutcome(found.highest_modseq, UidSet())
    replaces = change.edit is Edit.REPLACE and others.spares != _ALL_KINDS
    if others.names or replaces or unchanged_since is not None:
        outcome = change_flags(tx, mailbox, list(live), others, unchanged_since)
    live = live.without(outcome.modified)
    seen = _seen_after(change)
    if seen is not None:
        before = seen_among(tx, mailbox, reader, live)
        moved = live.without(before) if seen else before
        if moved:
            tx.frees()
            modseq = tx.touch(found.account)
            set_seen(tx, mailbox, reader, moved, modseq, seen=seen)
            stamp_shown(tx, mailbox, modseq)
            outcome = replace(outcome, modseq=modseq)
    modified = UidSet.of_ranges([*outcome.modified.ranges, *kept.ranges])
    return replace(outcome, modified=modified, moves=None)


def _seen_after(change: FlagChange) -> bool | None:
    """What becomes of \\Seen; None where it stays."""
    if change.edit is Edit.REPLACE:
        return None if FlagKind.SEEN in change.spares else SEEN in change.names
    if SEEN not in change.names:
        return None
    return change.edit is Edit.ADD
