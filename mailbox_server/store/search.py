"""Which messages a criterion or words can be about, asked of the search index.

What the texts of attached documents add is asked of their own file (store.attached_text).
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import sqlalchemy as sa

from mailbox_server.mime.normal_form import normalize
from mailbox_server.model.ids import AccountId, MailboxId
from mailbox_server.store.attached_text.reading import AttachedTextReader
from mailbox_server.store.by_message import LISTED, lists
from mailbox_server.store.message_blocks import LYING, block_of, lying
from mailbox_server.store.ports import (
    Candidates,
    Scored,
    TextCriterion,
    TextScope,
    WordCandidates,
    WordScope,
    WordTerm,
)
from mailbox_server.store.prepared import Prepared
from mailbox_server.store.schema.accounts import account as owner
from mailbox_server.store.schema.mailboxes import mailbox
from mailbox_server.store.schema.messages import (
    message,
    message_block,
    message_listing,
    message_text,
    placement,
)
from mailbox_server.store.search_index.briefs import parts
from mailbox_server.store.search_index.header_text import INDEXED_FIELDS, field_values
from mailbox_server.store.search_index.needles import question
from mailbox_server.store.search_index.reading import IndexReader, Wanted
from mailbox_server.store.search_index.words import Term, Texts, score, words_of
from mailbox_server.store.transactions import SqlTx
from mailbox_server.store.uid_runs import range_values

_KINDS: Final[Mapping[TextScope, tuple[str, ...]]] = {
    TextScope.BODY: ("text",),
    TextScope.TEXT: ("text", "head"),
}
_FIELDS: Final[Mapping[WordScope, bytes]] = {
    WordScope.FROM: b"from",
    WordScope.TO: b"to",
    WordScope.CC: b"cc",
    WordScope.BCC: b"bcc",
    WordScope.SUBJECT: b"subject",
}
_SCORED_FIELDS: Final = (WordScope.FROM, WordScope.SUBJECT)
"""Those that weigh more than the rest of the header."""

_LIVE: Final = Prepared(
    sa.select(placement.c.message)
    .distinct()
    .join_from(placement, mailbox, mailbox.c.id == placement.c.mailbox)
    .where(
        mailbox.c.account == sa.bindparam("account"),
        mailbox.c.destroyed_at.is_(None),
        placement.c.expunged_at.is_(None),
    )
)
_HOLDING: Final = Prepared(
    sa.select(placement.c.mailbox)
    .where(*lying(LISTED), placement.c.message.in_(LISTED))
    .limit(sa.bindparam("most"))
)
_HOLDING_NEWER: Final = Prepared(
    sa.select(placement.c.mailbox)
    .where(
        message_block.c.messages >= sa.bindparam("block"),
        *LYING,
        placement.c.message > sa.bindparam("upto"),
    )
    .limit(sa.bindparam("most"))
)
_PLACEMENTS: Final = 5_000
"""Of candidates, that are looked for."""
_COUNT: Final = Prepared(sa.select(owner.c.messages).where(owner.c.id == sa.bindparam("account")))
_NEWER: Final = Prepared(
    sa.select(message.c.id)
    .where(
        message.c.id > sa.bindparam("upto"),
        message.c.account == sa.bindparam("account"),
        message.c.destroyed_at.is_(None),
    )
    .order_by(message.c.id)
)
_OWN: Final = Prepared(
    sa.select(message.c.id).where(
        message.c.id.in_(LISTED),
        message.c.account == sa.bindparam("account"),
        message.c.destroyed_at.is_(None),
    )
)
_TEXTS: Final = Prepared(
    sa.select(message.c.id, message_text.c.body, message_text.c.header, message_listing.c.listed)
    .join_from(message, message_text, message_text.c.message == message.c.id)
    .join(message_listing, message_listing.c.message == message.c.id)
    .where(
        message.c.id.between(sa.bindparam("first"), sa.bindparam("last")),
        message.c.account == sa.bindparam("account"),
        message.c.destroyed_at.is_(None),
    )
)
_TEXTS_A_STEP: Final = 10
_INDEXED: Final[Mapping[str, int]] = {
    field.decode("ascii"): place for place, field in enumerate(INDEXED_FIELDS)
}

_RECALLED_CHARACTERS: Final = 200
"""Of a needle; longer ones take long to normalize, a MiB of ligatures most of a second."""


def recalled(index: IndexReader, account: AccountId, criterion: TextCriterion) -> Candidates | None:
    """What Search.candidates says, of what is kept of the index; None where it must be read."""
    field = _INDEXED.get(_field_of(criterion))
    if field is None or len(criterion.needle) > _RECALLED_CHARACTERS:
        return None
    return index.recalled_field(account, field, normalize(criterion.needle))


def _field_of(criterion: TextCriterion) -> str:
    """The name of the header field that a criterion about one is about, in small letters."""
    is_header = criterion.scope is TextScope.HEADER
    return (criterion.field if is_header else criterion.scope).lower()


class Search:
    """SearchReader on the index; without a reader it knows nothing."""

    __slots__ = ("_attached", "_index", "_tx")

    def __init__(
        self, tx: SqlTx, index: IndexReader | None, attached: AttachedTextReader | None = None
    ) -> None:
        self._tx = tx
        self._index = index
        self._attached = attached

    def candidates(self, account: AccountId, criterion: TextCriterion) -> Candidates | None:
        """Which messages of the account may match; None where all must be looked at."""
        if self._index is None:
            return None
        needle = normalize(criterion.needle)
        kinds = _KINDS.get(criterion.scope)
        if kinds is not None:
            return self._maybe(account, kinds, (needle,))
        name = _field_of(criterion)
        field = _INDEXED.get(name)
        if field is not None:
            return self._index.field(account, field, needle)
        if not name.isascii():
            return None
        # The name stands before the value in the line, so both are in the text.
        return self._maybe(account, ("head",), (f"{name}:", needle))

    def mailboxes_of(
        self, account: AccountId, candidates: Candidates
    ) -> frozenset[MailboxId] | None:
        """All mailboxes, and maybe more, with a candidate or a message that the index lacks.

        None where they are too many to be looked for.
        """
        most, upto = _PLACEMENTS + 1, candidates.upto
        rows = _HOLDING_NEWER.rows(
            self._tx, account=account, block=block_of(upto), upto=upto, most=most
        )
        for each in lists(sorted([*candidates.sure, *candidates.maybe])):
            if len(rows) >= most:
                break
            rows += _HOLDING.rows(self._tx, account=account, messages=each, most=most - len(rows))
        return None if len(rows) >= most else frozenset(MailboxId(row[0]) for row in rows)

    def word_candidates(self, account: AccountId, terms: Sequence[WordTerm]) -> WordCandidates:
        """Messages of all the account's mailboxes in which all terms may be."""
        found: set[int] | None = None
        counts: list[int | None] = []
        for term in terms:
            known = self._word_candidates(account, term)
            if known is None:
                counts.append(None)
                continue
            these = self._own(account, known.maybe)
            newer = _NEWER.rows(self._tx, account=account, upto=known.upto)
            these.update(row[0] for row in newer)
            counts.append(len(these))
            found = these if found is None else found & these
        if found is None:
            found = {row[0] for row in _LIVE.rows(self._tx, account=account)}
        row = _COUNT.row(self._tx, account=account)
        held = row[0] if row is not None else 0
        return WordCandidates(sorted(found), tuple(_rarity(count, held) for count in counts))

    def scored(
        self,
        account: AccountId,
        terms: Sequence[WordTerm],
        weights: Sequence[float],
        messages: Sequence[int],
    ) -> list[Scored]:
        """Those of the ascending messages, live ones of the account, that hold all terms."""
        ready = [Term(term) for term in terms]
        scopes = {*_SCORED_FIELDS, *(term.scope for term in terms)}
        found: list[Scored] = []
        for values in range_values(messages, account=account):
            for rows in _TEXTS.blocks(self._tx, _TEXTS_A_STEP, **values):
                for row in rows:
                    points = score(ready, weights, self._texts(row, scopes))
                    if points is not None:
                        found.append(Scored(row[0], points))
        return found

    def _maybe(
        self, account: AccountId, kinds: tuple[str, ...], needles: tuple[str, ...]
    ) -> Candidates | None:
        asked = question(account, needles)
        if self._index is None or asked is None:
            return None
        # A word of the body is in what BODY and TEXT look into.
        wanted = Wanted(kinds, asked, parts(needles))
        sure = needles[0] if "text" in kinds else None
        known = self._index.maybe(account, wanted, sure)
        if known is None or self._attached is None or "text" not in kinds:
            return known
        attached = self._attached.maybe(asked)
        maybe = {*known.maybe, *attached}.difference(known.sure) if attached else known.maybe
        return Candidates(known.sure, sorted(maybe), known.upto)

    def _word_candidates(self, account: AccountId, term: WordTerm) -> Candidates | None:
        # Each word may stand in another of the texts; of one text all would be asked.
        words = words_of(term)
        kinds = ("text", "head") if term.scope is WordScope.ANYWHERE else ("head",)
        kinds = ("text",) if term.scope is WordScope.BODY else kinds
        found: Candidates | None = None
        for each in words:
            known = self._maybe(account, kinds, (each,))
            if known is not None:
                both = sorted([*known.sure, *known.maybe])
                known = Candidates((), both, known.upto)
            if known is not None and found is not None:
                upto = min(known.upto, found.upto)
                both = sorted({*known.maybe}.intersection(found.maybe))
                known = Candidates((), both, upto)
            found = known or found
        return found

    def _own(self, account: AccountId, messages: Sequence[int]) -> set[int]:
        """Those of the ascending messages that are the account's, and live."""
        asked = lists(messages)
        rows = (_OWN.rows(self._tx, account=account, messages=each) for each in asked)
        return {row[0] for some in rows for row in some}

    def _texts(self, row: Any, scopes: set[WordScope]) -> Texts:
        message, body, header, listed = row
        if self._attached is not None and (attached := self._attached.text(message)):
            body = f"{body}\n{attached}"
        # Fields too many to list are looked for among those that were gathered.
        fields = {
            scope: header if listed is None else "\n".join(field_values(listed, _FIELDS[scope]))
            for scope in scopes
            if scope in _FIELDS
        }
        return Texts(body, header, fields)


def _rarity(count: int | None, held: int) -> float:
    """The weight of a term that so many of the messages held may hold."""
    if count is None or count > held:
        count = held
    return math.log(1 + (held - count + 0.5) / (count + 0.5))
