"""Write config.example.toml from the typed settings, so that it never says another thing.

`python -m mailbox_server.app.example > config.example.toml` renews the file; a test
compares the two.
"""

import sys
import textwrap
from typing import Any, Final

from mailbox_server.app.configuration import Setting, settings_table

_HEAD: Final = """\
# Configuration of mailbox-server.
#
# Every key stands here with its default; a file need only hold what differs.
# "live" keys take effect on SIGHUP (systemctl reload), the others at the next start.
# `mailbox-server config check` says whether a file can be used.
"""


def example() -> str:
    """The whole text of config.example.toml."""
    lines = [_HEAD.rstrip("\n")]
    table = ""
    for setting in settings_table():
        if setting.table != table:
            table = setting.table
            lines += ["", f"[{table}]", *_comment(setting.table_note)]
        lines += ["", *_comment(_note(setting))]
        lines.append(f"{setting.key.partition('.')[2]} = {_toml(setting.default)}")
    return "\n".join(lines) + "\n"


def _note(setting: Setting) -> str:
    note = setting.note
    if setting.lowest is not None or setting.highest is not None:
        low = "" if setting.lowest is None else f"{setting.lowest:,}"
        high = "" if setting.highest is None else f"{setting.highest:,}"
        note += f" From {low} to {high}." if high else f" At least {low}."
    return f"{note} (live)" if setting.live else note


def _comment(text: str) -> list[str]:
    return textwrap.wrap(text, 88, initial_indent="# ", subsequent_indent="# ")


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return f"{value:_}" if abs(value) >= 10_000 else str(value)
    if isinstance(value, list):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    escaped = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


if __name__ == "__main__":
    sys.stdout.write(example())
