"""One day's TLS report for one domain, as the JSON of RFC 8460 §4.4 and as mail (§5.3)."""

import gzip
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

from mailbox_server.mime.composing import begin_message
from mailbox_server.model.address import Address, Domain, Localpart
from mailbox_server.model.tls_count import TlsCase, TlsCount
from mailbox_server.model.tls_demand import TlsPolicy

MEDIA_TYPE: Final = "application/tlsrpt+gzip"
_TOKEN_CHARACTERS: Final = 16
_MX: Final = "mx: "
_POSTMASTER: Final = Localpart("postmaster")


@dataclass(frozen=True, slots=True)
class Submitter:
    """Who reports: a domain of ours that signs (reporting_domain), or our host name."""

    domain: Domain

    @property
    def contact(self) -> Address:
        """Who answers, and who sends: aligned with the signature."""
        return Address(_POSTMASTER, self.domain)


@dataclass(frozen=True, slots=True)
class Report:
    """What one domain is told of one day.

    counts: at least one; those of each policy together.
    """

    domain: str
    day: date
    counts: Sequence[TlsCount]
    submitter: Submitter

    @property
    def id(self) -> str:
        """Always the same for a domain and day, so that a repetition can be told."""
        text = f"{self.submitter.domain}!{self.domain}!{self.day}"
        token = hashlib.sha256(text.encode()).hexdigest()[:_TOKEN_CHARACTERS]
        return f"{self.day:%Y%m%d}.{token}@{self.submitter.domain}"

    @property
    def begin(self) -> datetime:
        """The first second."""
        return datetime.combine(self.day, time(), UTC)

    @property
    def end(self) -> datetime:
        """The last second."""
        return self.begin + timedelta(days=1, seconds=-1)

    def packed(self) -> bytes:
        """The JSON, compressed; the same octets each time."""
        text = json.dumps(self._json(), separators=(",", ":"))
        return gzip.compress(text.encode(), mtime=0)

    def filename(self) -> str:
        """As RFC 8460 §5.1 recommends."""
        begin, end = (int(moment.timestamp()) for moment in (self.begin, self.end))
        return f"{self.submitter.domain}!{self.domain}!{begin}!{end}.json.gz"

    def mail(self, recipient: Address, now: datetime) -> bytes:
        """The report as a message, CRLF octets, seven bits."""
        submitter = self.submitter.domain
        message = begin_message(
            sender=self.submitter.contact,
            recipient=recipient,
            subject=f"Report Domain: {self.domain} Submitter: {submitter} Report-ID: <{self.id}>",
            date=now,
            message_id=f"tls.{self.id}",
            extra_fields=(
                ("TLS-Report-Domain", self.domain),
                ("TLS-Report-Submitter", submitter.ascii),
                ("Auto-Submitted", "auto-generated"),
            ),
        )
        message.set_content(
            f"This is the TLS report of {submitter} about mail to {self.domain}\n"
            f"on {self.day}, as RFC 8460 has it.\n"
        )
        main, _, sub = MEDIA_TYPE.partition("/")
        message.add_attachment(self.packed(), main, sub, filename=self.filename())
        message.set_type("multipart/report")
        message.set_param("report-type", "tlsrpt")
        message.set_boundary(f"report-{self.id.partition('@')[0]}")
        return message.as_bytes()

    def _json(self) -> dict[str, Any]:
        policies: dict[tuple[TlsPolicy, tuple[str, ...]], list[TlsCount]] = {}
        for count in self.counts:
            policies.setdefault((count.case.policy, count.case.wording), []).append(count)
        return {
            "organization-name": self.submitter.domain.ascii,
            "date-range": {
                "start-datetime": f"{self.begin:%Y-%m-%dT%H:%M:%SZ}",
                "end-datetime": f"{self.end:%Y-%m-%dT%H:%M:%SZ}",
            },
            "contact-info": str(self.submitter.contact),
            "report-id": self.id,
            "policies": [self._policy(*key, counts) for key, counts in policies.items()],
        }

    def _policy(
        self, policy: TlsPolicy, wording: tuple[str, ...], counts: Sequence[TlsCount]
    ) -> dict[str, Any]:
        named: dict[str, Any] = {"policy-type": policy.value, "policy-domain": self.domain}
        if wording:
            named["policy-string"] = list(wording)
        patterns = [line.removeprefix(_MX) for line in wording if line.startswith(_MX)]
        if policy is TlsPolicy.STS and patterns:
            named["mx-host"] = patterns
        failures = [count for count in counts if count.case.fault is not None]
        failed = sum(count.sessions for count in failures)
        told: dict[str, Any] = {
            "policy": named,
            "summary": {
                "total-successful-session-count": sum(c.sessions for c in counts) - failed,
                "total-failure-session-count": failed,
            },
        }
        if failures:
            told["failure-details"] = [_failure(count) for count in failures]
        return told


def _failure(count: TlsCount) -> dict[str, Any]:
    case: TlsCase = count.case
    assert case.fault is not None
    details = {
        "result-type": case.fault.value,
        "sending-mta-ip": case.source,
        "receiving-mx-hostname": case.host,
        "receiving-ip": case.ip,
        "failure-reason-code": case.detail,
    }
    return {name: value for name, value in details.items() if value} | {
        "failed-session-count": count.sessions
    }
