"""Threads by RFC 5256 §3, and what hostile references may cost."""

import random
import re

import pytest

from mailbox_server.imap.facts.thread_trees import (
    DUMMIES_A_MESSAGE,
    DUMMIES_SPARE,
    Threadable,
    _Linking,
    by_references,
    by_subject,
    written,
)


def message(
    number: int,
    *references: str,
    sent: int | None = None,
    name: str | None = "",
    subject: str = "",
    is_reply: bool = False,
) -> Threadable:
    named = str(number) if name == "" else name
    at = number if sent is None else sent
    return Threadable(number, at, named, tuple(references), subject, is_reply)


def threads(*messages: Threadable) -> str:
    return "".join(piece for root in by_references(messages) for piece in written(root))


@pytest.mark.parametrize(
    ("messages", "answer"),
    [
        ([message(1), message(2)], "(1)(2)"),
        ([message(1), message(2, "1"), message(3, "1", "2")], "(1 2 3)"),
        ([message(3, "1", "2"), message(2, "1"), message(1)], "(1 2 3)"),
        # Siblings by sent date, not by number.
        ([message(1), message(2, "1", sent=9), message(3, "1", sent=8)], "(1 (3)(2))"),
        # A reference that had been cut is put right by the message itself.
        ([message(1), message(3, "1", "2"), message(2, "9", "1")], "(1 2 3)"),
        # What is missing holds siblings together, and one alone takes its place.
        ([message(1, "x"), message(2, "x")], "((1)(2))"),
        ([message(1, "x")], "(1)"),
        ([message(1, "x", "y"), message(2, "x", "z")], "((1)(2))"),
        # Of two with one id the second stands for itself.
        ([message(1, name="a"), message(2, name="a"), message(3, "a")], "(1 3)(2)"),
        ([message(1, name=None), message(2, name=None)], "(1)(2)"),
        # Loops: what would close one is not linked.
        ([message(1, "1")], "(1)"),
        ([message(1, "2"), message(2, "1")], "(2 1)"),
        ([message(1, "2", "3"), message(2, "3", "1"), message(3, "1", "2")], "(2 3 1)"),
        # The RFC's own example of a THREAD response.
        (
            [
                message(2),
                message(3),
                message(6, "3"),
                message(4, "3", "6"),
                message(23, "3", "6", "4"),
                message(44, "3", "6"),
                message(7, "44"),
                message(96, "7"),
            ],
            "(2)(3 6 (4 23)(44 7 96))",
        ),
    ],
)
def test_linked_by_ids(messages: list[Threadable], answer: str) -> None:
    assert threads(*messages) == answer


@pytest.mark.parametrize(
    ("messages", "answer"),
    [
        # A reply goes below what is none, before or behind it.
        ([message(1, subject="a"), message(2, subject="a", is_reply=True)], "(1 2)"),
        ([message(1, subject="a", is_reply=True), message(2, subject="a")], "(2 1)"),
        # Two that are no replies, or both are: siblings below nothing.
        ([message(1, subject="a"), message(2, subject="a")], "((1)(2))"),
        (
            [message(n, subject="a", is_reply=True) for n in (1, 2, 3)],
            "((1)(2)(3))",
        ),
        # Around a missing parent.
        (
            [message(1, "x", subject="a"), message(2, "x"), message(3, subject="a")],
            "((1)(2)(3))",
        ),
        (
            [
                message(1, "x", subject="a"),
                message(2, "x"),
                message(3, "y", subject="a"),
                message(4, "y"),
            ],
            "((1)(2)(3)(4))",
        ),
        # No subject is no reason.
        ([message(1), message(2)], "(1)(2)"),
    ],
)
def test_gathered_by_subject(messages: list[Threadable], answer: str) -> None:
    assert threads(*messages) == answer


def test_ordered_subject_has_one_level() -> None:
    messages = [
        message(1, sent=5, subject="b"),
        message(2, sent=4, subject="a"),
        message(3, sent=3, subject="b"),
        message(4, sent=6, subject="b"),
    ]
    answer = "".join(piece for root in by_subject(messages) for piece in written(root))
    assert answer == "(3 (1)(4))(2)"


@pytest.mark.parametrize("seed", range(200))
def test_everything_is_there_once(seed: int) -> None:
    chance = random.Random(seed)
    ids = [str(n) for n in range(1, 12)]
    messages = [
        message(
            number,
            *chance.choices(ids, k=chance.randrange(5)),
            sent=chance.randrange(9),
            name=chance.choice([*ids, None]),
            subject=chance.choice(["", "a", "b"]),
            is_reply=chance.random() < 0.4,
        )
        for number in range(1, chance.randrange(2, 20))
    ]
    answer = threads(*messages)
    assert sorted(map(int, re.findall(r"\d+", answer))) == [each.number for each in messages]
    assert answer.count("(") == answer.count(")")
    assert "()" not in answer


def test_a_conversation_of_10_000() -> None:
    messages = [message(n, *(str(m) for m in range(max(1, n - 9), n))) for n in range(1, 10_001)]
    assert threads(*messages) == "(" + " ".join(str(n) for n in range(1, 10_001)) + ")"


def test_an_ancestor_far_above_holds_together_what_lies_between_is_missing() -> None:
    """RFC 5256 §3: the whole of References counts, not the nearest ones."""
    above = [f"a{n}" for n in range(400)]
    one = message(1, "top", *above, "b")
    other = message(2, "top", *(f"c{n}" for n in range(400)), "d")
    assert threads(one, other, message(3, name="top")) == "(3 (1)(2))"
    assert threads(one, other) == "((1)(2))"


def test_looking_for_loops_has_an_end() -> None:
    count = 2_000
    deep = [message(n, str(n - 1)) for n in range(1, count)]
    # Each has somebody below itself, and wants to be put below the deepest.
    held = [message(count + n, f"h{n}") for n in range(count)]
    hostile = [message(2 * count + n, str(count - 1), name=f"h{n}") for n in range(count)]
    messages = [*deep, *held, *hostile]
    linking = _Linking(messages)
    # Once the steps are used up, each question costs one more and no walk.
    assert -2 * len(messages) <= linking._steps < 0
    answer = threads(*messages)
    assert len(re.findall(r"\d+", answer)) == len(messages)


def test_references_to_nobody_make_no_more_nodes_than_a_few_a_message() -> None:
    count = 4_000
    messages = [message(n, *(f"{n}-{m}" for m in range(20))) for n in range(1, count + 1)]
    linking = _Linking(messages)
    assert len(linking._nodes) <= (DUMMIES_A_MESSAGE + 2) * count + DUMMIES_SPARE < 20 * count
    assert threads(*messages).count("(") == count
