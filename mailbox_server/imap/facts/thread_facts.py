"""What decides about the threads of one mailbox: never changes, so it is read once (RFC 5256 §3).

Kept by UID beside the view of a mailbox that is open, as columns: 37 octets a message and 8 for
each of its references.  Ids and subjects are kept as 64-bit numbers that chance keys at each
start, so that nobody can make two that are equal.  The last answer is kept too, and serves
while the same messages are asked for.

Of References at most REFERENCES_MOST are looked at; where the messages of a mailbox have very
many together, NEAREST of each of those that go beyond.  So work and memory are linear.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, NamedTuple

from mailbox_server.imap.facts.thread_trees import Threadable
from mailbox_server.imap.grammar.sort_arguments import ThreadAlgorithm
from mailbox_server.mime.base_subject import is_reply
from mailbox_server.mime.encoded_words import decode_words
from mailbox_server.mime.header_fields import HeaderFields
from mailbox_server.mime.references import linked_ids, message_id, unquoted
from mailbox_server.model.ids import MailboxId
from mailbox_server.store.ports import Column, ReadTx, Store

ROWS_A_READ: Final = 500
REFERENCES_MOST: Final = 1_000
REFERENCES_A_MESSAGE: Final = 30
"""On the average; only where there are REFERENCES_SPARE more the list is cut to NEAREST."""
REFERENCES_SPARE: Final = 50_000
NEAREST: Final = 20

_FEW: Final = 8
_SPARE: Final = 1_000
_OCTETS_A_MESSAGE: Final = 37
_OCTETS_A_NUMBER: Final = 8
_COLUMNS: Final = (Column.SENT, Column.RECEIVED, Column.SUBJECT_BASE, Column.LISTED)

Breathe = Callable[[], Awaitable[None]]


class Traits(NamedTuple):
    """One message; 0 stands for no id and no subject."""

    uid: int
    sent: int
    message_id: int
    subject: int
    is_reply: bool
    references: Sequence[int]


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered; uids and numbers: of the messages that were asked for."""

    algorithm: ThreadAlgorithm
    uids: "array[int]"
    numbers: "array[int]"
    octets: bytes


class ThreadFacts:
    """The columns of one mailbox; whoever uses them has the turn of its MessageFacts."""

    def __init__(self) -> None:
        self._columns = _Columns()
        self.answer: Answer | None = None

    @property
    def octets(self) -> int:
        """About how much memory all of it takes."""
        answer = self.answer
        kept = 0 if answer is None else len(answer.octets) + 8 * len(answer.uids)
        return self._columns.octets + kept

    def forget(self) -> None:
        """Give the memory back."""
        self._columns = _Columns()
        self.answer = None

    async def threadables(
        self,
        store: Store,
        mailbox: MailboxId,
        uids: Sequence[int],
        numbers: Sequence[int],
        known: Sequence[int],
        breathe: Breathe,
    ) -> Callable[[], list[Threadable]]:
        """What decides about these, in their order; of messages gone from the store nothing.

        What returns makes them, beside the loop and before the turn ends.

        uids: ascending, among known: all that the session knows of the mailbox.  numbers: what
        stands for them in the answer.  breathe is awaited between two reads.
        Raises StoreUnavailable.
        """
        columns = self._columns
        if len(columns.uids) > 2 * len(known) + _SPARE:
            columns = self._columns = _Columns()
        last = columns.uids[-1] if columns.uids else 0
        unread = known[bisect_right(known, last) :]
        wanted = len(uids) - bisect_right(uids, last)
        if _FEW * wanted >= len(unread):
            await _read(store, mailbox, unread, columns, breathe)
        missing = columns.missing(uids)
        others = _Columns()
        await _read(store, mailbox, missing, others, breathe)
        return partial(_together, columns, others, uids, numbers)


def _together(
    columns: "_Columns", others: "_Columns", uids: Sequence[int], numbers: Sequence[int]
) -> list[Threadable]:
    found = []
    for uid, number in zip(uids, numbers, strict=True):
        threadable = columns.threadable(uid, number) or others.threadable(uid, number)
        if threadable is not None:
            found.append(threadable)
    return found


async def _read(
    store: Store, mailbox: MailboxId, uids: Sequence[int], columns: "_Columns", breathe: Breathe
) -> None:
    """Put these, which come behind what is there, into the columns."""
    for at in range(0, len(uids), ROWS_A_READ):
        block = uids[at : at + ROWS_A_READ]

        def work(tx: ReadTx, block: Sequence[int] = block) -> list[Traits]:
            return [traits(*row) for row in tx.messages.rows(mailbox, block, _COLUMNS)]

        for found in await store.read(work):
            columns.append(found)
        await breathe()


def traits(uid: Any, sent: Any, received: Any, subject: Any, listed: Any) -> Traits:
    """What a row says."""
    fields = HeaderFields(listed or b"")
    references = linked_ids(
        fields.first(b"references"), fields.first(b"in-reply-to"), REFERENCES_MOST
    )
    own = message_id(fields.first(b"message-id"))
    written = fields.first(b"subject")
    return Traits(
        uid,
        received if sent is None else sent,
        0 if own is None else hash(unquoted(own)),
        hash(subject) if subject else 0,
        written is not None and is_reply(decode_words(written)),
        [hash(each) for each in references],
    )


class _Columns:
    """Traits by ascending UID; the references of message n are those from starts[n] on."""

    __slots__ = ("ids", "references", "replies", "sent", "starts", "subjects", "uids")

    def __init__(self) -> None:
        self.uids = array("I")
        self.sent = array("q")
        self.ids = array("q")
        self.subjects = array("q")
        self.replies = bytearray()
        self.starts = array("Q", (0,))
        self.references = array("q")

    @property
    def octets(self) -> int:
        return _OCTETS_A_MESSAGE * len(self.uids) + _OCTETS_A_NUMBER * len(self.references)

    def append(self, found: Traits) -> None:
        self.uids.append(found.uid)
        self.sent.append(found.sent)
        self.ids.append(found.message_id)
        self.subjects.append(found.subject)
        self.replies.append(found.is_reply)
        most = REFERENCES_A_MESSAGE * len(self.uids) + REFERENCES_SPARE
        is_much = len(self.references) + len(found.references) > most
        self.references.extend(found.references[-NEAREST:] if is_much else found.references)
        self.starts.append(len(self.references))

    def missing(self, uids: Sequence[int]) -> list[int]:
        """Those of the ascending UIDs that are not here."""
        here = frozenset(self.uids)
        return [uid for uid in uids if uid not in here]

    def threadable(self, uid: int, number: int) -> Threadable | None:
        """The message, or None where it is not here."""
        place = bisect_left(self.uids, uid)
        if place == len(self.uids) or self.uids[place] != uid:
            return None
        return Threadable(
            number,
            self.sent[place],
            self.ids[place] or None,
            self.references[self.starts[place] : self.starts[place + 1]],
            self.subjects[place],
            bool(self.replies[place]),
        )
