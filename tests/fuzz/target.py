"""What a fuzzer needs of one parser, and how octets come in pieces."""

import random
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Target:
    """One parser under any octets.

    run: raises, mostly AssertionError, when the parser does what it must not.
    seeds: octets that the parser takes.  tokens: pieces that mean something to it.
    most_octets: longer inputs find nothing more.
    """

    name: str
    about: str
    run: Callable[[bytes], None]
    seeds: tuple[bytes, ...]
    tokens: tuple[bytes, ...] = ()
    most_octets: int = 2_000


def pieces_of(octets: bytes) -> Iterator[bytes]:
    """The octets in small and large pieces; the same octets always in the same ones."""
    chance = random.Random(zlib.crc32(octets))
    most = chance.choice((1, 3, 10, 50, 400))
    at = 0
    while at < len(octets):
        size = chance.randint(1, most)
        yield octets[at : at + size]
        at += size


def text_of(octets: bytes) -> str:
    """The octets as text."""
    return octets.decode("utf-8", "replace")
