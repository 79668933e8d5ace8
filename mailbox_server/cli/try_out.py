"""`try`: the appliance on loopback, with two accounts, for whoever wants to see it work."""

import os
import shlex
from pathlib import Path

import click

from mailbox_server.app.compose import settle_world
from mailbox_server.app.run import serve
from mailbox_server.cli.outcome import Surroundings
from mailbox_server.model.ports import SystemClock
from mailbox_server.ops.quickstart import (
    TryWorld,
    default_home,
    ensure_certificate,
    ensure_world,
    write_config,
)


@click.command("try")
@click.option(
    "--home",
    "home",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where everything lives; delete it to start afresh.",
)
@click.pass_obj
def verb(surroundings: Surroundings, home: Path | None) -> None:
    """Run a demonstration: loopback ports, its own certificate authority, two accounts.

    Started again it continues with the same mail. Ctrl-C stops it.
    """
    home = (home or default_home(os.environ)).absolute()
    world = ensure_world(home)
    certificate = ensure_certificate(home, world, SystemClock())
    config = write_config(home, world, certificate)
    settle_world(config, world, certificate.authority)
    serve(
        config, ready=lambda: click.echo(announcement(home, world, config, certificate.authority))
    )


def announcement(home: Path, world: TryWorld, config: Path, authority: Path) -> str:
    """How to connect, at a glance, with lines to paste."""
    ann = world.accounts[0]
    ports, ca = world.ports, shlex.quote(str(authority))
    login = shlex.quote(f"{ann.address}:{ann.password}")
    lines = [
        "",
        "mailbox-server is running on this machine only. Ctrl-C stops it; the mail stays.",
        "",
        *(f"  account   {a.address:<18} password  {a.password}" for a in world.accounts),
        "",
        f"  SMTP      localhost:{ports['smtp']}  (STARTTLS) takes mail for them, no login",
        f"  IMAP      localhost:{ports['imap']}  (STARTTLS)   localhost:{ports['imaps']}  (TLS)",
        f"  POP3      localhost:{ports['pop3']}  (STARTTLS)   localhost:{ports['pop3s']}  (TLS)",
        f"  trust     {authority}",
        f"  folder    {home}  (delete it to start afresh)",
        "",
        "Send a mail:",
        "",
        f"  printf 'Subject: Hello\\n\\nIt works.\\n' | curl --cacert {ca} --ssl-reqd \\",
        f"    --url smtp://localhost:{ports['smtp']} --mail-from me@example.org \\",
        f"    --mail-rcpt {ann.address} --upload-file - --crlf",
        "",
        f"  swaks --server localhost:{ports['smtp']} --tls --tls-ca-path {ca} \\",
        f"    --from me@example.org --to {ann.address}",
        "",
        "Read it:",
        "",
        f"  curl --cacert {ca} --user {login} \\",
        f"    'imaps://localhost:{ports['imaps']}/INBOX;MAILINDEX=*'",
        "",
        f"  curl --cacert {ca} --user {login} pop3s://localhost:{ports['pop3s']}/1",
        "",
        "Look behind it, in another terminal:",
        "",
        f"  mailbox-server --config {shlex.quote(str(config))} message list {ann.address}",
        "",
    ]
    return "\n".join(lines)
