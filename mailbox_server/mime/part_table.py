"""Keep a structure as compact octets, and read it back.

Form: one version octet, then MessagePack: the content's size and one row for each part in
the order of `Part.walk`, its fields in the order of `Part`, the number of children last.
A later version may add fields at the end of a row; it then takes a new version octet.
"""

import msgspec
from msgspec.structs import astuple

from mailbox_server.mime.structure import Parameters, Part, Structure

VERSION = 1

_Row = tuple[
    bytes,
    bytes,
    Parameters,
    bytes | None,
    bytes | None,
    bytes,
    bytes | None,
    bytes | None,
    Parameters,
    tuple[bytes, ...],
    bytes | None,
    int,
    int,
    int,
    int,
    bytes | None,
    int,
]
_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(tuple[int, list[_Row]])


class UnreadablePartTable(ValueError):
    """The octets are no part table, or one of a version that this program cannot read."""


def write_part_table(structure: Structure) -> bytes:
    """The octets to be stored for a structure; equal structures give equal octets."""
    rows = [(*astuple(part)[:-1], len(part.children)) for part in structure.root.walk()]
    return bytes((VERSION,)) + _ENCODER.encode((structure.size, rows))


def read_part_table(octets: bytes) -> Structure:
    """The structure that was stored; raises UnreadablePartTable for anything else."""
    if octets[:1] != bytes((VERSION,)):
        raise UnreadablePartTable(f"part table version {octets[:1].hex() or 'none'}")
    try:
        size, rows = _DECODER.decode(memoryview(octets)[1:])
    except msgspec.DecodeError as fault:
        raise UnreadablePartTable("part table does not decode") from fault
    # Backwards, a part's children are complete before the part itself, the first on top.
    complete: list[Part] = []
    for row in reversed(rows):
        count = row[-1]
        if not 0 <= count <= len(complete):
            raise UnreadablePartTable("part table counts children that are not there")
        children = tuple(reversed(complete[len(complete) - count :]))
        del complete[len(complete) - count :]
        complete.append(Part(*row[:-1], children))
    if len(complete) != 1:
        raise UnreadablePartTable("part table has no single root")
    return Structure(complete[0], size)
