"""SEARCH asks cheap keys first, dear ones only of what is left, and always in blocks."""

import asyncio
import itertools
from array import array
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TypeVar, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailbox_server.imap.facts import message_facts
from mailbox_server.imap.facts.message_facts import Apart, MessageFacts
from mailbox_server.imap.facts.uids_by_message import UidsByMessage
from mailbox_server.imap.grammar.lexer import Lexer
from mailbox_server.imap.grammar.search_criteria import parse_search
from mailbox_server.imap.grammar.sequence_sets import By, SequenceSet
from mailbox_server.imap.search import matching
from mailbox_server.imap.search.matching import matches
from mailbox_server.imap.search.text_turns import TextTurns
from mailbox_server.imap.views.selected import NumberBeyond, SelectedView
from mailbox_server.model.errors import SearchTooLong
from mailbox_server.model.ids import AccountId, MailboxId
from mailbox_server.model.ports import Clock
from mailbox_server.store.ports import Candidates, Column, ReadTx, Store, TextCriterion

T = TypeVar("T")


class Box:
    """A mailbox whose message n has UID 2n, size n, \\Seen where n is even."""

    id = MailboxId(1)
    account = AccountId(1)
    octets = 1_000

    def __init__(self, count: int) -> None:
        self.count = count
        self.mailbox = self
        self.facts = MessageFacts(self.id, asyncio.Lock())
        self.asked: list[tuple[str, int]] = []
        self.weighed = 0
        self.index_asked = 0
        self.known: dict[str, Candidates] = {}
        self.is_kept = False
        self.keeps_messages = False
        self.reads = 0

    def uids(self, numbers: SequenceSet, by: By) -> Sequence[int]:
        meant = numbers.resolved(2 * self.count if by is By.UID else self.count)
        if by is By.UID:
            return [uid for uid in range(2, 2 * self.count + 1, 2) if uid in meant]
        if any(number > self.count for number in meant):
            raise NumberBeyond("beyond")
        return [2 * number for number in meant]

    def all_uids(self) -> Sequence[int]:
        return range(2, 2 * self.count + 1, 2)

    def uid_at(self, number: int) -> int:
        assert 1 <= number <= self.count
        return 2 * number

    def having(self, holds: Callable[[frozenset[str]], bool], uids: Sequence[int]) -> list[int]:
        self.asked.append(("flags", len(uids)))
        return [u for u in uids if holds(frozenset({"\\Seen"} if u % 4 == 0 else {"$Work"}))]

    def is_recent(self, uid: int) -> bool:
        return uid > self.count

    def changed_since(self, modseq: int, uids: Sequence[int]) -> list[int]:
        return [uid for uid in uids if uid > modseq]

    def message_ids(self, uids: Sequence[int]) -> Sequence[int]:
        return [uid + 1_000 for uid in uids]

    async def by_message(self, apart: Apart) -> UidsByMessage | None:
        if not self.keeps_messages:
            return None
        uids = array("I", self.all_uids())
        return UidsByMessage().with_more(uids, array("q", self.message_ids(uids)))

    # the store

    @property
    def messages(self) -> "Box":
        return self

    @property
    def search(self) -> "Box":
        return self

    def candidates(self, account: AccountId, criterion: TextCriterion) -> Candidates | None:
        self.index_asked += 1
        return self.known.get(criterion.needle)

    def recalled_candidates(
        self, account: AccountId, criterion: TextCriterion
    ) -> Candidates | None:
        return self.known.get(criterion.needle) if self.is_kept else None

    async def read(self, work: Callable[[ReadTx], T]) -> T:
        self.reads += 1
        return work(cast(ReadTx, self))

    def rows(
        self, mailbox: MailboxId, uids: Sequence[int], columns: Sequence[Column]
    ) -> list[tuple[object, ...]]:
        if columns == (Column.SIZE, Column.HEADER_OCTETS):
            self.weighed += len(uids)
            return [(uid, self.octets, 100) for uid in uids if uid % 8]
        self.asked.append(("rows", len(uids)))
        assert columns == (Column.SIZE,)
        return [(uid, uid // 2) for uid in uids]

    def matching(
        self, mailbox: MailboxId, criterion: TextCriterion, within: Sequence[int]
    ) -> list[int]:
        self.asked.append((criterion.scope.value, len(within)))
        return [uid for uid in within if criterion.needle in str(uid // 2)]

    def matching_of_little(
        self, mailbox: MailboxId, criterion: TextCriterion, within: Sequence[int], most: int
    ) -> list[int] | None:
        is_little = self.octets * len(within) <= most
        return self.matching(mailbox, criterion, within) if is_little else None


class Standing:
    """A clock that goes on by `step` seconds whenever it is read."""

    def __init__(self, step: float = 0.0) -> None:
        self.at = 0.0
        self.step = step

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC)

    def monotonic(self) -> float:
        self.at += self.step
        return self.at


async def found(box: Box, keys: str, clock: Clock | None = None) -> list[int]:
    arguments = parse_search(Lexer(f" {keys}".encode()), By.NUMBER)
    view = cast(SelectedView, box)
    uids = await matches(cast(Store, box), view, arguments.key, clock or Standing(), TextTurns())
    return [uid // 2 for uid in uids]


@pytest.mark.parametrize(
    ("keys", "numbers"),
    [
        ("ALL", [1, 2, 3, 4, 5, 6]),
        ("SEEN", [2, 4, 6]),
        ("NOT SEEN", [1, 3, 5]),
        ("UNSEEN NOT 1", [3, 5]),
        ("KEYWORD $wORK", [1, 3, 5]),
        ("UNKEYWORD $work", [2, 4, 6]),
        ("2:4,9", [2, 3, 4]),
        ("7:9", []),
        ("5:*", [5, 6]),
        ("*", [6]),
        ("UID 3:8", [2, 3, 4]),
        ("UID 100:*", [6]),
        ("UID 5", []),
        ("OR 1 6", [1, 6]),
        ("OR LARGER 4 SEEN", [2, 4, 5, 6]),
        ("LARGER 2 SMALLER 5", [3, 4]),
        ("TEXT 3", [3]),
        ("NOT (OR 1:2 (TEXT 4))", [3, 5, 6]),
        ("RECENT", [4, 5, 6]),
        ("OLD SEEN", [2]),
        ("NEW", [5]),
        ("MODSEQ 10", [5, 6]),
    ],
)
async def test_keys(keys: str, numbers: list[int]) -> None:
    assert await found(Box(6), keys) == numbers


async def test_an_empty_mailbox_has_nothing_to_find() -> None:
    box = Box(0)
    for keys in ("ALL", "1:*", "UID *", "NOT TEXT x"):
        assert await found(box, keys) == []
    assert box.asked == []


async def test_dear_keys_are_asked_of_what_cheap_ones_leave() -> None:
    box = Box(100)
    await found(box, "BODY 1 SUBJECT 6 LARGER 50 SEEN 1:80")
    assert box.asked == [("flags", 80), ("rows", 80), ("Subject", 15), ("body", 7)]


async def test_the_second_of_or_is_asked_of_the_rest_only() -> None:
    box = Box(10)
    await found(box, "OR TEXT 7 SEEN")
    assert box.asked == [("flags", 10), ("text", 5)]


async def test_reads_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matching, "BLOCK", 1_000)
    monkeypatch.setattr(message_facts, "ROWS_A_READ", 30)
    monkeypatch.setattr(matching, "TEXTS_A_READ", 70)
    box = Box(2_500)
    assert len(await found(box, "TEXT 1 LARGER 0")) > 0
    assert max(size for what, size in box.asked if what == "rows") == 30
    assert max(size for what, size in box.asked if what == "text") == 70


async def test_a_read_of_texts_is_bounded_by_their_octets() -> None:
    """I4: no reader is busy for long with one search."""
    box = Box(400)
    box.octets = matching.OCTETS_A_READ // 10
    wanted = [number for number in range(1, 401) if "7" in str(number)]
    assert await found(box, "TEXT 7") == wanted
    texts = [count for what, count in box.asked if what == "text"]
    # Every fourth message is gone from the store and weighs nothing.
    assert max(texts) <= 14 and sum(texts) == 400
    assert box.weighed <= 500 + 6 * 400
    box.octets = 2 * matching.OCTETS_A_READ
    box.asked.clear()
    assert await found(box, "BODY 7") == wanted
    assert max(count for _, count in box.asked) <= 2
    box.asked.clear()
    assert await found(box, "SUBJECT 7") == wanted
    assert box.asked == [("Subject", 400)]


async def test_equal_keys_are_asked_once() -> None:
    box = Box(50)
    await found(box, "TEXT 0 TEXT 0 (OR TEXT 1 TEXT 1) TEXT 0")
    assert [what for what, _ in box.asked] == ["text", "text"]


async def test_what_the_index_knows_is_not_looked_at() -> None:
    """Message n has the id 1000 + 2n."""
    box = Box(100)
    box.known["1"] = Candidates([1_002], [1_020, 1_024, 1_040], 1_190)
    assert await found(box, "TEXT 1") == [1, 10, 12, 100]
    assert box.asked == [("text", 8)]


async def test_few_that_may_match_are_looked_at_in_the_read_that_asks() -> None:
    box = Box(400)
    box.keeps_messages = True
    box.known["1"] = Candidates([1_004], [1_020, 1_204, 1_212], 1_800)
    assert await found(box, "TEXT 1") == [2, 10, 102, 106]
    assert (box.reads, box.asked) == (1, [("text", 3)])


async def test_what_is_kept_of_the_index_needs_no_read() -> None:
    box = Box(400)
    box.keeps_messages = box.is_kept = True
    box.known["1"] = Candidates([1_004, 1_020], [], 1_800)
    assert await found(box, "FROM 1") == [2, 10]
    assert await found(box, "FROM 1 SEEN") == [2, 10]
    assert (box.reads, box.index_asked) == (0, 0)
    box.known["1"] = Candidates([1_004], [1_020, 1_204], 1_800)
    assert await found(box, "FROM 1") == [2, 10, 102]
    assert (box.reads, box.index_asked) == (1, 0)


async def test_others_have_their_turn_between_keys_that_need_no_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """When the index is asked, and when its answers are gone through."""
    box, asked_in, sorted_in, turn = Box(400), list[int](), list[int](), 0
    message_ids = box.message_ids
    box.keeps_messages = True

    def recalled(account: AccountId, criterion: TextCriterion) -> Candidates:
        asked_in.append(turn)
        return Candidates(range(1_002, 1_802, 2), [], 1_800)

    def ids(uids: Sequence[int]) -> Sequence[int]:
        sorted_in.append(turn)
        return message_ids(uids)

    async def others() -> None:
        nonlocal turn
        while True:
            turn += 1
            await asyncio.sleep(0)

    monkeypatch.setattr(box, "recalled_candidates", recalled)
    monkeypatch.setattr(box, "message_ids", ids)
    going_on = asyncio.create_task(others())
    await found(box, " ".join(f"FROM {number}" for number in range(10)))
    going_on.cancel()
    assert len(set(asked_in)) == 10
    assert len(set(sorted_in)) == len(sorted_in) >= 10


async def test_few_large_ones_are_looked_at_in_a_turn_of_their_own() -> None:
    box = Box(400)
    box.keeps_messages = True
    box.octets = matching.FEW_OCTETS // 3 + 1
    box.known["1"] = Candidates([1_004], [1_020, 1_204, 1_212], 1_800)
    assert await found(box, "TEXT 1") == [2, 10, 102, 106]
    assert (box.reads, box.asked) == (2, [("text", 3)])


async def test_many_that_may_match_are_looked_at_in_a_turn_of_their_own() -> None:
    box = Box(400)
    box.keeps_messages = True
    box.known["1"] = Candidates([1_004], range(1_010, 1_090, 2), 1_800)
    wanted = [2, *(number for number in range(5, 45) if "1" in str(number))]
    assert await found(box, "TEXT 1") == wanted
    assert (box.reads, box.asked) == (2, [("text", 40)])


async def test_where_other_keys_follow_few_are_looked_at_once() -> None:
    box = Box(400)
    box.keeps_messages = True
    box.known["1"] = Candidates([1_004], [1_020, 1_204], 1_800)
    assert await found(box, "TEXT 1 UID 1:100 SEEN") == [2, 10]
    assert await found(box, "TEXT 1 SEEN") == [2, 10, 102]
    assert [each for each in box.asked if each[0] == "text"] == [("text", 1), ("text", 2)]


async def test_the_index_narrows_what_other_keys_are_asked_of() -> None:
    box = Box(100)
    box.known["1"] = Candidates([], [1_020, 1_040], 1_200)
    assert await found(box, "LARGER 5 BODY 1 SEEN") == [10]
    assert box.asked == [("flags", 100), ("rows", 2), ("body", 2)]


async def test_what_the_index_knows_can_be_negated() -> None:
    box = Box(30)
    box.known["1"] = Candidates([1_002], [1_004], 2_000)
    assert await found(box, "NOT TEXT 1") == list(range(2, 31))


async def test_the_index_is_asked_once_a_search_and_not_about_a_few() -> None:
    box = Box(3_000)
    await found(box, "OR (TEXT 1 SEEN) (TEXT 1 UNSEEN)")
    assert box.index_asked == 1
    box.index_asked = 0
    await found(box, "1:20 TEXT 1")
    assert box.index_asked == 0


async def test_a_search_that_takes_too_long_is_given_up() -> None:
    with pytest.raises(SearchTooLong):
        await found(Box(10_000), "NOT LARGER 9999", Standing(step=10.0))


def texts_take(seconds: float, patched: pytest.MonkeyPatch) -> None:
    """Of processor time, for each read of texts."""
    times = itertools.count(0.0, seconds)
    patched.setattr(matching.time, "thread_time", lambda: next(times))


@pytest.mark.parametrize(("keys", "is_answered"), [(5, True), (6, False), (300, False)])
async def test_texts_are_looked_through_for_some_seconds_in_all(
    keys: int, is_answered: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I4: five, and none of these keys leaves fewer messages to the next one."""
    texts_take(1.0, monkeypatch)
    box, asked = Box(100), " ".join(f"NOT TEXT x{key}" for key in range(keys))
    if is_answered:
        assert len(await found(box, asked)) == 100
        return
    with pytest.raises(SearchTooLong):
        await found(box, asked)
    assert len([what for what, _ in box.asked if what == "text"]) == 6


async def test_in_large_mailboxes_texts_are_looked_through_for_longer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Half a second for 2,000 messages, in reads of 500."""
    texts_take(1.3, monkeypatch)
    assert await found(Box(2_000), "TEXT x") == []
    with pytest.raises(SearchTooLong):
        await found(Box(2_000), "OR TEXT x TEXT y")
    with pytest.raises(SearchTooLong):
        await found(Box(1_999 // 2), "OR TEXT x OR TEXT y TEXT z")


KEYS = st.recursive(
    st.sampled_from(("ALL", "SEEN", "UNSEEN", "2:4", "UID 5:*", "LARGER 3", "TEXT 1", "7,9,1")),
    lambda inner: st.one_of(
        inner.map(lambda key: f"NOT {key}"),
        st.tuples(inner, inner).map(lambda keys: f"OR {keys[0]} {keys[1]}"),
        st.lists(inner, min_size=1, max_size=4).map(lambda keys: f"({' '.join(keys)})"),
    ),
    max_leaves=12,
)


@given(keys=KEYS, block=st.integers(1, 12))
@settings(max_examples=150, deadline=None)
async def test_any_tree_means_what_its_words_say(keys: str, block: int) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(matching, "BLOCK", block)
        wanted = _plain(keys.replace("(", "( ").replace(")", " )").split(), 12)
        assert set(await found(Box(12), keys)) == wanted


def _plain(words: list[str], count: int) -> set[int]:
    """The same by the simplest means: sets of numbers, and a word at a time."""
    everything = set(range(1, count + 1))
    result = set(everything)
    while words and words[0] != ")":
        result &= _key(words, everything)
    return result


def _key(words: list[str], everything: set[int]) -> set[int]:
    word = words.pop(0)
    if word == "(":
        inside = _plain(words, len(everything))
        words.pop(0)
        return inside
    if word == "NOT":
        return everything - _key(words, everything)
    if word == "OR":
        return _key(words, everything) | _key(words, everything)
    if word == "UID":
        words.pop(0)
        return {number for number in everything if 2 * number >= 5}
    if word == "LARGER":
        size = int(words.pop(0))
        return {number for number in everything if number > size}
    if word == "TEXT":
        needle = words.pop(0)
        return {number for number in everything if needle in str(number)}
    return {
        "ALL": everything,
        "SEEN": {number for number in everything if number % 2 == 0},
        "UNSEEN": {number for number in everything if number % 2},
        "2:4": {2, 3, 4},
        "7,9,1": {1, 7, 9},
    }[word]
