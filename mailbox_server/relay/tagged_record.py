"""TXT records of the form `v=...; name=value; ...` (RFC 8461 §3.1, RFC 8460 §3), read strictly."""

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

_RECORD_OCTETS: Final = 4096
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,31}\Z")
_VALUE: Final = re.compile(r"[!-:<>-~]+\Z")
_WSP: Final = " \t"


def only_record(
    records: Sequence[bytes], version: str, free_values: frozenset[str] = frozenset()
) -> Mapping[str, str] | None:
    """The fields of the one record of that version; of a repeated field the first counts.

    free_values: fields whose values may hold blanks and `=` as well.  None where there is no
    such record, or more than one, or it is malformed or longer than 4 KiB.
    """
    head = f"{version};".encode("ascii")
    mine = [record for record in records if record.startswith(head)]
    if len(mine) != 1 or len(mine[0]) > _RECORD_OCTETS or not mine[0].isascii():
        return None
    texts = mine[0].decode("ascii").split(";")[1:]
    if not texts[-1].strip(_WSP):
        texts.pop()
    fields: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.strip(_WSP).partition("=")
        if not equals or not _NAME.match(name):
            return None
        if name in free_values:
            if not value or not value.replace("\t", " ").isprintable():
                return None
        elif not _VALUE.match(value):
            return None
        fields.setdefault(name, value)
    return MappingProxyType(fields)
