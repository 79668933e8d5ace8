"""GETMETADATA and SETMETADATA: annotations of mailboxes and of the server (RFC 5464 §4)."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from mailbox_server.imap.grammar.lexer import TextForm
from mailbox_server.imap.grammar.metadata_arguments import (
    Depth,
    GetMetadataArguments,
    SetMetadataArguments,
)
from mailbox_server.imap.places import Place, place
from mailbox_server.imap.responses import Outcome, astring, binary_nstring, mailbox, no, ok
from mailbox_server.imap.session import CommandRefused, Session
from mailbox_server.imap.stored_filters import may_store
from mailbox_server.model.account import Account
from mailbox_server.model.errors import NoPermission
from mailbox_server.model.ids import ModSeq
from mailbox_server.model.mailbox import Mailbox, Role
from mailbox_server.model.rights import LOOKUP, WRITE_FLAGS, Rights
from mailbox_server.store.ports import ReadTx, WriteTx

SPECIAL_USE: Final = "/private/specialuse"
"""Shows and sets what a mailbox is for (RFC 6154 §4)."""

SHARED: Final = "/shared/"
ADMIN: Final = "/shared/admin"
_OF_CONTENT: Final = frozenset("rswip")

_USES: Final[Mapping[str, Role]] = {
    "\\" + role.value.lower(): role for role in Role if role is not Role.INBOX
}


async def get_metadata(session: Session, arguments: GetMetadataArguments) -> Outcome:
    """Tell the entries that are asked for, and how long the longest of those left out is."""
    account, name = session.account, arguments.mailbox
    found = await session.store.read(lambda tx: _named(tx, account, name))
    chosen = _chosen(found, arguments.entries, arguments.depth)
    most = arguments.most_octets
    too_long = [] if most is None else [len(v) for v in chosen.values() if v and len(v) > most]
    if too_long:
        chosen = {e: v for e, v in chosen.items() if v is None or most is None or len(v) <= most}
    if chosen:
        await session.send(b"* " + metadata_response(name, chosen, session.text_form) + b"\r\n")
    if too_long:
        return ok("That is all", b"METADATA LONGENTRIES %d" % max(too_long))
    return ok("That is all")


def _named(tx: ReadTx, account: Account, name: str | None) -> dict[str, bytes]:
    if name is None:
        return server_entries(tx, account)
    return mailbox_entries(tx, _annotated(tx, account, name).as_shown, account)


def _annotated(tx: ReadTx | WriteTx, account: Account, name: str) -> Place:
    """The mailbox, where account may see its annotations (RFC 5464 §3.3)."""
    found = place(tx, account, name, LOOKUP)
    if not may_annotate(found.rights):
        raise NoPermission("no right that lets see annotations")
    return found


def may_annotate(rights: Rights) -> bool:
    """Whether these rights let somebody see and set annotations (RFC 5464 §3.3)."""
    return LOOKUP in rights and not rights.isdisjoint(_OF_CONTENT)


def mailbox_entries(tx: ReadTx, found: Mailbox, account: Account) -> dict[str, bytes]:
    """All entries of a mailbox, those that are made up included.

    What is shared is its owner's, what is private the account's.
    """
    entries = tx.annotations.all(account.id, found.id)
    if found.account != account.id:
        shared = tx.annotations.all(found.account, found.id)
        entries |= {entry: value for entry, value in shared.items() if _is_shared(entry)}
    if found.role is not None and found.role is not Role.INBOX:
        entries[SPECIAL_USE] = b"\\" + found.role.value.encode("ascii")
    return entries


def server_entries(tx: ReadTx, account: Account) -> dict[str, bytes]:
    """All entries of the server, as the account sees them; what is shared is ours to say."""
    entries = tx.annotations.all(account.id, None)
    entries[ADMIN] = b"mailto:postmaster@" + account.address.domain.ascii.encode("ascii")
    return entries


def _chosen(
    found: Mapping[str, bytes], asked: Sequence[str], depth: Depth
) -> dict[str, bytes | None]:
    """The entries asked for and those below them; without depth, None for those not there."""
    chosen: dict[str, bytes | None] = {}
    for entry in asked:
        # With a depth, what is not there is not told (RFC 5464 §4.2.2).
        if depth is Depth.ITSELF or entry in found:
            chosen[entry] = found.get(entry)
        chosen.update((each, found[each]) for each in _below(found, entry, depth))
    return chosen


def _below(found: Iterable[str], entry: str, depth: Depth) -> list[str]:
    if depth is Depth.ITSELF:
        return []
    beginning = entry + "/"
    below = [each for each in found if each.startswith(beginning)]
    if depth is Depth.CHILDREN:
        below = [each for each in below if "/" not in each[len(beginning) :]]
    return below


def metadata_response(
    name: str | None, chosen: Mapping[str, bytes | None], form: TextForm
) -> bytes:
    """`METADATA "INBOX" (/private/comment "mine")`; name None for the server."""
    pairs = b" ".join(
        astring(entry.encode("ascii")) + b" " + binary_nstring(value)
        for entry, value in chosen.items()
    )
    return b"METADATA %b (%b)" % (named(name, form), pairs)


def named(name: str | None, form: TextForm) -> bytes:
    """A mailbox, or `""` for the server."""
    return b'""' if name is None else mailbox(name, form)


async def set_metadata(session: Session, arguments: SetMetadataArguments) -> Outcome:
    """Set and remove entries, all of them or none."""
    account, name, values = session.account, arguments.mailbox, arguments.values
    if name is None and any(entry.startswith(SHARED) for entry in values):
        return no("What the server says to all is not yours to set", b"NOPERM")
    if name is None and not all(may_store(entry, value) for entry, value in values.items()):
        return no("That is no search that can be stored", b"CANNOT")

    def work(tx: WriteTx) -> list[ModSeq]:
        found = None if name is None else _annotated(tx, account, name)
        modseqs = []
        for entry, value in values.items():
            if found is None:
                modseqs.append(tx.annotations.set(account.id, None, entry, value))
            elif entry == SPECIAL_USE:
                if found.owner != account.id:
                    raise NoPermission("what a mailbox is for is its owner's to say")
                _set_use(tx, found.mailbox, value)
            else:
                modseq = _set_entry(tx, found, account, entry, value)
                modseqs += [modseq] if modseq is not None else []
        return modseqs

    session.annotations.made(await session.store.write(work))
    return ok("Written")


def _set_entry(
    tx: WriteTx, found: Place, account: Account, entry: str, value: bytes | None
) -> ModSeq | None:
    """The modseq in account; None where the entry is another's.

    Who sets what all read must be allowed to change what all see.
    """
    if found.owner == account.id or not _is_shared(entry):
        return tx.annotations.set(account.id, found.mailbox.id, entry, value)
    found.require(WRITE_FLAGS)
    tx.annotations.set(found.owner, found.mailbox.id, entry, value)
    return None


def _is_shared(entry: str) -> bool:
    return entry.startswith(SHARED)


def _set_use(tx: WriteTx, found: Mailbox, value: bytes | None) -> None:
    """A use of the mailbox is set as an entry; one at a time, and one mailbox for each."""
    role = None
    if value is not None:
        role = _USES.get(value.decode("latin-1").strip().lower())
        if role is None:
            raise CommandRefused(no("That use is not supported", b"USEATTR"))
        holder = tx.mailboxes.by_role(found.account, role)
        if holder is not None and holder.id != found.id:
            raise CommandRefused(no("Another mailbox has that use", b"USEATTR"))
    tx.mailboxes.set_role(found.account, found.name, role)
