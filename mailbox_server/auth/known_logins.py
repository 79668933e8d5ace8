"""Whom logins were found to mean that got in, while no domain, account or alias changes.

A client that logs in again costs no look into the store.  An entry is found by login and
password together: only who knows the password is answered faster, so that the time it takes
tells nobody which accounts there are.  It says nothing of whether the password still holds
(verdict_cache), and app passwords, which come and go by themselves, are looked up each time.
"""

from collections import OrderedDict
from typing import Final

from mailbox_server.auth.attempt_digest import AttemptDigest
from mailbox_server.auth.lookup import Found
from mailbox_server.model.ports import Entropy

MOST: Final = 1_000


class KnownLogins:
    """At most MOST of them; the longest unused go first."""

    def __init__(self, entropy: Entropy) -> None:
        self._digest = AttemptDigest(entropy)
        self._found: OrderedDict[bytes, tuple[int, Found]] = OrderedDict()

    def find(self, login: str, password: str, generation: int) -> Found | None:
        """What is found at that Store.owners_generation; None says nothing."""
        key = self._digest.of(login, password)
        known = self._found.get(key)
        if known is None or known[0] != generation:
            return None
        self._found.move_to_end(key)
        return known[1]

    def remember(self, login: str, password: str, found: Found, generation: int) -> None:
        """Keep what was looked up at that generation or later, and got in."""
        key = self._digest.of(login, password)
        self._found[key] = (generation, found)
        self._found.move_to_end(key)
        if len(self._found) > MOST:
            self._found.popitem(last=False)
