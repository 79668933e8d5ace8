"""Moments as people write them behind an option: `2030-12-31`, `90d`; read before they are sent."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

import click

from mailbox_server.model.errors import BadInput
from mailbox_server.model.ports import SystemClock
from mailbox_server.ops.moments import read_expiry, read_past


class _Moment(click.ParamType[str]):
    """What a reader of ops.moments reads, as it was written."""

    def __init__(self, name: str, read: Callable[[str, datetime], datetime]) -> None:
        self.name = name
        self._read = read

    def convert(
        self, value: Any, parameter: click.Parameter | None, context: click.Context | None
    ) -> str:
        try:
            self._read(str(value), SystemClock().now())
        except BadInput as error:
            self.fail(str(error), parameter, context)
        return str(value)


AGE: Final = _Moment("age", read_past)
EXPIRY: Final = _Moment("date", read_expiry)
