"""Base 64 as SASL wants it: whatever is not exactly that is refused, not skipped."""

import binascii


def decode_base_64(text: bytes) -> bytes | None:
    """The octets behind text (RFC 4648 §4); None where it is not base 64.

    Octets outside the alphabet, line ends, and padding that is missing, too much or not at
    the end are all refused (RFC 5034 §4).  b"" is b"".
    """
    if len(text) % 4:
        return None
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except binascii.Error:
        return None
