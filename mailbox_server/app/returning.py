"""What comes back to our return paths composed: who writes, who reads, and who probes."""

from mailbox_server.checks.dkim.key_ring import KeyRing
from mailbox_server.checks.dkim.signing import Signer
from mailbox_server.delivery.bounces.probing import Prober
from mailbox_server.delivery.bounces.returns import Returns
from mailbox_server.delivery.bounces.scoring import ScoreRules
from mailbox_server.delivery.return_path_keys import ReturnPathKeys
from mailbox_server.delivery.verp import PathSigner
from mailbox_server.model.address import Domain
from mailbox_server.model.ports import Clock, Entropy, Events
from mailbox_server.store.ports import Store


def build_returns(
    store: Store, secret: bytes, hostname: Domain, clock: Clock, entropy: Entropy, events: Events
) -> tuple[PathSigner, Returns, Prober]:
    """All work with the same keys; secret: that of the installation."""
    paths = PathSigner(ReturnPathKeys(secret, "verp"))
    returns = Returns(store=store, signer=paths, rules=ScoreRules(), clock=clock, events=events)
    prober = Prober(
        store=store,
        paths=paths,
        signer=Signer(KeyRing(store, events), clock),
        hostname=hostname,
        clock=clock,
        entropy=entropy,
        events=events,
    )
    return paths, returns, prober
