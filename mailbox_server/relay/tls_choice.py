"""What TLS one host must have: DANE before MTA-STS, and what the message itself asks on top.

A pure rule over what was found; `tests/unit/relay/test_tls_choice.py` is its table of cases.
RFC 7672 §2.2, RFC 8461 §5, RFC 8689 §2 and §3.
"""

import enum
from dataclasses import dataclass, replace

from mailbox_server.model.sts_policy import StsMode, StsPolicy
from mailbox_server.model.tls_demand import TlsDemand, TlsLevel, TlsPolicy
from mailbox_server.relay.dane import HostTlsa, Trouble


class TlsWish(enum.Enum):
    """What the message asks for.

    REQUIRED: REQUIRETLS (RFC 8689 §2).  OPTIONAL: `TLS-Required: No` (§3), the domain's
    policies are not to stop it.
    """

    UNSAID = "unsaid"
    REQUIRED = "required"
    OPTIONAL = "optional"


class Unfit(enum.Enum):
    """Why a host must not get the message now."""

    DNSSEC_BROKEN = "its TLSA records cannot be looked up"
    NOT_IN_POLICY = "its name is not in the domain's MTA-STS policy"
    NOT_AUTHENTIC = "nothing vouches for its name, as REQUIRETLS wants"


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What is known of one host of a domain.

    domain_names: the recipient domain, and what it is at the end of its CNAMEs.
    is_named_securely: the MX set was protected by DNSSEC, or the host is the domain itself.
    tlsa: what find_tlsa said.  policy: the domain's, where it has one that counts.
    """

    host: str
    domain_names: tuple[str, ...]
    is_named_securely: bool
    tlsa: HostTlsa | Trouble | None
    policy: StsPolicy | None


def choose(found: Circumstances, wish: TlsWish) -> TlsDemand | Unfit:
    """The demand on the host, or why it must be passed over.

    is_testing is only true for a policy in mode testing.
    """
    if wish is TlsWish.OPTIONAL:
        return _demand(found.host, TlsLevel.OPPORTUNISTIC, TlsPolicy.OPTIONAL)
    if isinstance(found.tlsa, Trouble):
        return Unfit.DNSSEC_BROKEN
    demand = _of_the_domain(found)
    if wish is TlsWish.UNSAID or isinstance(demand, Unfit):
        return demand
    return _required(found, demand)


def choose_for_smart_host(host: str, level: TlsLevel, wish: TlsWish) -> TlsDemand:
    """The demand on a host that an operator chose: what he said, whatever others publish.

    REQUIRETLS raises it all the same (RFC 8689 §4.2.1).
    """
    if wish is TlsWish.REQUIRED:
        return _demand(host, TlsLevel.VERIFIED, TlsPolicy.OPERATOR, must_require_tls=True)
    return _demand(host, level, TlsPolicy.OPERATOR)


def _of_the_domain(found: Circumstances) -> TlsDemand | Unfit:
    """What the domain publishes, alone."""
    tlsa, policy = found.tlsa, found.policy
    if isinstance(tlsa, HostTlsa) and tlsa.associations:
        # MTA-STS has no say where DANE has (RFC 8461 §2).
        names = tuple(dict.fromkeys((tlsa.base, *found.domain_names)))
        return TlsDemand(
            TlsLevel.DANE,
            TlsPolicy.TLSA,
            tlsa.base,
            names,
            tlsa.associations,
            wording=tlsa.wording,
        )
    if policy is not None and policy.is_active:
        is_enforced = policy.mode is StsMode.ENFORCE
        if policy.names(found.host):
            if is_enforced or tlsa is None:
                return _by_policy(found.host, TlsLevel.VERIFIED, policy)
        elif is_enforced:
            return Unfit.NOT_IN_POLICY
        elif tlsa is None:
            return _by_policy(found.host, TlsLevel.OPPORTUNISTIC, policy)
    if isinstance(tlsa, HostTlsa):
        return TlsDemand(
            TlsLevel.ENCRYPTED,
            TlsPolicy.TLSA,
            tlsa.base,
            (tlsa.base,),
            wording=tlsa.wording,
        )
    return _demand(found.host, TlsLevel.OPPORTUNISTIC, TlsPolicy.NO_POLICY)


def _required(found: Circumstances, demand: TlsDemand) -> TlsDemand | Unfit:
    """REQUIRETLS: a name that is vouched for, a verified certificate, and the extension."""
    if demand.level is TlsLevel.DANE:
        return replace(demand, must_require_tls=True)
    policy = found.policy
    is_in_policy = policy is not None and policy.is_active and policy.names(found.host)
    if not found.is_named_securely and not is_in_policy:
        return Unfit.NOT_AUTHENTIC
    if policy is not None and is_in_policy:
        demand = _by_policy(found.host, TlsLevel.VERIFIED, policy)
        return replace(demand, is_testing=False, must_require_tls=True)
    return _demand(found.host, TlsLevel.VERIFIED, TlsPolicy.REQUIRETLS, must_require_tls=True)


def _by_policy(host: str, level: TlsLevel, policy: StsPolicy) -> TlsDemand:
    return TlsDemand(
        level,
        TlsPolicy.STS,
        host,
        (host,),
        is_testing=policy.mode is StsMode.TESTING,
        wording=policy.lines(),
    )


def _demand(
    host: str, level: TlsLevel, policy: TlsPolicy, *, must_require_tls: bool = False
) -> TlsDemand:
    return TlsDemand(level, policy, host, (host,), must_require_tls=must_require_tls)
