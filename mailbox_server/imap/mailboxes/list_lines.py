"""The LIST response: what a name is, told in full (RFC 5258 §3, RFC 6154 §2, RFC 3348)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from mailbox_server.imap.mailboxes.places import places_of_others
from mailbox_server.imap.responses import string
from mailbox_server.model.account import Account
from mailbox_server.model.mailbox import SEPARATOR, Mailbox, Role
from mailbox_server.model.rights import READ
from mailbox_server.store.ports import ReadTx

SEPARATOR_STRING: Final = string(SEPARATOR.encode("ascii"))


@dataclass(frozen=True, slots=True)
class Names:
    """The account's names from one snapshot.

    parents: every level above a mailbox, whether or not it is one itself.
    unreadable: mailboxes of others that may be looked up and not be selected.
    """

    mailboxes: Mapping[str, Mailbox]
    subscribed: frozenset[str]
    parents: frozenset[str]
    unreadable: frozenset[str] = frozenset()

    @classmethod
    def of(
        cls,
        mailboxes: Iterable[Mailbox],
        subscribed: frozenset[str],
        unreadable: frozenset[str] = frozenset(),
    ) -> "Names":
        """From the mailboxes and the subscriptions."""
        by_name = {found.name: found for found in mailboxes}
        return cls(by_name, subscribed, frozenset(levels_above(by_name)), unreadable)


def names_of(
    tx: ReadTx, account: Account, beginning: str, own: Iterable[Mailbox] | None = None
) -> Names:
    """The names that an account may look up and that begin so, and perhaps more of others'.

    own: the account's mailboxes, where they were read already.
    """
    others = places_of_others(tx, account.id)
    return Names.of(
        (
            *(tx.mailboxes.all(account.id, beginning) if own is None else own),
            *(found.as_shown for found in others),
        ),
        frozenset(tx.mailboxes.subscriptions(account.id, beginning)),
        frozenset(found.shown for found in others if READ not in found.rights),
    )


def levels_above(names: Iterable[str]) -> set[str]:
    """Every level above the names."""
    parents = set()
    for name in names:
        while SEPARATOR in name:
            name = name.rpartition(SEPARATOR)[0]
            if name in parents:
                break
            parents.add(name)
    return parents


def attributes_of(
    name: str, names: Names, *, is_extended: bool, shows_subscribed: bool
) -> list[str]:
    """CHILDREN and special uses are told in every LIST: clients without options need them.

    is_extended: whether the client knows \\NonExistent.
    """
    attributes = []
    found = names.mailboxes.get(name)
    if found is None:
        # Clients that send no options may not know the stronger one (RFC 5258 §3).
        is_level = name in names.parents and not is_extended
        attributes.append("\\Noselect" if is_level else "\\NonExistent")
    elif name in names.unreadable:
        # RFC 5819 §2 asks for it where STATUS cannot be told.
        attributes.append("\\Noselect")
    attributes.append("\\HasChildren" if name in names.parents else "\\HasNoChildren")
    use = use_of(found)
    if use is not None:
        attributes.append("\\" + use.value)
    if shows_subscribed and name in names.subscribed:
        attributes.append("\\Subscribed")
    return attributes


def use_of(found: Mailbox | None) -> Role | None:
    """Its special use; INBOX has none in IMAP (RFC 6154 §2)."""
    return None if found is None or found.role is Role.INBOX else found.role


def list_line(
    attributes: Sequence[str],
    written: bytes,
    information: bytes = b"",
    *,
    old_name: bytes | None = None,
    command: bytes = b"LIST",
) -> bytes:
    """A whole line.

    written, old_name: names, ready.  information: what stands behind the name, old_name
    among it.
    """
    if old_name is not None:
        information += b" (" + string(b"OLDNAME") + b" (" + old_name + b"))"
    flags = " ".join(attributes).encode("ascii")
    return b"* %b (%b) %b %b%b\r\n" % (command, flags, SEPARATOR_STRING, written, information)
