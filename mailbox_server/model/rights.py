"""Rights in a mailbox: who may do what there, a letter each (RFC 4314 §2.1).

The two letters of RFC 2086 that are no right of their own stand for several: `c` for k and x,
`d` for e and t (§2.1.1).  They are read, and written beside what they stand for, but not kept.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from mailbox_server.model.address import Address
from mailbox_server.model.errors import RightsMalformed

Rights = frozenset[str]
"""Letters of ALL_RIGHTS."""

LOOKUP: Final = "l"
READ: Final = "r"
KEEP_SEEN: Final = "s"
WRITE_FLAGS: Final = "w"
INSERT: Final = "i"
CREATE_BELOW: Final = "k"
DELETE_MAILBOX: Final = "x"
DELETE_MESSAGES: Final = "t"
EXPUNGE: Final = "e"
ADMINISTER: Final = "a"

ALL_RIGHTS: Final[Rights] = frozenset("lrswipkxtea")
NO_RIGHTS: Final[Rights] = frozenset()

ANYONE: Final = "anyone"
NEGATIVE: Final = "-"

VIRTUAL: Final[Mapping[str, Rights]] = {"c": frozenset("kx"), "d": frozenset("et")}
WRITTEN_ORDER: Final = "lrswipkxtecda"


@dataclass(frozen=True, slots=True)
class Grant:
    """An entry of a mailbox's access control list.

    holder: the address of an account; None for anyone.  is_negative: the rights are taken
    from who has them by another entry.
    """

    holder: Address | None
    is_negative: bool
    rights: Rights

    @property
    def identifier(self) -> str:
        """The holder as lists name it: `anyone`, `ann@example.org`, `-ann@example.org`."""
        name = ANYONE if self.holder is None else str(self.holder)
        return NEGATIVE + name if self.is_negative else name


def parse_rights(text: str) -> Rights:
    """Read letters, in any order and often; virtual ones count for what they stand for.

    Raises RightsMalformed.
    """
    rights: set[str] = set()
    for letter in text:
        if letter in VIRTUAL:
            rights |= VIRTUAL[letter]
        elif letter in ALL_RIGHTS:
            rights.add(letter)
        else:
            raise RightsMalformed("no such right")
    return frozenset(rights)


def written_rights(rights: Rights) -> str:
    """The letters in their order, with each virtual one of which some member is there."""
    told = rights | {letter for letter, members in VIRTUAL.items() if members & rights}
    return "".join(letter for letter in WRITTEN_ORDER if letter in told)


def effective_rights(given: Iterable[Rights], taken: Iterable[Rights]) -> Rights:
    """What somebody may do whom several entries name: all that is given, less what is taken."""
    return NO_RIGHTS.union(*given).difference(*taken)
