"""The keys that hosted domains sign their mail with, in the store (RFC 6376)."""

from datetime import datetime
from typing import Protocol

from mailbox_server.model.address import Domain
from mailbox_server.model.dkim_key import DkimKey, KeyState, NewDkimKey
from mailbox_server.model.ids import DkimKeyId


class DkimKeyReader(Protocol):
    """Signing keys, their private parts included."""

    def all(self, domain: Domain | None = None) -> list[DkimKey]:
        """The keys of a domain, or all there are: by domain, then as they were made."""

    def signing(self, domain: Domain) -> list[DkimKey]:
        """What a domain signs with now, RSA first; a few rows by an index."""


class DkimKeyWriter(DkimKeyReader, Protocol):
    """Signing keys, to change; a domain takes its own along when it is removed."""

    def add(self, new: NewDkimKey, state: KeyState, now: datetime) -> DkimKey:
        """Keep a key pair.  Raises DomainMissing, DkimKeyExists (the selector is taken)."""

    def set_state(self, key: DkimKeyId, state: KeyState, now: datetime) -> None:
        """Bring a key to another state; silent where it is gone."""

    def saw(self, key: DkimKeyId, at: datetime | None) -> None:
        """Remember since when its record stands in the DNS; silent where the key is gone."""

    def remove(self, key: DkimKeyId) -> None:
        """Forget a key pair; silent where it is gone."""
