"""The messages of the bench are whole, distinct and the same each time."""

import email
import email.policy
from collections import Counter

from tests.bench.mixed_messages import (
    FREQUENT_WORD,
    RARE_EVERY,
    RARE_PAIR,
    RARE_WORD,
    batches,
    messages,
)

COUNT = 400


def test_messages_are_distinct_and_repeatable() -> None:
    made = list(messages(0, COUNT))
    assert len(set(made)) == COUNT
    assert made == [each for part in batches(COUNT, 7) for each in part]
    assert list(messages(200, 210)) == made[200:210]


def test_messages_are_sound_and_mixed() -> None:
    kinds: Counter[str] = Counter()
    for octets in messages(0, 100):
        parsed = email.message_from_bytes(octets, policy=email.policy.default)
        assert not [defect for part in parsed.walk() for defect in part.defects]
        assert b"\n" not in octets.replace(b"\r\n", b"")
        assert max(map(len, octets.split(b"\r\n"))) < 998
        kinds[parsed.get_content_type()] += 1
    assert kinds == {"text/plain": 50, "multipart/alternative": 40, "multipart/mixed": 10}


def test_messages_are_of_ordinary_size() -> None:
    made = list(messages(0, COUNT))
    assert 10_000 < sum(map(len, made)) / COUNT < 13_000


def test_some_words_are_rare_and_one_is_not() -> None:
    made = list(messages(0, RARE_EVERY + 1))
    rare = [number for number, octets in enumerate(made) if RARE_WORD.encode() in octets.lower()]
    assert rare == [0, RARE_EVERY]
    assert rare == [number for number, octets in enumerate(made) if RARE_PAIR.encode() in octets]
    frequent = sum(f" {FREQUENT_WORD} ".encode() in octets for octets in made)
    assert frequent > 0.9 * len(made)
