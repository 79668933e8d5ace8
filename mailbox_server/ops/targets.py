"""Whether an address may be what an alias or a catch-all leads to.

An alias may lead to other servers.  A catch-all may not: all that is thrown at a domain would be
passed on in our name.
"""

from collections.abc import Sequence

from mailbox_server.model.address import Address, Domain
from mailbox_server.model.errors import BadInput
from mailbox_server.store.ports import ReadTx


def refuse_elsewhere(tx: ReadTx, targets: Sequence[Address], more: Domain | None = None) -> None:
    """Raises BadInput for a target whose domain is neither hosted nor more."""
    for target in targets:
        host = target.domain
        if not isinstance(host, Domain) or (host != more and tx.domains.find(host) is None):
            raise BadInput(
                f"{target} is not in a domain hosted here, and a catch-all passes nothing on"
            )


def refuse_brackets(targets: Sequence[Address]) -> None:
    """Raises BadInput for a target whose domain is an address in brackets."""
    for target in targets:
        if not isinstance(target.domain, Domain):
            raise BadInput(f"{target} has no domain; mail is not passed on to a bare address")


def refuse_loop(tx: ReadTx, alias: Address, targets: Sequence[Address]) -> None:
    """Raises BadInput where the targets lead back to the alias."""
    seen: set[str] = set()
    waiting = list(targets)
    while waiting:
        target = waiting.pop()
        if target.key == alias.key:
            raise BadInput(f"{alias} would stand for itself")
        if target.key not in seen:
            seen.add(target.key)
            found = tx.aliases.find(target)
            waiting += () if found is None else found.targets


def missing(tx: ReadTx, targets: Sequence[Address]) -> list[str]:
    """The targets here that are nobody's address yet, neither with nor without a detail."""
    return [str(target) for target in targets if not _leads_somewhere(tx, target)]


def _leads_somewhere(tx: ReadTx, target: Address) -> bool:
    name = target.local.text.partition("+")[0]
    plain = Address.parse(f"{name}@{target.domain}") if name.isalnum() else target
    for each in (target, plain):
        if tx.accounts.find(each) is not None or tx.aliases.find(each) is not None:
            return True
    hosted = tx.domains.find(target.domain) if isinstance(target.domain, Domain) else None
    return hosted is None or hosted.catch_all is not None
