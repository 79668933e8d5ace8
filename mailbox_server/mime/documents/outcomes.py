"""What became of reading a document."""

from enum import Enum


class Outcome(Enum):
    """One document's fate.

    READ: all its text is there.  CUT: a limit, or damage further back, kept some of it away.
    From ENCRYPTED on there is no text.  UNKNOWN: it is not what it is said to be.
    EXHAUSTED: it took more memory or time than a document may, or killed its reader.
    MISSING: its octets could not be read from the store.
    """

    READ = "read"
    CUT = "cut"
    ENCRYPTED = "encrypted"
    DAMAGED = "damaged"
    TOO_LARGE = "too large"
    UNKNOWN = "unknown"
    EXHAUSTED = "exhausted"
    MISSING = "missing"


class Unreadable(Exception):
    """A document without text for us; outcome says why."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.value)
        self.outcome = outcome
