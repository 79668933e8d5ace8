"""Whether a certificate is for one of the names that we look for (RFC 6125 §6, RFC 7672 §3.2.3).

DNS names are compared without case, as A-labels.  A wildcard stands for exactly the first
label.  The common name counts only for DANE, and only where there is no DNS name at all.
"""

from collections.abc import Iterable

from cryptography import x509
from cryptography.x509.oid import NameOID

from mailbox_server.model.address import parse_ip


def is_for_any(
    certificate: x509.Certificate, names: Iterable[str], *, by_common_name: bool
) -> bool:
    """Whether the certificate names one of names; by_common_name: see above.

    A name that is an address is looked for among the certificate's addresses.
    """
    presented, addresses = _alternative_names(certificate)
    if not presented and by_common_name:
        presented = _common_names(certificate)
    return any(_is_named(name, presented, addresses) for name in names)


def _is_named(name: str, presented: list[str], addresses: list[str]) -> bool:
    ip = parse_ip(name.removeprefix("[").removesuffix("]").removeprefix("IPv6:"))
    if ip is not None:
        return str(ip) in addresses
    return any(_matches(one.lower().rstrip("."), name.lower().rstrip(".")) for one in presented)


def _matches(pattern: str, name: str) -> bool:
    if pattern == name:
        return bool(name)
    first, _, rest = pattern.partition(".")
    # A wildcard over a whole top-level domain is nobody's name.
    return first == "*" and "." in rest and name.partition(".")[2] == rest


def _alternative_names(certificate: x509.Certificate) -> tuple[list[str], list[str]]:
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        # ValueError: extensions that do not decode name nobody.
        return [], []
    return (
        found.get_values_for_type(x509.DNSName),
        [str(ip) for ip in found.get_values_for_type(x509.IPAddress)],
    )


def _common_names(certificate: x509.Certificate) -> list[str]:
    try:
        attributes = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    except ValueError:
        return []
    return [one.value for one in attributes if isinstance(one.value, str)]
