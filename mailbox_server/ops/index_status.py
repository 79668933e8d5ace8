"""What an operator reads of the search index and of attached texts: how far, how sound."""

from collections.abc import Mapping
from typing import Final

from mailbox_server.ops.rows import IndexRow, SampleRow
from mailbox_server.store.attached_text.catching_up import AttachedTexts
from mailbox_server.store.job_runs import JobRun, last_runs
from mailbox_server.store.ports import Store
from mailbox_server.store.search_index.catching_up import SearchIndexer

INDEX_JOB: Final = "try the search index"
ATTACHED_JOB: Final = "tidy attached texts"
"""Names of the jobs of housekeeping that sample."""


async def index_status(store: Store, indexer: SearchIndexer, attached: AttachedTexts) -> IndexRow:
    """How it is now.  Raises IndexStopped, ReadingStopped, StoreUnavailable."""
    index, texts = await indexer.state(), await attached.state()
    counts = sorted(texts.documents.items(), key=lambda each: -each[1])
    runs = await last_runs(store)
    return IndexRow(
        index.messages,
        index.behind,
        index.octets,
        documents=", ".join(f"{count} {outcome.value}" for outcome, count in counts) or "none",
        documents_behind=texts.behind,
        documents_octets=texts.octets,
        sampled=_sampled(runs, INDEX_JOB),
        documents_sampled=_sampled(runs, ATTACHED_JOB),
    )


def _sampled(runs: Mapping[str, JobRun], job: str) -> SampleRow | None:
    run = runs.get(job)
    if run is None or run.sample is None:
        return None
    return SampleRow(run.ended.isoformat(), run.sample.tried, run.sample.wrong)
