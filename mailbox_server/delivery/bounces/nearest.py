"""Find the address that was meant: one slip away, and written to before.

Slips: a letter left out, put in, exchanged for another, or two of them in the wrong order.
So some thousand addresses are asked for at once, by their keys; nothing is searched through.
"""

from collections.abc import Iterator
from typing import Final

from mailbox_server.model.address import Address, Domain, Localpart
from mailbox_server.model.bounce import Cause
from mailbox_server.model.ids import AccountId
from mailbox_server.store.ports import ReadTx

ASKED: Final = 3
"""Recipients of one report for which a near address is looked for, at some 20 ms each."""

LETTERS: Final = "abcdefghijklmnopqrstuvwxyz0123456789-._"
_LONGEST: Final = 40
"""Of what has the slip; longer ones would have too many neighbors."""


def nearest(tx: ReadTx, account: AccountId, address: Address, cause: Cause) -> Address | None:
    """A neighbor to which the account has written, and from which nothing came back."""
    neighbors = list(_neighbors(address, cause))
    if not neighbors:
        return None
    strangers = tx.correspondents.strangers(account, neighbors)
    for neighbor in neighbors:
        if neighbor.key not in strangers and tx.bounces.find(account, neighbor) is None:
            return neighbor
    return None


def _neighbors(address: Address, cause: Cause) -> Iterator[Address]:
    """With a slip in the part that the cause complains of."""
    domain = address.domain
    if not isinstance(domain, Domain):
        return
    if cause is Cause.NO_SUCH_MAILBOX:
        for text in _slips(address.local.key):
            yield Address(Localpart(text), domain)
    elif cause in (Cause.NO_SUCH_DOMAIN, Cause.NO_MAIL_DOMAIN):
        for text in _slips(domain.ascii):
            yield Address(address.local, Domain(text))


def _slips(text: str) -> Iterator[str]:
    """Every text one slip away, none empty; the likelier ones first."""
    if len(text) > _LONGEST:
        return
    size = len(text)
    for at in range(size - 1):
        if text[at] != text[at + 1]:
            yield text[:at] + text[at + 1] + text[at] + text[at + 2 :]
    if size > 1:
        for at in range(size):
            yield text[:at] + text[at + 1 :]
    for at in range(size + 1):
        for letter in LETTERS:
            yield text[:at] + letter + text[at:]
    for at in range(size):
        for letter in LETTERS:
            if letter != text[at]:
                yield text[:at] + letter + text[at + 1 :]
