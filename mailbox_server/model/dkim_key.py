"""The keys that a hosted domain signs its mail with (RFC 6376 §3.6, RFC 8463)."""

import enum
from dataclasses import dataclass, field
from datetime import datetime

from mailbox_server.model.address import Domain
from mailbox_server.model.ids import DkimKeyId


class KeyAlgorithm(enum.Enum):
    """What a key is; the value is what `k=` says (RFC 8463 §4)."""

    RSA = "rsa"
    ED25519 = "ed25519"

    @property
    def signature(self) -> str:
        """What `a=` says (RFC 6376 §3.3, RFC 8463 §3)."""
        return f"{self.value}-sha256"


class KeyState(enum.Enum):
    """How far a key is; of one domain and algorithm at most one signs and one waits."""

    WAITING = "waiting"
    SIGNING = "signing"
    RETIRED = "retired"


@dataclass(frozen=True, slots=True)
class NewDkimKey:
    """A key pair that was just made.

    private: PKCS #8 as DER; in no repr.  public: what `p=` says, before base 64.
    """

    domain: Domain
    selector: str
    algorithm: KeyAlgorithm
    private: bytes = field(repr=False)
    public: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class DkimKey:
    """A key pair as it stands in the store.

    seen: since when its record is known to stand in the DNS; None where it was missing when
        that was looked at last.
    since: when it came to its present state.
    """

    id: DkimKeyId
    domain: Domain
    selector: str
    algorithm: KeyAlgorithm
    private: bytes = field(repr=False)
    public: bytes = field(repr=False)
    state: KeyState
    created: datetime
    since: datetime
    seen: datetime | None
