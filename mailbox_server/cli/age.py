"""Times gone by as people write them: `2h`, `7d`, `2026-12-31`."""

from typing import Any, Final

import click

from mailbox_server.model.errors import BadInput
from mailbox_server.model.ports import SystemClock
from mailbox_server.ops.ages import read_past


class _Age(click.ParamType[str]):
    """What ops.ages reads, as it was written."""

    name = "age"

    def convert(
        self, value: Any, parameter: click.Parameter | None, context: click.Context | None
    ) -> str:
        try:
            read_past(str(value), SystemClock().now())
        except BadInput as error:
            self.fail(str(error), parameter, context)
        return str(value)


AGE: Final = _Age()
