"""When a domain's keys change: a pure function of the keys, what the DNS shows, and time.

A key pair begins as WAITING: its record is to be published, by hand for now.  Once the record
has stood in the DNS for `lead`, so that no cache says otherwise, the key signs and the one
before is RETIRED; the record of a retired key stays useful for `keep`, for mail on its way.
While the new record does not show up the old key goes on, for ever if need be.  The first
keys of a domain sign at once: no older one could, and a signature whose key is missing counts
as none (RFC 6376 §6.1.2, §6.3).
"""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from mailbox_server.checks.dkim.tag_list import read_tags, unfolded
from mailbox_server.model.dkim_key import DkimKey, KeyAlgorithm, KeyState

RECORD_OCTETS: Final = 8_192


@dataclass(frozen=True, slots=True)
class RotationRules:
    """What an operator settles about signing keys.

    every: the age at which a key is followed by a new one; None for never by itself.
    """

    every: timedelta | None = timedelta(days=180)
    lead: timedelta = timedelta(days=2)
    keep: timedelta = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Make:
    """Make a key pair; the first of its algorithm signs at once, later ones wait."""

    algorithm: KeyAlgorithm
    state: KeyState


@dataclass(frozen=True, slots=True)
class Promote:
    """Sign with a key that waited, and retire the one before."""

    key: DkimKey
    before: DkimKey | None


@dataclass(frozen=True, slots=True)
class Forget:
    """Forget a retired key; its record may go from the DNS."""

    key: DkimKey


Step = Make | Promote | Forget


def due(keys: Sequence[DkimKey], rules: RotationRules, now: datetime) -> list[Step]:
    """What is to be done for one domain, of which these are all keys."""
    steps: list[Step] = []
    for algorithm in KeyAlgorithm:
        signing = present(keys, algorithm, KeyState.SIGNING)
        waiting = present(keys, algorithm, KeyState.WAITING)
        if waiting is not None:
            is_ready = waiting.seen is not None and now - waiting.seen >= rules.lead
            if signing is None or is_ready:
                steps.append(Promote(waiting, signing))
        elif signing is None:
            steps.append(Make(algorithm, KeyState.SIGNING))
        elif rules.every is not None and now - signing.since >= rules.every:
            steps.append(Make(algorithm, KeyState.WAITING))
    steps += [
        Forget(key)
        for key in keys
        if key.state is KeyState.RETIRED and now - key.since >= rules.keep
    ]
    return steps


def present(keys: Sequence[DkimKey], algorithm: KeyAlgorithm, state: KeyState) -> DkimKey | None:
    """The key of that algorithm in that state; the newest where there are several."""
    found = [key for key in keys if key.algorithm is algorithm and key.state is state]
    return found[-1] if found else None


def publishes(record: bytes, key: DkimKey) -> bool:
    """Whether a TXT record, its strings joined, publishes this very key (RFC 6376 §3.6.1)."""
    if len(record) > RECORD_OCTETS:
        return False
    tags = read_tags(record.decode("utf-8", "replace"))
    if tags is None or tags.get("v", "DKIM1") != "DKIM1":
        return False
    if tags.get("k", KeyAlgorithm.RSA.value) != key.algorithm.value:
        return False
    try:
        return base64.b64decode(unfolded(tags.get("p", "")), validate=True) == key.public
    except (binascii.Error, ValueError):
        return False
