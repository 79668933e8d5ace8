"""A report is the JSON of RFC 8460 §4.4, and a message that carries it."""

import email
import email.policy
import gzip
import json
from datetime import UTC, date, datetime
from typing import Any

from mailbox_server.model.address import Address, Domain
from mailbox_server.model.tls_count import TlsCase, TlsCount
from mailbox_server.model.tls_demand import TlsFault, TlsPolicy
from mailbox_server.relay.tls_reports.report import Report, Submitter

DAY = date(2026, 11, 29)
LINES = ("version: STSv1", "mode: testing", "mx: *.example.org", "mx: x.example", "max_age: 9")
SUBMITTER = Submitter(Domain("mail.us.example"))
NOW = datetime(2026, 11, 30, 2, tzinfo=UTC)


def case(policy: TlsPolicy, wording: tuple[str, ...] = (), **failure: Any) -> TlsCase:
    return TlsCase(DAY, "xn--bcher-kva.example", policy, wording, **failure)


FAILURE = {
    "fault": TlsFault.CERTIFICATE_EXPIRED,
    "source": "192.0.2.9",
    "host": "mx.example.org",
    "ip": "2001:db8::1",
    "detail": 'since "Tuesday"',
}
REPORT = Report(
    "xn--bcher-kva.example",
    DAY,
    [
        TlsCount(case(TlsPolicy.STS, LINES), 5326),
        TlsCount(case(TlsPolicy.NO_POLICY), 2),
        TlsCount(case(TlsPolicy.STS, LINES, **FAILURE), 303),
        TlsCount(case(TlsPolicy.STS, fault=TlsFault.STS_POLICY_FETCH_ERROR), 1),
        TlsCount(case(TlsPolicy.TLSA, ("3 1 1 ab",)), 4),
    ],
    SUBMITTER,
)


def test_the_json() -> None:
    told = json.loads(gzip.decompress(REPORT.packed()))
    assert told["organization-name"] == "mail.us.example"
    assert told["contact-info"] == "postmaster@mail.us.example"
    assert told["date-range"] == {
        "start-datetime": "2026-11-29T00:00:00Z",
        "end-datetime": "2026-11-29T23:59:59Z",
    }
    sts, nothing, unknown, tlsa = told["policies"]
    assert sts == {
        "policy": {
            "policy-type": "sts",
            "policy-domain": "xn--bcher-kva.example",
            "policy-string": list(LINES),
            "mx-host": ["*.example.org", "x.example"],
        },
        "summary": {
            "total-successful-session-count": 5326,
            "total-failure-session-count": 303,
        },
        "failure-details": [
            {
                "result-type": "certificate-expired",
                "sending-mta-ip": "192.0.2.9",
                "receiving-mx-hostname": "mx.example.org",
                "receiving-ip": "2001:db8::1",
                "failure-reason-code": 'since "Tuesday"',
                "failed-session-count": 303,
            }
        ],
    }
    assert nothing["policy"] == {
        "policy-type": "no-policy-found",
        "policy-domain": "xn--bcher-kva.example",
    }
    assert "failure-details" not in nothing
    assert unknown["summary"]["total-successful-session-count"] == 0
    assert unknown["failure-details"][0]["result-type"] == "sts-policy-fetch-error"
    assert tlsa["policy"]["policy-string"] == ["3 1 1 ab"]


def test_the_same_report_is_the_same_octets() -> None:
    assert REPORT.packed() == REPORT.packed()
    assert REPORT.id == REPORT.id
    assert REPORT.filename() == (
        "mail.us.example!xn--bcher-kva.example!1795910400!1795996799.json.gz"
    )


def test_the_message() -> None:
    octets = REPORT.mail(Address.parse("tls@example.org"), NOW)
    assert octets.isascii() and b"\n" not in octets.replace(b"\r\n", b"")
    assert max(map(len, octets.split(b"\r\n"))) <= 998
    message = email.message_from_bytes(octets, policy=email.policy.SMTP)
    assert message["TLS-Report-Domain"] == "xn--bcher-kva.example"
    assert message["TLS-Report-Submitter"] == "mail.us.example"
    assert message["From"] == "postmaster@mail.us.example"
    assert message["To"] == "tls@example.org"
    assert message["Subject"] == (
        f"Report Domain: xn--bcher-kva.example Submitter: mail.us.example Report-ID: <{REPORT.id}>"
    )
    assert message.get_content_type() == "multipart/report"
    assert message.get_param("report-type") == "tlsrpt"
    words, packed = message.iter_parts()
    assert words.get_content_type() == "text/plain"
    assert packed.get_content_type() == "application/tlsrpt+gzip"
    assert packed.get_filename() == REPORT.filename()
    assert packed.get_content() == REPORT.packed()
