"""Dates and durations as people write them: `2030-12-31`, `90d`."""

from typing import Any, Final

import click

from mailbox_server.model.errors import BadInput
from mailbox_server.model.ports import SystemClock
from mailbox_server.ops.expiry_dates import read_expiry


class _Expiry(click.ParamType[str]):
    """What ops.expiry_dates reads, as it was written."""

    name = "date"

    def convert(
        self, value: Any, parameter: click.Parameter | None, context: click.Context | None
    ) -> str:
        try:
            read_expiry(str(value), SystemClock().now())
        except BadInput as error:
            self.fail(str(error), parameter, context)
        return str(value)


EXPIRY: Final = _Expiry()
