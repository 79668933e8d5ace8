"""A short memory of which passwords matched, so that clients that reconnect cost no hash.

Keys are digests (attempt_digest) over login, stored hash and password, so a changed password
never hits an old entry.
Both answers are kept.  A wrong password tried again teaches a guesser nothing, and the
answer comes equally fast for logins that do not exist.
"""

from collections import OrderedDict
from datetime import timedelta

from mailbox_server.auth.attempt_digest import AttemptDigest
from mailbox_server.model.ports import Clock, Entropy


class VerdictCache:
    """At most entries verdicts, each for lifetime; the longest unused go first."""

    def __init__(
        self, clock: Clock, entropy: Entropy, lifetime: timedelta, entries: int = 10_000
    ) -> None:
        self._clock = clock
        self._digest = AttemptDigest(entropy)
        self._lifetime_seconds = lifetime.total_seconds()
        self._entries = entries
        self._verdicts: OrderedDict[bytes, tuple[bool, float]] = OrderedDict()

    def key(self, login_key: str, stored: str, password: str) -> bytes:
        """The key of one attempt."""
        return self._digest.of(login_key, stored, password)

    def find(self, key: bytes) -> bool | None:
        """Whether that attempt matched; None where it is not remembered."""
        known = self._verdicts.get(key)
        if known is None:
            return None
        matched, at = known
        if self._clock.monotonic() - at >= self._lifetime_seconds:
            del self._verdicts[key]
            return None
        self._verdicts.move_to_end(key)
        return matched

    def remember(self, key: bytes, *, matched: bool) -> None:
        """Keep a verdict that was just made."""
        self._verdicts[key] = (matched, self._clock.monotonic())
        self._verdicts.move_to_end(key)
        if len(self._verdicts) > self._entries:
            self._verdicts.popitem(last=False)
