"""GETMETADATA and SETMETADATA: annotations of mailboxes and of the server (RFC 5464 §4)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from mailbox_server.imap.grammar.lexer import TextForm
from mailbox_server.imap.grammar.metadata_arguments import (
    Depth,
    GetMetadataArguments,
    SetMetadataArguments,
)
from mailbox_server.imap.mailboxes.places import Place, place
from mailbox_server.imap.responses import (
    Outcome,
    astring,
    binary_nstring,
    mailbox,
    no,
    ok,
    untagged,
)
from mailbox_server.imap.search.stored_filters import may_store
from mailbox_server.imap.session import CommandRefused, Session
from mailbox_server.model.account import Account
from mailbox_server.model.errors import NoPermission
from mailbox_server.model.ids import AccountId, MailboxId, ModSeq
from mailbox_server.model.mailbox import GIVEN_ROLES, Mailbox, Role
from mailbox_server.model.rights import LOOKUP, WRITE_FLAGS, Rights
from mailbox_server.store.ports import ReadTx, WriteTx

SPECIAL_USE: Final = "/private/specialuse"
"""Shows and sets what a mailbox is for (RFC 6154 §4)."""

SHARED: Final = "/shared/"
ADMIN: Final = "/shared/admin"
_OF_CONTENT: Final = frozenset("rswip")

_USES: Final[Mapping[str, Role]] = {"\\" + role.value.lower(): role for role in GIVEN_ROLES}


@dataclass(frozen=True, slots=True)
class Entries:
    """The entries of a mailbox or, with None, of the server; only what is asked for is read.

    reader: whose private entries they are.  owner: whose shared entries.
    made_up: those that are not stored, which nobody can set.
    """

    tx: ReadTx
    reader: AccountId
    owner: AccountId
    mailbox: MailboxId | None
    made_up: Mapping[str, bytes]

    def sizes(self) -> dict[str, int]:
        """Octets of each, by name."""
        sizes = self.tx.annotations.sizes(self.reader, self.mailbox)
        if self.owner != self.reader:
            shared = self.tx.annotations.sizes(self.owner, self.mailbox)
            sizes.update((entry, size) for entry, size in shared.items() if _is_shared(entry))
        sizes.update((entry, len(value)) for entry, value in self.made_up.items())
        return dict(sorted(sizes.items()))

    def value(self, entry: str) -> bytes | None:
        """The value of one; None where there is none of that name."""
        if entry in self.made_up:
            return self.made_up[entry]
        account = self.owner if _is_shared(entry) else self.reader
        return self.tx.annotations.value(account, self.mailbox, entry)


@dataclass(frozen=True, slots=True)
class _Told:
    """values: None for entries that are not there.  longest: octets of the longest left out."""

    values: Mapping[str, bytes | None]
    longest: int | None


async def get_metadata(session: Session, arguments: GetMetadataArguments) -> Outcome:
    """Tell the entries that are asked for, and how long the longest of those left out is."""
    account, name = session.account, arguments.mailbox
    told = await session.store.read(lambda tx: _told(_named(tx, account, name), arguments))
    if told.values:
        response = metadata_response(name, told.values, session.text_form)
        await session.send(untagged(response))
    if told.longest is not None:
        return ok("That is all", b"METADATA LONGENTRIES %d" % told.longest)
    return ok("That is all")


def _named(tx: ReadTx, account: Account, name: str | None) -> Entries:
    if name is None:
        # What is shared is ours to say.
        admin = b"mailto:postmaster@" + account.address.domain.ascii.encode("ascii")
        return Entries(tx, account.id, account.id, None, {ADMIN: admin})
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


def mailbox_entries(tx: ReadTx, found: Mailbox, account: Account) -> Entries:
    """The entries of a mailbox, as the account sees them."""
    made_up = {}
    if found.role is not None and found.role is not Role.INBOX:
        made_up[SPECIAL_USE] = b"\\" + found.role.value.encode("ascii")
    return Entries(tx, account.id, found.account, found.id, made_up)


def _told(entries: Entries, arguments: GetMetadataArguments) -> _Told:
    sizes, most = entries.sizes(), arguments.most_octets
    chosen = _chosen(sizes, arguments.entries, arguments.depth)
    left_out = {each for each in chosen if most is not None and sizes.get(each, 0) > most}
    values = {
        each: entries.value(each) if each in sizes else None
        for each in chosen
        if each not in left_out
    }
    return _Told(values, max((sizes[each] for each in left_out), default=None))


def _chosen(found: Mapping[str, int], asked: Sequence[str], depth: Depth) -> list[str]:
    """The entries asked for and those below them, each once."""
    chosen: dict[str, None] = {}
    for entry in asked:
        # With a depth, what is not there is not told (RFC 5464 §4.2.2).
        if depth is Depth.ITSELF or entry in found:
            chosen[entry] = None
        chosen.update(dict.fromkeys(_below(found, entry, depth)))
    return list(chosen)


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

    def work(tx: WriteTx) -> tuple[list[ModSeq], str | None]:
        found = None if name is None else _annotated(tx, account, name)
        modseqs, unused = [], None
        for entry, value in values.items():
            if found is None:
                modseqs.append(tx.annotations.set(account.id, None, entry, value))
            elif entry == SPECIAL_USE:
                if found.owner != account.id:
                    raise NoPermission("what a mailbox is for is its owner's to say")
                unused = _set_use(tx, found.mailbox, value)
            else:
                modseq = _set_entry(tx, found, account, entry, value)
                modseqs += [modseq] if modseq is not None else []
        return modseqs, unused

    modseqs, unused = await session.store.write(work)
    session.annotations.made(modseqs)
    if unused is not None:
        session.respond(metadata_response(unused, {SPECIAL_USE: None}, session.text_form))
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


def _set_use(tx: WriteTx, found: Mailbox, value: bytes | None) -> str | None:
    """A use of the mailbox is set as an entry; one at a time, and one mailbox for each.

    Returns the mailbox that it is taken from, if any (RFC 6154 §5.4).
    """
    role, holder = None, None
    if value is not None:
        role = _USES.get(value.decode("latin-1").strip().lower())
        if role is None:
            raise CommandRefused(no("That use is not supported", b"USEATTR"))
        holder = tx.mailboxes.by_role(found.account, role)
    if holder is None or holder.id == found.id:
        tx.mailboxes.set_role(found.account, found.name, role)
        return None
    tx.mailboxes.set_role(found.account, holder.name, None)
    tx.mailboxes.set_role(found.account, found.name, role)
    return holder.name
