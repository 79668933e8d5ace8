"""Fetch a domain's MTA-STS policy from its policy host (RFC 8461 §3.3)."""

from dataclasses import dataclass
from typing import Final

from mailbox_server.model.address import Domain
from mailbox_server.model.sts_policy import StsPolicy
from mailbox_server.model.tls_demand import TlsFault
from mailbox_server.net.https_client import HttpsClient, HttpsFailure, HttpsTrouble
from mailbox_server.relay.mta_sts.policy import POLICY_OCTETS, read_policy

FETCH_SECONDS: Final = 10.0
_MEDIA_TYPE: Final = "text/plain"


@dataclass(frozen=True, slots=True)
class FetchFailed:
    """There is no policy to be had now; fault is what the domain's owner is told."""

    fault: TlsFault
    detail: str


def policy_url(domain: Domain) -> str:
    """Where the policy lies."""
    return f"https://mta-sts.{domain.ascii}/.well-known/mta-sts.txt"


async def fetch_policy(domain: Domain, client: HttpsClient) -> StsPolicy | FetchFailed:
    """Ask for the policy; takes at most FETCH_SECONDS and 64 KiB."""
    answer = await client.get(policy_url(domain), POLICY_OCTETS, FETCH_SECONDS)
    if isinstance(answer, HttpsTrouble):
        fault = TlsFault.STS_POLICY_FETCH_ERROR
        if answer.failure is HttpsFailure.CERTIFICATE:
            fault = TlsFault.STS_WEBPKI_INVALID
        elif answer.failure is HttpsFailure.SIZE:
            fault = TlsFault.STS_POLICY_INVALID
        return FetchFailed(fault, f"{answer.failure.value}: {answer.detail}")
    if answer.status != 200:
        return FetchFailed(TlsFault.STS_POLICY_FETCH_ERROR, f"HTTP status {answer.status}")
    if answer.media_type != _MEDIA_TYPE:
        stated = answer.media_type[:80] if answer.media_type.isprintable() else "?"
        return FetchFailed(TlsFault.STS_POLICY_INVALID, f"media type {stated or 'missing'}")
    policy = read_policy(answer.octets)
    if isinstance(policy, str):
        return FetchFailed(TlsFault.STS_POLICY_INVALID, policy)
    return policy
