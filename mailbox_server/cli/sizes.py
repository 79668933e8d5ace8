"""Sizes as people write them: `500M`, `5GiB`, `1048576`."""

import re
from types import MappingProxyType
from typing import Any, Final

import click

_SIZE: Final = re.compile(r"([0-9]{1,15})(?:([KMGT])(?:I?B)?)?\Z")
_UNITS: Final = MappingProxyType({None: 0, "K": 10, "M": 20, "G": 30, "T": 40})


class _Size(click.ParamType[int]):
    """A number of octets, with K, M, G or T for powers of 1,024."""

    name = "size"

    def convert(
        self, value: Any, parameter: click.Parameter | None, context: click.Context | None
    ) -> int:
        if isinstance(value, int):
            return value
        match = _SIZE.match(str(value).strip().upper())
        if match is None:
            self.fail(f"{value!r} is not a size such as 500M or 5G", parameter, context)
        octets = int(match[1]) << _UNITS[match[2]]
        if octets >= 1 << 62:
            self.fail(f"{value!r} is too large", parameter, context)
        return octets


SIZE: Final = _Size()
