"""A verb run in the test's own process: the start of another one would cost more than the verb."""

from click.testing import CliRunner

from mailbox_server.cli.main import commands
from tests.e2e.appliance import Appliance


def verb_here(appliance: Appliance, *words: str) -> str:
    """What `mailbox-server --config … words` prints.  Not on a running event loop's thread."""
    done = CliRunner().invoke(commands, ["--config", str(appliance.config), *words])
    assert done.exit_code == 0, (words, done.output)
    return done.output
