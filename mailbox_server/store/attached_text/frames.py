"""What passes between the server and its reading process, over two pipes.

A question is a length in four octets, a Question as JSON, and as many octets as that says.
An answer is a length in four octets and a DocumentText as JSON.  The process says one answer
of its own, READY, once it has given up all that it may not use.

The server trusts no answer: what is too long or does not decode ends the process.
"""

from typing import Final

import msgspec

from mailbox_server.mime.documents.kinds import Kind

LENGTH_OCTETS: Final = 4
QUESTION_OCTETS: Final = 4_096
READY: Final = b"ready"


class Question(msgspec.Struct, frozen=True):
    """A document that follows.

    octets: how many, encoded as encoding (RFC 2045 §6) says.  decoded_most: beyond that it is
    too large.  most_characters: of text that are wanted.
    """

    kind: Kind
    octets: int
    encoding: str
    charset: str | None
    decoded_most: int
    most_characters: int


def framed(octets: bytes) -> bytes:
    """Octets with their length before them."""
    return len(octets).to_bytes(LENGTH_OCTETS, "big") + octets
