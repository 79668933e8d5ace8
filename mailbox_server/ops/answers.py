"""What a server says over the control socket: its greeting, rows, or why there are none."""

import msgspec

from mailbox_server.model.errors import Unavailable
from mailbox_server.ops.rows import AnyRow


class ServerFault(Unavailable):
    """The server met a fault of its own; its log has more."""


class Hello(msgspec.Struct, frozen=True):
    """What a server says first; protocol is control_frames.PROTOCOL."""

    protocol: int
    version: str


class Rows(msgspec.Struct, frozen=True, tag_field="answer", tag="rows"):
    """A positive answer."""

    rows: list[AnyRow] = msgspec.field(default_factory=list)


class Failure(msgspec.Struct, frozen=True, tag_field="answer", tag="failure"):
    """A refusal; kind is the name of the error, sentence is for the operator.

    temporary: the same request may succeed later.
    """

    kind: str
    sentence: str
    temporary: bool = False


Answer = Rows | Failure
