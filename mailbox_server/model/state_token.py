"""Where somebody stands in the changes of an account (store.md §4.6): JMAP's state strings."""

import re
from dataclasses import dataclass
from typing import Final

from mailbox_server.model.errors import StateMalformed
from mailbox_server.model.ids import ModSeq

_TEXT: Final = re.compile(
    r"(0|[1-9][0-9]{0,18})(?:\.([1-9][0-9]{0,18}))?(?:~(0|[1-9][0-9]{0,18}))?"
)
_MOST: Final = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class StateToken:
    """All that was stamped before `stamp` is known, and what else is said here.

    row: of what `stamp` itself stamped only the rows up to this number are known; None:
        all of them.
    base: where who pages through changes began; equals stamp when all pages were read.
        What is new is measured against it, so that a row that changed again between two
        pages is still told as created.

    As text: "12"; while paging "12~7" or "12.345~7".
    """

    stamp: ModSeq
    row: int | None
    base: ModSeq

    @classmethod
    def at(cls, modseq: ModSeq) -> "StateToken":
        """Everything up to modseq is known."""
        return cls(modseq, None, modseq)

    @classmethod
    def parse(cls, text: str) -> "StateToken":
        """What __str__ gave.  Raises StateMalformed."""
        found = _TEXT.fullmatch(text)
        if found is None:
            raise StateMalformed("not a state of ours")
        stamp, row, base = (None if part is None else int(part) for part in found.groups())
        assert stamp is not None
        paging = base is not None and (base < stamp)
        if max(stamp, row or 0) > _MOST or paging != (base is not None) or (row and not paging):
            raise StateMalformed("not a state of ours")
        return cls(ModSeq(stamp), row, ModSeq(stamp if base is None else base))

    @property
    def is_paging(self) -> bool:
        """Whether some changes since base were told already."""
        return self.base < self.stamp

    def __str__(self) -> str:
        """The state as JMAP's clients keep it."""
        row = "" if self.row is None else f".{self.row}"
        return f"{self.stamp}{row}~{self.base}" if self.is_paging else str(self.stamp)
