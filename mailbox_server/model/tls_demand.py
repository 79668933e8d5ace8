"""What protection one connection to one host must have before mail goes over it."""

import enum
from dataclasses import dataclass

from mailbox_server.model.envelope import TlsState


class TlsLevel(enum.Enum):
    """How much, in rising order."""

    NONE = "none"
    OPPORTUNISTIC = "opportunistic"
    ENCRYPTED = "encrypted"
    VERIFIED = "verified"
    DANE = "dane"


class TlsPolicy(enum.Enum):
    """Who asks for it; the value is what TLS-RPT calls it (RFC 8460 §4.2) or our own word."""

    NO_POLICY = "no-policy-found"
    STS = "sts"
    TLSA = "tlsa"
    OPERATOR = "operator"
    REQUIRETLS = "requiretls"
    OPTIONAL = "tls-required-no"


@dataclass(frozen=True, slots=True)
class Association:
    """One TLSA record that can be used (RFC 7672 §3.1): usage 2 or 3."""

    usage: int
    selector: int
    matching_type: int
    octets: bytes


@dataclass(frozen=True, slots=True)
class TlsDemand:
    """The one answer of DANE, MTA-STS, REQUIRETLS and configuration for one host.

    names: reference identifiers of the certificate (A-labels); for VERIFIED the host itself
        mostly, for DANE those of RFC 7672 §3.2.2.
    associations: for DANE.  server_name: the SNI.
    must_require_tls: the host must offer REQUIRETLS (RFC 8689 §4.2.1).
    is_testing: a failure is counted, and the mail goes all the same (RFC 8461 §5, mode testing).
    wording: the domain's own policy, a line each, for the report that it gets (RFC 8460 §4).
    """

    level: TlsLevel
    policy: TlsPolicy
    server_name: str
    names: tuple[str, ...] = ()
    associations: tuple[Association, ...] = ()
    must_require_tls: bool = False
    is_testing: bool = False
    wording: tuple[str, ...] = ()


class TlsFault(enum.Enum):
    """What failed, in the words of RFC 8460 §4.3."""

    STARTTLS_NOT_SUPPORTED = "starttls-not-supported"
    CERTIFICATE_HOST_MISMATCH = "certificate-host-mismatch"
    CERTIFICATE_EXPIRED = "certificate-expired"
    CERTIFICATE_NOT_TRUSTED = "certificate-not-trusted"
    VALIDATION_FAILURE = "validation-failure"
    TLSA_INVALID = "tlsa-invalid"
    DNSSEC_INVALID = "dnssec-invalid"
    DANE_REQUIRED = "dane-required"
    STS_POLICY_FETCH_ERROR = "sts-policy-fetch-error"
    STS_POLICY_INVALID = "sts-policy-invalid"
    STS_WEBPKI_INVALID = "sts-webpki-invalid"


@dataclass(frozen=True, slots=True)
class TlsResult:
    """How one connection met its demand: fault None where it did."""

    tls: TlsState | None
    fault: TlsFault | None = None
    detail: str = ""
