"""`try`: the appliance on loopback, with two accounts, for whoever wants to see it work."""

import asyncio
import os
import shlex
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import click

import mailbox_server
from mailbox_server.app.run import serve
from mailbox_server.cli.operator import server_answers
from mailbox_server.model.errors import StoreLocked
from mailbox_server.model.ports import SystemClock
from mailbox_server.ops.quickstart import (
    TryWorld,
    default_home,
    ensure_certificate,
    ensure_world,
    settle,
    write_config,
)


@click.command("try")
@click.option(
    "--home",
    "home",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where everything lives; delete it to start afresh.",
)
def verb(home: Path | None) -> None:
    """Run a demonstration: loopback ports, its own certificate authority, two accounts.

    Started again it continues with the same mail. Ctrl-C stops it.
    """
    home = (home or default_home(os.environ)).absolute()
    if asyncio.run(server_answers(home / "data")):
        raise StoreLocked(f"the demonstration in {home} is running already")
    world = ensure_world(home)
    certificate = ensure_certificate(home, world, SystemClock())
    config = write_config(home, world, certificate)
    program = f"{called_as(sys.argv[0], sys.path, os.environ)} --config {shlex.quote(str(config))}"
    authority = certificate.authority
    serve(
        config,
        prepare=lambda administration: settle(administration, world, program, authority),
        ready=lambda: click.echo(announcement(home, world, program, authority)),
    )
    click.echo(f"Stopped. The mail stays in {home}.")


def called_as(argument: str, path: Sequence[str], environ: Mapping[str, str]) -> str:
    """How another shell, in any folder, starts the program that is running.

    argument, path: our own sys.argv[0] and sys.path.
    """
    if Path(argument).name == "mailbox-server":
        found = shutil.which("mailbox-server", path=environ.get("PATH"))
        if found is not None and os.path.samefile(found, argument):
            return "mailbox-server"
        return shlex.quote(str(Path(argument).absolute()))
    command = f"{shlex.quote(sys.executable)} -m mailbox_server"
    root = str(Path(mailbox_server.__file__).parents[1])
    # With -m the current folder comes first; what stands behind it, Python finds anywhere.
    anywhere = path if sys.flags.safe_path else path[1:]
    by_variable = environ.get("PYTHONPATH", "").split(os.pathsep)
    if root in anywhere and root not in by_variable:
        return command
    return f"PYTHONPATH={shlex.quote(root)} {command}"


def announcement(home: Path, world: TryWorld, program: str, authority: Path) -> str:
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
        f"  sending   localhost:{ports['submission']}  (STARTTLS)   "
        f"localhost:{ports['submissions']}  (TLS)   with login",
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
        f"  swaks --server localhost:{ports['smtp']} --tls --tls-verify --tls-ca-path {ca} \\",
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
        f"  {program} message list {ann.address}",
        "",
    ]
    return "\n".join(lines)
