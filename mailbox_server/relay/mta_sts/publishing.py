"""What a domain of ours publishes so that others protect mail to it: its MTA-STS policy and the
two TXT records that go with policy and reports (RFC 8461 §3, RFC 8460 §3).

The same policy always has the same id, and another policy another one: nobody has to count.
"""

import hashlib
from collections.abc import Sequence
from typing import Final
from urllib.parse import quote

from mailbox_server.model.address import Address, Domain
from mailbox_server.model.sts_policy import STS_VERSION, StsMode, StsPolicy

POLICY_PATH: Final = "/.well-known/mta-sts.txt"
_AGE_SECONDS: Final = 1_209_600
"""Two weeks: what was announced by mistake is over in a bearable time."""
_ID_CHARACTERS: Final = 20


def own_policy(mode: StsMode, hosts: Sequence[Domain]) -> StsPolicy:
    """The policy of a domain whose mail those hosts take; at least one but in mode none."""
    if mode is not StsMode.NONE and not hosts:
        raise ValueError("a policy needs a mail host")
    return StsPolicy(mode, tuple(dict.fromkeys(host.ascii for host in hosts)), _AGE_SECONDS)


def policy_octets(policy: StsPolicy) -> bytes:
    """What the policy host serves at POLICY_PATH as text/plain."""
    return "".join(f"{line}\r\n" for line in policy.lines()).encode("ascii")


def policy_host(domain: Domain) -> str:
    """The host that must serve it over https, with a certificate for this name."""
    return f"mta-sts.{domain.ascii}"


def policy_record(domain: Domain, policy: StsPolicy) -> tuple[str, str]:
    """Name and text of the TXT record that announces the policy."""
    identity = hashlib.sha256(policy_octets(policy)).hexdigest()[:_ID_CHARACTERS]
    return f"_mta-sts.{domain.ascii}", f"v={STS_VERSION}; id={identity};"


def report_record(domain: Domain, mailbox: Address) -> tuple[str, str]:
    """Name and text of the TXT record that asks for TLS reports by mail."""
    local = quote(str(mailbox.local), safe="+=-._~")
    return f"_smtp._tls.{domain.ascii}", f"v=TLSRPTv1; rua=mailto:{local}@{mailbox.domain.ascii}"
