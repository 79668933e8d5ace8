"""The most crowded network is known at any time, against a model that counts anew."""

import random

from hypothesis import given
from hypothesis import strategies as st

from mailbox_server.net.crowds import Crowds, Network

NETWORKS: list[Network | None] = [None, *((4, 24, 0x0A0000 + n) for n in range(4))]


def test_nobody() -> None:
    crowds: Crowds[str] = Crowds()
    assert (crowds.oldest, crowds.oldest_of_most_crowded, crowds.largest) == (None, None, 0)
    crowds.discard(None, "a stranger")
    assert len(crowds) == 0


def test_of_two_networks_alike_the_earlier_one() -> None:
    crowds: Crowds[str] = Crowds()
    for network, member in zip(NETWORKS, "abcde", strict=True):
        crowds.add(network, member)
    assert crowds.oldest_of_most_crowded == "a"
    crowds.add(NETWORKS[3], "f")
    assert (crowds.oldest, crowds.oldest_of_most_crowded) == ("a", "d")


@given(st.lists(st.tuples(st.sampled_from(range(5)), st.integers(0, 9)), max_size=60))
def test_any_coming_and_going(steps: list[tuple[int, int]]) -> None:
    """A step names a network and a member, who comes, or goes when there already."""
    crowds: Crowds[tuple[int, int]] = Crowds()
    model: list[tuple[int, int]] = []
    for member in steps:
        network = NETWORKS[member[0]]
        if member in model:
            model.remove(member)
            crowds.discard(network, member)
        else:
            model.append(member)
            crowds.add(network, member)
        sizes = [sum(1 for number, _ in model if number == each) for each in range(5)]
        assert [crowds.size(network) for network in NETWORKS] == sizes
        assert crowds.largest == max(sizes)
        assert len(crowds) == len(model)
        assert crowds.oldest == (model[0] if model else None)
        chosen = crowds.oldest_of_most_crowded
        if chosen is None:
            assert not model
        else:
            assert sizes[chosen[0]] == max(sizes)
            assert chosen == next(each for each in model if each[0] == chosen[0])


def test_nothing_is_left_behind() -> None:
    crowds: Crowds[int] = Crowds()
    members = [(NETWORKS[n % 5], n) for n in range(500)]
    for network, member in members:
        crowds.add(network, member)
    random.Random(7).shuffle(members)
    for network, member in members:
        crowds.discard(network, member)
    assert (crowds._networks, crowds._sizes, crowds.largest, len(crowds)) == ({}, {}, 0, 0)
