"""How many sessions with a domain's mail hosts met its policy, and how the others failed.

What TLS reports are made of (RFC 8460 §4); a row for each day, policy and way to fail.
"""

from dataclasses import dataclass
from datetime import date

from mailbox_server.model.tls_demand import TlsFault, TlsPolicy


@dataclass(frozen=True, slots=True)
class TlsCase:
    """What is counted together.

    day: UTC.  domain: A-labels.  wording: the policy in force, a line each; none without one.
    fault: None where sessions met the policy; then source, host, ip and detail are "" too.
    source: our address; ip: theirs; "" where there was no connection.
    """

    day: date
    domain: str
    policy: TlsPolicy
    wording: tuple[str, ...] = ()
    fault: TlsFault | None = None
    source: str = ""
    host: str = ""
    ip: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class TlsCount:
    """So many sessions of one case."""

    case: TlsCase
    sessions: int
