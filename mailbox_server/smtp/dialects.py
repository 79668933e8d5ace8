"""What differs between SMTP and LMTP, one literal row each."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Dialect:
    """One way to talk.

    hellos: the verbs that open a session.
    is_lmtp: one reply a recipient at the end of the content (RFC 2033 §4.2).
    counts_errors: whether errors slow a session down and end it; not for LMTP, where the
        peer is our own neighbor and refused recipients are its daily bread.
    """

    name: str
    rfc: str
    hellos: tuple[str, ...]
    is_lmtp: bool
    counts_errors: bool


SMTP: Final = Dialect("smtp", "RFC 5321", ("EHLO", "HELO"), is_lmtp=False, counts_errors=True)
LMTP: Final = Dialect("lmtp", "RFC 2033", ("LHLO",), is_lmtp=True, counts_errors=False)
