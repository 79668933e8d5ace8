"""Threads of odd messages are those of the RFC's own steps: loops, lost and doubled ids."""

import random
from typing import Final

from mailbox_server.imap.facts.thread_trees import Threadable, by_references, written
from tests.properties.threads_by_the_rfc import threads_of

CASES: Final = 1_500
CASES_FULL: Final = 100_000


def test_as_the_rfc_has_it(full: bool) -> None:
    for seed in range(CASES_FULL if full else CASES):
        messages = odd_messages(random.Random(seed))
        answer = "".join(piece for root in by_references(messages) for piece in written(root))
        assert answer == threads_of(messages), f"seed {seed}"


def odd_messages(chance: random.Random) -> list[Threadable]:
    """Few ids, so that most are doubled, lost, or refer to each other in circles."""
    ids = [str(number) for number in range(chance.randint(1, 9))]
    return [
        Threadable(
            number,
            chance.randrange(5),
            chance.choice([*ids, None]),
            chance.choices(ids, k=chance.randrange(5)),
            chance.choice(("", "s", "t")),
            chance.random() < 0.5,
        )
        for number in range(1, chance.randint(2, 10))
    ]
