"""What the DNS said, as values: found, absent, or trouble; never an exception.

Host names in answers are text: A-labels, lower case, no trailing dot.  They are whatever
the zone holds and need not be valid mail domains.
"""

import enum
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


class Outcome(enum.Enum):
    """How a question ended."""

    FOUND = "found"
    NO_DOMAIN = "the name does not exist"
    NO_DATA = "the name has no such record"
    TROUBLE = "no answer could be had now"


@dataclass(frozen=True, slots=True)
class Answer(Generic[T]):
    """The answer to one question.

    records: in the order of the answer; never empty when found, empty otherwise.
    authenticated: DNSSEC-validated by a resolver that we trust (AD bit, RFC 6840 §5.7);
        also meaningful for the two outcomes that say something is absent.
    canonical: the name at the end of the CNAME chain, or the name asked for.
    reason: for TROUBLE, what happened, for our log.
    """

    outcome: Outcome
    records: tuple[T, ...] = ()
    authenticated: bool = False
    canonical: str = ""
    reason: str = ""

    @property
    def is_trouble(self) -> bool:
        """Whether to try again later, instead of believing that there is nothing."""
        return self.outcome is Outcome.TROUBLE

    @property
    def is_void(self) -> bool:
        """Whether the DNS said with certainty that there is nothing (RFC 7208 §4.6.4)."""
        return self.outcome in (Outcome.NO_DOMAIN, Outcome.NO_DATA)


@dataclass(frozen=True, slots=True)
class MailExchanger:
    """One MX record (RFC 5321 §5.1); host "" is the null MX: no mail here (RFC 7505)."""

    preference: int
    host: str


@dataclass(frozen=True, slots=True)
class TlsaRecord:
    """One TLSA record (RFC 6698 §2.1), numbers as in the zone, not checked for sense."""

    usage: int
    selector: int
    matching_type: int
    association: bytes


@dataclass(frozen=True, slots=True)
class ServiceRecord:
    """One SRV record (RFC 2782); target "" says that the service is decidedly not there."""

    priority: int
    weight: int
    port: int
    target: str
