"""As which domain of ours reports are sent: one whose keys sign them.

Reports by mail must be signed by the domain that reports, and others are not read (RFC 8460
§3).  So the domain in From and in all fields is the one in `d=`: our host name or a domain
above it, or else the oldest that we host; one whose key stands in the DNS before the others.
"""

from mailbox_server.model.address import Domain
from mailbox_server.store.ports import ReadTx


def reporting_domain(tx: ReadTx, hostname: Domain) -> Domain | None:
    """The domain; None where none of ours has keys.  Point queries, one or two a domain."""
    unpublished = None
    hosted = sorted(tx.domains.all(), key=lambda one: one.created)
    for domain in (*_and_above(hostname), *(one.domain for one in hosted)):
        keys = tx.dkim_keys.signing(domain)
        if any(key.seen is not None for key in keys):
            return domain
        if keys and unpublished is None:
            unpublished = domain
    return unpublished


def _and_above(hostname: Domain) -> list[Domain]:
    """The name and those above it that have two labels or more."""
    labels = hostname.ascii.split(".")
    return [Domain(".".join(labels[start:])) for start in range(max(len(labels) - 1, 1))]
