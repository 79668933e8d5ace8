"""Which names a certificate stands for, and which only look like it."""

import ipaddress
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from mailbox_server.relay.client.tls.certificate_names import is_for_any
from tests.issued import issue


@pytest.mark.parametrize(
    ("presented", "name", "fits"),
    [
        ("mx.example.net", "mx.example.net", True),
        ("MX.Example.NET", "mx.example.net", True),
        ("mx.example.net", "mx.example.net.", True),
        ("*.example.net", "mx.example.net", True),
        ("*.EXAMPLE.net", "mx.example.net", True),
        ("*.example.net", "a.mx.example.net", False),
        ("*.example.net", "example.net", False),
        ("*.net", "example.net", False),
        ("*", "mx", False),
        ("m*.example.net", "mx.example.net", False),
        ("*x.example.net", "mx.example.net", False),
        ("mx.*.net", "mx.example.net", False),
        ("*.*.net", "mx.example.net", False),
        ("example.net", "mx.example.net", False),
        ("mx.example.net", "x.example.net", False),
        ("mx.example.network", "mx.example.net", False),
        ("xn--bcher-kva.example", "xn--bcher-kva.example", True),
        ("192.0.2.1", "192.0.2.1", False),
    ],
)
def test_names(presented: str, name: str, fits: bool) -> None:
    certificate = issue("anything", names=(presented,)).certificate
    assert is_for_any(certificate, (name,), by_common_name=False) is fits
    assert is_for_any(certificate, ("other.example", name), by_common_name=True) is fits
    assert not is_for_any(certificate, (), by_common_name=True)


def test_the_common_name_counts_for_dane_alone_and_only_without_others() -> None:
    """RFC 7672 §3.2.3; RFC 8461 §4.1 knows no common name."""
    bare = issue("mx.example.net").certificate
    assert is_for_any(bare, ("mx.example.net",), by_common_name=True)
    assert not is_for_any(bare, ("mx.example.net",), by_common_name=False)
    named = issue("mx.example.net", names=("other.example.net",)).certificate
    assert not is_for_any(named, ("mx.example.net",), by_common_name=True)


def test_addresses() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "x")])
    ips = ("192.0.2.1", "2001:db8::1")
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(ip)) for ip in ips]),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    for name in ("192.0.2.1", "[192.0.2.1]", "2001:db8:0::1", "[IPv6:2001:db8::1]"):
        assert is_for_any(certificate, (name,), by_common_name=False), name
    assert not is_for_any(certificate, ("192.0.2.2", "x"), by_common_name=False)
