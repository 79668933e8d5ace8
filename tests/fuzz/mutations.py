"""Change octets at random, the same way each time: the short form without a fuzzer."""

import random
from collections.abc import Iterator

from tests.fuzz.target import Target

_INTERESTING = (
    b"\0",
    b"\r",
    b"\n",
    b"\r\n",
    b" ",
    b"\t",
    b'"',
    b"\\",
    b"\xff",
    b"\xc3",
    b"(",
    b")",
)


def inputs(target: Target, count: int) -> Iterator[bytes]:
    """The target's seeds, and then so many changed ones."""
    yield b""
    yield from target.seeds
    chance = random.Random(target.name)
    for _ in range(count):
        octets = chance.choice(target.seeds)
        for _ in range(chance.randint(1, 6)):
            octets = _changed(octets, target, chance)
        yield octets[: target.most_octets]


def _changed(octets: bytes, target: Target, chance: random.Random) -> bytes:
    start = chance.randint(0, len(octets))
    end = min(len(octets), start + chance.choice((1, 2, 5, 20)))
    match chance.randrange(6):
        case 0:
            return octets[:start] + octets[end:]
        case 1:
            return octets[:end] + octets[start:end] * chance.randint(1, 8) + octets[end:]
        case 2:
            return octets[:start] + chance.choice(_INTERESTING) + octets[start:]
        case 3:
            return octets[:start] + chance.choice(target.tokens or _INTERESTING) + octets[start:]
        case 4:
            other = chance.choice(target.seeds)
            return octets[:start] + other[chance.randint(0, len(other)) :]
        case _:
            return octets[:start] + chance.randbytes(end - start) + octets[end:]
