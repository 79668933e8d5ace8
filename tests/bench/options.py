"""What the command line asked of the bench."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Options:
    """How much is measured.

    runs: of each row.  messages: in the mailbox of the IMAP and POP3 tables.  clients: that
    idle at once.  trickling: connections that never come to an end.  only: measure rows
    whose title holds this, in any case.  ours: no peers.  keep: our folder, used again if
    it is there.  strace: count the syncs once more, by strace.
    """

    runs: int = 4
    messages: int = 20_000
    clients: int = 1_000
    trickling: int = 2_000
    only: str = ""
    ours: bool = False
    keep: Path | None = None
    strace: bool = False
