"""An IMAP client that believes what it is told, and nothing else.

A Mirror is one selected mailbox as its untagged responses have it.  It raises Broken where
a response breaks a rule: an EXPUNGE while numbers stand, a number that is not there, an
EXISTS that falls, a modseq that falls, VANISHED where nobody asked for it.
"""

import re
from dataclasses import dataclass
from typing import Final

_EXISTS: Final = re.compile(rb"\* (\d+) EXISTS")
_EXPUNGE: Final = re.compile(rb"\* (\d+) EXPUNGE")
_VANISHED: Final = re.compile(rb"\* VANISHED (\(EARLIER\) )?([\d:,]+)")
_FETCH: Final = re.compile(rb"\* (\d+) FETCH \((.*)\)", re.DOTALL)
_FLAGS: Final = re.compile(rb"FLAGS \(([^()]*)\)")
_UID: Final = re.compile(rb"UID (\d+)")
_MODSEQ: Final = re.compile(rb"MODSEQ \((\d+)\)")
_LITERAL: Final = re.compile(rb"\{(\d+)\}\r\n")


class Broken(AssertionError):
    """The server broke a rule."""


@dataclass(slots=True)
class Seen:
    """One message as the client knows it; None: not told yet."""

    uid: int | None = None
    flags: frozenset[str] | None = None
    modseq: int | None = None


@dataclass(frozen=True, slots=True)
class Fetched:
    """One FETCH response; literal: the octets of its body, if there was one."""

    number: int
    uid: int | None
    flags: frozenset[str] | None
    modseq: int | None
    literal: bytes | None


def numbers_of(text: bytes) -> set[int]:
    """The numbers of a set without `*`."""
    found: set[int] = set()
    for part in text.split(b","):
        first, _, last = part.partition(b":")
        ends = sorted((int(first), int(last or first)))
        found.update(range(ends[0], ends[1] + 1))
    return found


def fetched(line: bytes) -> Fetched | None:
    """The FETCH response that the line is, or None."""
    found = _FETCH.fullmatch(line)
    if found is None:
        return None
    rest = found[2]
    literal = None
    announced = _LITERAL.search(rest)
    if announced is not None:
        literal = rest[announced.end() : announced.end() + int(announced[1])]
        rest = rest[: announced.start()] + rest[announced.end() + int(announced[1]) :]
    flags, uid, modseq = _FLAGS.search(rest), _UID.search(rest), _MODSEQ.search(rest)
    return Fetched(
        number=int(found[1]),
        uid=None if uid is None else int(uid[1]),
        # \Recent is of the session, not of the message.
        flags=None if flags is None else frozenset(flags[1].decode().split()) - {"\\Recent"},
        modseq=None if modseq is None else int(modseq[1]),
        literal=literal,
    )


class Mirror:
    """One selected mailbox of one client.

    by_uid: QRESYNC was enabled, so expunges come as VANISHED.
    """

    def __init__(self, count: int, *, by_uid: bool) -> None:
        self.seen = [Seen() for _ in range(count)]
        self.by_uid = by_uid

    def take(self, line: bytes, *, numbers_stand: bool) -> None:
        """Believe one untagged line."""
        exists, expunge = _EXISTS.fullmatch(line), _EXPUNGE.fullmatch(line)
        vanished, told = _VANISHED.fullmatch(line), fetched(line)
        if exists is not None:
            if int(exists[1]) < len(self.seen):
                raise Broken(f"{line!r} while {len(self.seen)} messages are known")
            self.seen += [Seen() for _ in range(int(exists[1]) - len(self.seen))]
        elif expunge is not None:
            self._refuse(line, numbers_stand or self.by_uid)
            self._refuse(line, not 1 <= int(expunge[1]) <= len(self.seen))
            del self.seen[int(expunge[1]) - 1]
        elif vanished is not None:
            self._refuse(line, not self.by_uid)
            self._vanish(line, numbers_of(vanished[2]), vanished[1] is None, numbers_stand)
        elif told is not None:
            self._learn(line, told)

    def _vanish(self, line: bytes, gone: set[int], now: bool, numbers_stand: bool) -> None:
        left = [one for one in self.seen if one.uid is None or one.uid not in gone]
        if now:
            self._refuse(line, numbers_stand)
            for uid in sorted(gone - set(self.uids)):
                # Messages whose UIDs nobody told yet count too: EXISTS was told of them.
                stranger = self._stranger(uid, left)
                self._refuse(line, stranger is None)
                left = [one for one in left if one is not stranger]
        self.seen = left

    def _stranger(self, uid: int, left: list[Seen]) -> Seen | None:
        """One of those left that may have the UID, by where it stands among the known ones."""
        found = None
        for one in self.seen:
            if one.uid is None:
                if any(one is each for each in left):
                    found = one
            elif one.uid < uid:
                found = None
            else:
                break
        return found

    def _learn(self, line: bytes, told: Fetched) -> None:
        self._refuse(line, not 1 <= told.number <= len(self.seen))
        one = self.seen[told.number - 1]
        if told.uid is not None:
            self._refuse(line, one.uid is not None and one.uid != told.uid)
            one.uid = told.uid
        if told.flags is not None:
            one.flags = told.flags
        if told.modseq is not None:
            self._refuse(line, one.modseq is not None and told.modseq < one.modseq)
            one.modseq = told.modseq

    def _refuse(self, line: bytes, broken: bool) -> None:
        if broken:
            raise Broken(f"{line[:200]!r} while {self.seen} are known")

    @property
    def unknown(self) -> list[int]:
        """Numbers of messages whose UID or flags nobody told."""
        return [n for n, one in enumerate(self.seen, 1) if one.uid is None or one.flags is None]

    @property
    def uids(self) -> list[int]:
        """The known UIDs, ascending."""
        return [one.uid for one in self.seen if one.uid is not None]

    def by_number(self, uid: int) -> int:
        """The number of a known message."""
        return next(n for n, one in enumerate(self.seen, 1) if one.uid == uid)

    def difference(self, flags: dict[int, frozenset[str]], *, numbers_stood: bool) -> str:
        """What the client does not know, or knows wrongly; empty where all is well.

        Messages that are gone may still be known where their numbers had to stand.
        """
        known = [one.uid for one in self.seen]
        unnamed = known.count(None)
        strangers = [uid for uid in known if uid is not None and uid not in flags]
        missing = flags.keys() - set(known)
        if len(missing) > unnamed or (not numbers_stood and (strangers or len(missing) < unnamed)):
            return f"knows {known}, there are {sorted(flags)}"
        for one in self.seen:
            if one.uid in flags and one.flags is not None and one.flags != flags[one.uid]:
                return f"has UID {one.uid} {sorted(one.flags)}, and it is {sorted(flags[one.uid])}"
        named = self.uids
        return "" if named == sorted(named) else f"has UIDs out of order: {known}"
