"""What a session's own STOREs leave to be told to it, and what they need not tell.

loud      UIDs of a plain STORE: their flags are told, changed or not
quiet     UIDs of a .SILENT one that the view came over: at most their MODSEQ is told
expected  by UID, the flags that the client expects after a .SILENT one that the view did
          not come over, because others changed something meanwhile: at most the MODSEQ is
          told where they are just these (RFC 7162 §3.1.3)
fetched   by UID, the MODSEQ of flags that the client read from a FETCH
"""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from mailbox_server.imap.grammar.sequence_sets import By
from mailbox_server.imap.views.flag_classes import FlagClass, changed_names, flag_text
from mailbox_server.imap.views.selected import Hushed, ModSeqs, Sight
from mailbox_server.store.ports import FlagOutcome

_RECENT: Final = b"\\Recent"


class OwnStores:
    """The own STOREs of one session since it was last told."""

    def __init__(self) -> None:
        self._loud: list[array[int]] = []
        self._quiet: list[array[int]] = []
        self._only_modseq: frozenset[int] = frozenset()
        self._expected: dict[int, bytes] = {}
        self._fetched: dict[int, int] = {}

    def made(
        self,
        uids: "array[int]",
        outcome: FlagOutcome,
        hushed: Hushed | None,
        known: Sequence[FlagClass],
        *,
        came_over: bool,
    ) -> None:
        """A change was made; known: the flag classes."""
        if hushed is None:
            self._loud.append(uids)
            # Its answer is owed, whatever was read before.
            self._fetched = {}
            return
        if came_over:
            self._quiet.append(uids)
        else:
            self._expect(hushed, known)
        if outcome.modified:
            self._loud.append(array("I", outcome.modified))

    def _expect(self, hushed: Hushed, known: Sequence[FlagClass]) -> None:
        texts: dict[int, bytes] = {}
        for uid, number in zip(hushed.uids, hushed.classes, strict=True):
            if uid in hushed.untold:
                continue
            if number not in texts:
                names = changed_names(known[number].names, hushed.change)
                texts[number] = flag_text(names).lower()
            self._expected[uid] = texts[number]

    def fetched(self, sights: Iterable[Sight]) -> None:
        """The client reads these flags from a FETCH."""
        self._fetched.update((sight.uid, sight.modseq) for sight in sights)

    def expecting(self, uids: set[int]) -> set[int]:
        """Those of which the client expects flags that may not be there."""
        return uids & self._expected.keys()

    def take(self, changed: set[int], modseqs: ModSeqs) -> "array[int]":
        """UIDs to tell of, ascending, each once: those that changed, and of own stores.

        Until forget, what says how each is told.
        """
        loud, quiet = self._loud, self._quiet
        self._loud, self._quiet = [], []
        for uid in _merged(loud) if self._expected else ():
            self._expected.pop(uid, None)
        several = [*loud, array("I", sorted(changed))]
        if modseqs is ModSeqs.SHOWN:
            # Of what others changed too, and of what was asked for, all is told.
            self._only_modseq = frozenset().union(*quiet).difference(changed, *loud)
            several += [*quiet, array("I", sorted(self._expected))]
        return _merged([each for each in several if each])

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to tell, nor to leave out."""
        return not (self._loud or self._quiet or self._expected or self._fetched)

    @property
    def is_plain(self) -> bool:
        """Whether all flags of all that was taken are to be told."""
        return not (self._only_modseq or self._expected or self._fetched)

    def lines(self, sights: Iterable[Sight], modseqs: ModSeqs, named_by: By) -> Iterator[bytes]:
        """The FETCH lines of what was taken, without what the client has or expects."""
        for sight in sights:
            if self._fetched.get(sight.uid) == sight.modseq:
                continue
            items = []
            if not self._expects(sight):
                items.append(b"FLAGS (%b)" % sight.flags)
            if modseqs is ModSeqs.SHOWN:
                items.append(b"MODSEQ (%d)" % sight.modseq)
            if items and named_by is By.UID:
                yield b"* %d UIDFETCH (%b)\r\n" % (sight.uid, b" ".join(items))
            elif items:
                yield b"* %d FETCH (UID %d %b)\r\n" % (sight.number, sight.uid, b" ".join(items))

    def _expects(self, sight: Sight) -> bool:
        uid = sight.uid
        if uid in self._only_modseq:
            return True
        return uid in self._expected and self._expected[uid] == _without_recent(sight.flags)

    def forget(self) -> None:
        """All that was taken was told."""
        self._only_modseq = frozenset()
        self._expected, self._fetched = {}, {}


def _without_recent(flags: bytes) -> bytes:
    return flags.removesuffix(_RECENT).rstrip().lower()


def _merged(several: "Sequence[array[int]]") -> "array[int]":
    """Arrays of ascending UIDs, none empty, as one: each UID once."""
    merged: array[int] = array("I")
    for each in several:
        if merged and each[0] <= merged[-1]:
            return array("I", sorted({uid for one in several for uid in one}))
        merged.extend(each)
    return merged
