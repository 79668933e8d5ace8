"""DKIM verification as plain as it can be written: slow, whole in memory, by the RFC's words."""

import base64
import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import load_der_public_key


def tags(text: str) -> dict[str, str]:
    """A tag list (RFC 6376 §3.2), white space in values dropped."""
    pairs = (tag.partition("=") for tag in text.split(";") if tag.strip())
    return {name.strip(): re.sub(r"\s+", "", value) for name, _, value in pairs}


def relaxed_body(body: bytes) -> bytes:
    """RFC 6376 §3.4.4, line by line."""
    lines = body.split(b"\r\n")
    if lines[-1] == b"":
        lines.pop()
    lines = [re.sub(rb"[ \t]+", b" ", line).rstrip(b" ") for line in lines]
    while lines and not lines[-1]:
        lines.pop()
    return b"".join(line + b"\r\n" for line in lines)


@dataclass(frozen=True)
class Parsed:
    """A message: its fields as they stand, from the top, and its body."""

    fields: list[tuple[str, bytes]]
    body: bytes

    @classmethod
    def read(cls, message: bytes) -> "Parsed":
        head, _, body = message.partition(b"\r\n\r\n")
        found = re.findall(rb"[^\r\n]+(?:\r\n[ \t][^\r\n]*)*\r\n", head + b"\r\n")
        names = [field.partition(b":")[0].decode().rstrip().lower() for field in found]
        return cls(list(zip(names, found, strict=True)), body)

    def signatures(self) -> list[bytes]:
        return [field for name, field in self.fields if name == "dkim-signature"]


def holds(
    message: bytes,
    signature: bytes,
    records: Mapping[str, str],
    relaxed_field: Callable[[bytes, bytes], bytes],
) -> bool:
    """Whether one signature of relaxed/relaxed holds; records: TXT by name."""
    parsed = Parsed.read(message)
    said = tags(signature.partition(b":")[2].decode())
    record = tags(records[f"{said['s']}._domainkey.{said['d']}"])
    if hashlib.sha256(relaxed_body(parsed.body)).digest() != base64.b64decode(said["bh"]):
        return False
    left = list(parsed.fields)
    hashed = b""
    for wanted in said["h"].lower().split(":"):
        at = max((at for at, (name, _) in enumerate(left) if name == wanted), default=None)
        if at is not None:
            name, _, value = left.pop(at)[1].partition(b":")
            hashed += relaxed_field(name.rstrip(), value) + b"\r\n"
    name, _, value = signature.partition(b":")
    emptied = re.sub(rb"([;\s]b\s*=)[^;]*?(?=\s*(?:;|$))", rb"\1", value, count=1)
    hashed += relaxed_field(name, emptied)
    octets, digest = base64.b64decode(said["b"]), hashlib.sha256(hashed).digest()
    public = base64.b64decode(record["p"])
    try:
        if record.get("k") == "ed25519":
            ed25519.Ed25519PublicKey.from_public_bytes(public).verify(octets, digest)
        else:
            key = load_der_public_key(public)
            assert isinstance(key, rsa.RSAPublicKey)
            key.verify(octets, hashed, padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        return False
    return True
