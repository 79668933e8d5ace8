"""Looking, for an operator, whether the store is whole."""

from mailbox_server.model.ports import Entropy
from mailbox_server.ops import requests
from mailbox_server.ops.rows import AnyRow, FindingRow
from mailbox_server.store.attached_text.catching_up import AttachedTexts
from mailbox_server.store.integrity import violations
from mailbox_server.store.ports import Store
from mailbox_server.store.scrub import damaged_contents
from mailbox_server.store.search_index.catching_up import SearchIndexer


async def check(
    store: Store,
    entropy: Entropy,
    indexer: SearchIndexer,
    attached: AttachedTexts,
    asked: requests.StoreCheck,
) -> list[AnyRow]:
    """What is amiss: rows, contents where deep, and what samples of searches do not find."""
    found: list[AnyRow] = [
        FindingRow(violation.invariant, violation.row) for violation in await violations(store)
    ]
    if asked.deep:
        async for content in damaged_contents(store):
            found.append(FindingRow("contents match their digests", f"content {content}"))
    sampled = await indexer.sample(entropy)
    for trial in sampled.wrong:
        detail = f"message {trial.message}, {trial.criterion.scope.value}"
        found.append(FindingRow("the search index finds what a scan finds", detail))
    tried, missed = await attached.sample(entropy)
    if missed:
        detail = f"{missed} of {tried} were not"
        found.append(FindingRow("what is in attached documents is found", detail))
    return found
