"""LANGUAGE: in which language our words are (RFC 5255 §3); there is English."""

from typing import Final

from mailbox_server.imap.responses import Outcome, no, ok, string
from mailbox_server.imap.session import Session

LANGUAGES: Final = ("EN", "I-DEFAULT")
_WANTED_BY_DEFAULT: Final = "DEFAULT"


async def language(session: Session, ranges: tuple[str, ...]) -> Outcome:
    """List the languages, or choose the first range that means one of them.

    A range matches a language that is equal or that it begins with (RFC 4647 §3.4).
    """
    if not ranges:
        session.respond(b"LANGUAGE (" + " ".join(LANGUAGES).encode("ascii") + b")")
        return ok("These are the languages")
    for wanted in ranges:
        found = _matching(wanted)
        if found is not None:
            session.respond(b"LANGUAGE (" + string(found.encode("ascii")) + b")")
            return ok("Now speaking that language")
    return no("None of these languages is spoken here", b"CANNOT")


def _matching(wanted: str) -> str | None:
    wanted = wanted.upper()
    if wanted in (_WANTED_BY_DEFAULT, "*"):
        return LANGUAGES[-1]
    return next((tag for tag in LANGUAGES if f"{wanted}-".startswith(f"{tag}-")), None)
