"""The port to who counts failures of TLS that a domain's owner is to be told of (RFC 8460)."""

from typing import Protocol

from mailbox_server.model.tls_demand import TlsFault, TlsPolicy


class Witness(Protocol):
    """Counts what went wrong before there was a session (relay.tls_reports.tally)."""

    def failed(
        self,
        domain: str,
        policy: TlsPolicy,
        wording: tuple[str, ...],
        fault: TlsFault,
        host: str,
        detail: str,
    ) -> None:
        """A host was passed over, or a policy could not be had.

        wording: the policy, a line each, as far as it is known.  host: "" where none is meant.
        """
