"""Take the text out of PDF files (ISO 32000); pypdf's one home.

Runs only in a process that can be killed: no limit of ours reaches into a page.
"""

import logging
from collections.abc import Callable
from io import BytesIO
from typing import Final

from pypdf import PdfReader
from pypdf.errors import DependencyError, LimitReachedError

from mailbox_server.mime.documents.gathered import Enough, Gathered
from mailbox_server.mime.documents.outcomes import Outcome, Unreadable

_SIGNATURE: Final = b"%PDF-"
_SIGNATURE_WITHIN: Final = 1_024
_DESCRIBING: Final = ("/Title", "/Subject", "/Keywords")


def gather_pdf(octets: bytes, gathered: Gathered, is_late: Callable[[], bool]) -> None:
    """is_late: whether pages that follow are not to be begun.

    A page that cannot be read is passed over, and the text is cut then.  Raises Unreadable,
    Enough, and whatever pypdf raises.
    """
    if _SIGNATURE not in octets[:_SIGNATURE_WITHIN]:
        raise Unreadable(Outcome.UNKNOWN)
    logging.getLogger("pypdf").disabled = True
    reader = PdfReader(BytesIO(octets))
    try:
        # Many files may be read by everybody and are encrypted with no password.
        if reader.is_encrypted and not reader.decrypt(""):
            raise Unreadable(Outcome.ENCRYPTED)
    except DependencyError as fault:
        raise Unreadable(Outcome.ENCRYPTED) from fault
    _gather_properties(reader, gathered)
    read = 0
    for number in range(len(reader.pages)):
        if is_late():
            gathered.is_cut = True
            raise Enough
        try:
            text = reader.pages[number].extract_text()
        except MemoryError:
            raise
        except LimitReachedError as fault:
            raise Unreadable(Outcome.EXHAUSTED) from fault
        except Exception:  # strangers' pages break pypdf in any way; the next one may be whole
            gathered.is_cut = True
            continue
        read += 1
        gathered.add_line(text)
    if not read:
        raise Unreadable(Outcome.DAMAGED)


def _gather_properties(reader: PdfReader, gathered: Gathered) -> None:
    try:
        properties = reader.metadata
        values = [] if properties is None else [properties.get(name) for name in _DESCRIBING]
    except Exception:  # as above; the pages hold what matters
        return
    for value in values:
        if isinstance(value, str):
            gathered.add_line(value)
