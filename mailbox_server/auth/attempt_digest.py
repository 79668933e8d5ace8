"""Digests of login attempts under a random key of this process: no password is read from one."""

import hashlib

from mailbox_server.model.ports import Entropy


class AttemptDigest:
    """Of texts in their order: BLAKE2b, 32 octets; other texts give another digest."""

    def __init__(self, entropy: Entropy) -> None:
        self._secret = entropy.octets(32)

    def of(self, *texts: str) -> bytes:
        """The digest."""
        digest = hashlib.blake2b(key=self._secret, digest_size=32)
        for text in texts:
            octets = text.encode("utf-8", "surrogatepass")
            digest.update(len(octets).to_bytes(8, "big") + octets)
        return digest.digest()
