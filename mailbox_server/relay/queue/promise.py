"""When mail that nobody would hear of goes on without the promise of TLS (RFC 8689 §5).

A bounce about mail under REQUIRETLS goes under REQUIRETLS as well, and gives back no more
than the header.  Where the way back knows no REQUIRETLS, it is not to be lost for that: once
it could not go with the promise it goes without, as the domain's own policies have it.
"""

from typing import Final

from mailbox_server.model.address import ReversePath
from mailbox_server.model.outbound import Attempt, Departure, Finding, Outbound

_WORDED: Final = frozenset(("7.5", "7.10", "7.30"))
"""Subjects and details of our own words that the way is not safe (own_replies, hop_replies)."""


def is_required(job: Outbound, departure: Departure, reverse_path: ReversePath) -> bool:
    """Whether the next attempt goes under REQUIRETLS; reverse_path: that of the recipient."""
    if not departure.require_tls or reverse_path.address is not None:
        return departure.require_tls
    return job.last is None or not is_for_want_of_it(job.last)


def goes_without(attempt: Attempt, departure: Departure, reverse_path: ReversePath) -> bool:
    """Whether a refusal is only one of the promise, so that it is tried without at once."""
    return (
        attempt.finding is Finding.REFUSED
        and departure.require_tls
        and reverse_path.address is None
        and is_for_want_of_it(attempt)
    )


def is_for_want_of_it(attempt: Attempt) -> bool:
    """Whether we broke off ourselves because the way is not as safe as was asked.

    What other mail came upon says nothing of it: that may have asked for less.
    """
    _, _, what = attempt.reply.enhanced.partition(".")
    return not attempt.is_theirs and not attempt.is_shared and what in _WORDED
