"""What differs between SMTP, submission and LMTP, one literal row each."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Dialect:
    """One way to talk.

    hellos: the verbs that open a session.
    is_lmtp: one reply a recipient at the end of the content (RFC 2033 §4.2).
    counts_errors: whether errors slow a session down and end it; not for LMTP, where the
        peer is our own neighbor and refused recipients are its daily bread.
    is_submission: who hands in mail logs in first, and may send to everybody.
    """

    name: str
    rfc: str
    hellos: tuple[str, ...]
    is_lmtp: bool
    counts_errors: bool
    is_submission: bool = False


SMTP: Final = Dialect("smtp", "RFC 5321", ("EHLO", "HELO"), is_lmtp=False, counts_errors=True)
SUBMISSION: Final = Dialect(
    "submission",
    "RFC 6409",
    ("EHLO", "HELO"),
    is_lmtp=False,
    counts_errors=True,
    is_submission=True,
)
LMTP: Final = Dialect("lmtp", "RFC 2033", ("LHLO",), is_lmtp=True, counts_errors=False)
