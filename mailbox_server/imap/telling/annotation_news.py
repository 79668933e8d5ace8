"""Entries that others set or remove, as one session is to hear of them (RFC 5464 §4.4)."""

from collections.abc import Iterable
from typing import NamedTuple

from mailbox_server.imap.mailboxes.places import name_for
from mailbox_server.model.ids import AccountId, ModSeq
from mailbox_server.store.ports import ReadTx, Store


class Annotated(NamedTuple):
    """An entry that was set or removed; name: of the mailbox, None for the server."""

    modseq: ModSeq
    name: str | None
    entry: str


class AnnotationNews:
    """How far one session was told; costs nothing until it watches.

    has_rung: whether take may find something.
    """

    __slots__ = ("_account", "_own", "_told", "has_rung")

    def __init__(self) -> None:
        self._account: AccountId | None = None
        self._told = ModSeq(0)
        self._own: set[ModSeq] = set()
        self.has_rung = False

    def watch(self, store: Store, account: AccountId) -> None:
        """Hear of what changes from now on."""
        if self._account is None:
            self._account = account
            self._told = store.glance(lambda tx: tx.changes.state(account).stamp)

    def made(self, modseqs: Iterable[ModSeq]) -> None:
        """These writes were this session's own: it need not hear of them."""
        if self._account is not None:
            self._own.update(modseqs)

    def rang(self) -> bool:
        """The account has changed; whether anybody watches."""
        self.has_rung = self._account is not None
        return self.has_rung

    def take(self, store: Store) -> list[Annotated]:
        """What others did since last time, oldest first."""
        account, after = self._account, self._told
        if not self.has_rung or account is None:
            return []
        self.has_rung = False
        found = store.glance(lambda tx: _annotated(tx, account, after))
        news = [each for each in found if each.modseq not in self._own]
        self._told = max((after, *(each.modseq for each in found)))
        self._own = {at for at in self._own if at > self._told}
        return news


def _annotated(tx: ReadTx, account: AccountId, after: ModSeq) -> list[Annotated]:
    found: list[Annotated] = []
    for modseq, changed in tx.annotations.changed(account, after):
        if changed.mailbox is None:
            found.append(Annotated(modseq, None, changed.entry))
            continue
        held = tx.mailboxes.get(changed.mailbox)
        name = None if held is None else name_for(tx, held, account)
        if name is not None:
            found.append(Annotated(modseq, name, changed.entry))
    return found
