"""Threads: which one a new message belongs to (RFC 8621 §3, RFC 8474 §5.2).

A message leads to the oldest thread that an earlier message with the same base subject
left under one of the same message ids; where there is none it opens a thread, whose id is
its own.  A message's thread never changes, so threads never merge.  A message id and the
base subject beside it are one digest of eight octets: two that collide by chance only put
a message beside strangers, and one made to collide does what References could do anyway.
"""

from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import Final

import sqlalchemy as sa

from mailbox_server.model.ids import AccountId
from mailbox_server.store.prepared import Prepared
from mailbox_server.store.schema.messages import thread_link
from mailbox_server.store.transactions import SqlTx

REFERENCES: Final = 100
_KEY_OCTETS: Final = 8

_LINK: Final = Prepared(
    sa.insert(thread_link).values(
        account=sa.bindparam("account"),
        digest=sa.bindparam("digest"),
        thread=sa.bindparam("thread"),
    )
)


@lru_cache(maxsize=8)
def _links(count: int) -> Prepared:
    return Prepared(
        sa.select(thread_link.c.digest, thread_link.c.thread).where(
            thread_link.c.account == sa.bindparam("account"),
            thread_link.c.digest.in_([sa.bindparam(f"d{index}") for index in range(count)]),
        )
    )


def thread_keys(
    subject_base: str, message_id: str | None, references: Sequence[str]
) -> tuple[int, ...]:
    """The digests that lead to the thread, the message's own id first."""
    subject = subject_base.encode("utf-8", "replace")
    ids = dict.fromkeys(references[-REFERENCES:])
    if message_id is not None:
        ids = {message_id: None, **ids}
    return tuple(
        int.from_bytes(
            blake2b(
                one.encode("utf-8", "replace") + b"\0" + subject, digest_size=_KEY_OCTETS
            ).digest(),
            "big",
            signed=True,
        )
        for one in ids
    )


def keys_octets(keys: Sequence[int]) -> bytes:
    """Keys as they are kept beside the message."""
    return b"".join(key.to_bytes(_KEY_OCTETS, "big", signed=True) for key in keys)


def keys_from(octets: bytes) -> tuple[int, ...]:
    """What keys_octets made octets of."""
    return tuple(
        int.from_bytes(octets[start : start + _KEY_OCTETS], "big", signed=True)
        for start in range(0, len(octets), _KEY_OCTETS)
    )


def linked(tx: SqlTx, account: AccountId, keys: Sequence[int]) -> dict[int, int]:
    """The threads that earlier messages left under these keys, by key."""
    if not keys:
        return {}
    # One statement for each power of two; the last key fills it up.
    count = 1 << (len(keys) - 1).bit_length()
    filled = [*keys, *[keys[-1]] * (count - len(keys))]
    values = {f"d{index}": key for index, key in enumerate(filled)}
    return dict(_links(count).rows(tx, account=account, **values))


def link(tx: SqlTx, account: AccountId, keys: Sequence[int], thread: int) -> None:
    """Leave the thread under keys that lead nowhere yet."""
    if keys:
        _LINK.run_each(tx, [{"account": account, "digest": key, "thread": thread} for key in keys])
