"""The process that reads documents: `python -m mailbox_server.store.attached_text.child`.

Questions come on its input, answers go to its output (frames); its arguments are limits, all
whole numbers: octets of memory, seconds of processor time for a document, for its whole
life.  It loads all that it may need, gives up the rest (confinement), and then reads one
document after the other until its input ends.  It ends by itself where one took more memory
than there is: what is left of it cannot be trusted to be enough for the next.
"""

import contextlib
import encodings
import os
import pkgutil
import resource
import sys
import time
from collections.abc import Sequence
from importlib import import_module
from typing import Final

import msgspec
import pypdf

from mailbox_server.mime.documents.outcomes import Outcome
from mailbox_server.mime.documents.reading import DocumentText, read_document
from mailbox_server.mime.transfer import transfer_decoder
from mailbox_server.store.attached_text.confinement import confine
from mailbox_server.store.attached_text.frames import (
    LENGTH_OCTETS,
    QUESTION_OCTETS,
    READY,
    Question,
    framed,
)

INPUT: Final = 0
OUTPUT: Final = 1
_BLOCK: Final = 256 * 1024
_LATE_PART: Final = 2
"""Pages are begun for one such part of the time that a document has."""


def load_all() -> None:
    """Load what is otherwise loaded when it is first needed: no file can be opened then."""
    for package in (encodings, pypdf):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            # Some stand on what other platforms have, or on packages that are not asked for.
            with contextlib.suppress(ImportError):
                import_module(found.name)


def main(arguments: Sequence[str]) -> int:
    """Serve until the input ends."""
    memory_octets, document_seconds, life_seconds = map(int, arguments)
    load_all()
    confine(memory_octets, life_seconds)
    _say(READY)
    while (question := _next_question()) is not None:
        answer = _answer(question, document_seconds)
        _say(msgspec.json.encode(answer))
        if answer.outcome is Outcome.EXHAUSTED:
            return 0
    return 0


def _answer(question: Question, seconds: int) -> DocumentText:
    decoder = transfer_decoder(question.encoding.encode("ascii", "replace"), question.decoded_most)
    pieces: list[bytes] = []
    left = question.octets
    while left:
        block = _take(min(_BLOCK, left))
        left -= len(block)
        pieces.append(decoder.feed(block))
    pieces.append(decoder.finish())
    if decoder.is_full:
        return DocumentText(Outcome.TOO_LARGE)
    began = time.process_time()
    _, most = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (min(most, int(began) + 1 + seconds), most))
    try:
        return read_document(
            question.kind,
            b"".join(pieces),
            question.charset,
            question.most_characters,
            lambda: time.process_time() - began > seconds / _LATE_PART,
        )
    except MemoryError:
        return DocumentText(Outcome.EXHAUSTED)


def _next_question() -> Question | None:
    """None where the server has gone."""
    begun = os.read(INPUT, LENGTH_OCTETS)
    if not begun:
        return None
    length = int.from_bytes(begun + _take(LENGTH_OCTETS - len(begun)), "big")
    if length > QUESTION_OCTETS:
        raise ValueError("a question that nobody asks")
    return msgspec.json.decode(_take(length), type=Question)


def _take(octets: int) -> bytes:
    pieces: list[bytes] = []
    while octets:
        piece = os.read(INPUT, octets)
        if not piece:
            raise EOFError("the server has gone")
        pieces.append(piece)
        octets -= len(piece)
    return b"".join(pieces)


def _say(octets: bytes) -> None:
    rest = framed(octets)
    while rest:
        rest = rest[os.write(OUTPUT, rest) :]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
