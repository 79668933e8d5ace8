"""Write records as a zone file (RFC 1035 §5): TXT values in strings of 255 octets, quoted."""

from collections.abc import Sequence
from typing import Final

from mailbox_server.ops.rows import RecordRow

STRING_OCTETS: Final = 255
TTL_SECONDS: Final = 3_600


def zone_file(domain: str, rows: Sequence[RecordRow]) -> str:
    """Lines ready for the zone of domain (A-labels).

    What does not belong into that zone, is not known, or has to wait is a comment.
    """
    lines = [f"; what the DNS should say of {domain}"]
    for row in rows:
        lines.append(f"; {row.note}")
        line = f"{row.name}. {TTL_SECONDS} IN {row.type} {_value(row)}"
        is_inside = row.name == domain or row.name.endswith(f".{domain}")
        is_wanted = row.value and row.need != "later" and is_inside
        lines.append(line if is_wanted else f"; {line.rstrip()}")
    return "\n".join(lines) + "\n"


def _value(row: RecordRow) -> str:
    if row.type != "TXT":
        return row.value
    octets = row.value.encode("utf-8")
    strings = [octets[at : at + STRING_OCTETS] for at in range(0, len(octets), STRING_OCTETS)] or [
        b""
    ]
    quoted = [f'"{"".join(map(_character, string))}"' for string in strings]
    return quoted[0] if len(quoted) == 1 else f"( {' '.join(quoted)} )"


def _character(octet: int) -> str:
    if octet in b'"\\':
        return "\\" + chr(octet)
    return chr(octet) if 32 <= octet < 127 else f"\\{octet:03d}"
