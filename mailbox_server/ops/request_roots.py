"""What all requests of an operator, and all rows that come back, have in common."""

from datetime import UTC, datetime

import msgspec


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="request"):
    """The root of all requests."""


class Row(msgspec.Struct, frozen=True, tag_field="row"):
    """The root of all rows."""


def instant(moment: datetime | None) -> str | None:
    """How a row tells a moment: in UTC, to the second."""
    return None if moment is None else moment.astimezone(UTC).isoformat(timespec="seconds")
