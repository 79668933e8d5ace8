"""The child process that migrates a store: `python -m mailbox_server.store.migration_child PATH`.

It is a process of its own so that Alembic never loads into the server.  Whoever starts it
holds the lock on the data folder and has made a backup.
"""

import sys
from pathlib import Path

from alembic import command
from alembic.config import Config

import mailbox_server


def migrations() -> Path:
    """The folder of revisions: inside the installed package, or beside it in a checkout."""
    package = Path(mailbox_server.__file__).parent
    installed = package / "migrations"
    return installed if installed.is_dir() else package.parent / "migrations"


def upgrade(path: Path, scripts: Path, target: str = "head") -> None:
    """Bring the database at path up to target with the revisions in scripts."""
    config = Config()
    config.set_main_option("script_location", str(scripts).replace("%", "%%"))
    config.attributes["path"] = str(path)
    command.upgrade(config, target)


def main(arguments: list[str]) -> int:
    """Migrate the database named on the command line."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m mailbox_server.store.migration_child PATH\n")
        return 2
    upgrade(Path(arguments[0]), migrations())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
