"""`python -m tests.fuzz.under_atheris TARGET LIBFUZZER-ARGUMENTS`: one target, instrumented.

Started by `tests.fuzz`.  The server is imported here, and only here, so that atheris sees
its branches.
"""

import sys

import atheris

with atheris.instrument_imports(include=["mailbox_server"]):
    from tests.fuzz.table import TARGETS


def main() -> None:
    """Fuzz until the time is over or something is found; ends the process."""
    program, name, *arguments = sys.argv
    target = next(target for target in TARGETS if target.name == name)
    atheris.Setup([program, *arguments], target.run)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
