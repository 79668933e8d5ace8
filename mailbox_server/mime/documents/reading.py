"""Read a document of a known kind: octets in, normalized text out.

For the reading process only: it loads the readers of all kinds.
"""

from collections.abc import Callable

import msgspec

from mailbox_server.mime.documents.content_lines import gather_content_lines
from mailbox_server.mime.documents.gathered import Enough, Gathered
from mailbox_server.mime.documents.kinds import Kind
from mailbox_server.mime.documents.office import gather_office
from mailbox_server.mime.documents.outcomes import Outcome, Unreadable
from mailbox_server.mime.documents.pdf import gather_pdf
from mailbox_server.mime.normal_form import normalize_stripped


class DocumentText(msgspec.Struct, frozen=True):
    """The outcome, and the text as search compares it."""

    outcome: Outcome
    text: str = ""


def read_document(
    kind: Kind,
    octets: bytes,
    charset: str | None,
    most_characters: int,
    is_late: Callable[[], bool],
) -> DocumentText:
    """The text of a document, at most most_characters of it; never raises.

    is_late: whether what is not begun is to be left out.
    """
    gathered = Gathered(most_characters)
    try:
        if kind is Kind.PDF:
            gather_pdf(octets, gathered, is_late)
        elif kind is Kind.OFFICE:
            gather_office(octets, gathered)
        else:
            gather_content_lines(octets, charset, gathered)
    except Enough:
        pass
    except Unreadable as fault:
        return DocumentText(fault.outcome)
    except MemoryError:
        return DocumentText(Outcome.EXHAUSTED)
    except Exception:  # a stranger's file breaks its reader in any way; that is all it is
        return DocumentText(Outcome.DAMAGED)
    text = normalize_stripped(gathered.text())
    is_cut = gathered.is_cut or len(text) > most_characters
    return DocumentText(Outcome.CUT if is_cut else Outcome.READ, text[:most_characters])
