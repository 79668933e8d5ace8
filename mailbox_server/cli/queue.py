"""`queue list|show|retry|hold|release|drop|bounce|route|later|cancel`."""

from collections.abc import Callable, Collection, Mapping
from typing import Any, Final, cast

import click

from mailbox_server.cli.moments import AGE
from mailbox_server.cli.operator import Operator, ask, run_with_operator
from mailbox_server.cli.outcome import Surroundings, show_json
from mailbox_server.cli.tables import RowStream
from mailbox_server.cli.timeline import timeline
from mailbox_server.cli.verbs import Noun
from mailbox_server.ops.queue_requests import (
    HeldCancel,
    HeldList,
    QueueAction,
    QueueChange,
    QueueList,
    Wanted,
    WantedHeld,
)
from mailbox_server.ops.story_requests import MessageStory

PAGE: Final = 500
NOWHERE: Final = "default"

_COLUMNS = (
    ("ID", "id"),
    ("MESSAGE", "departure"),
    ("STATE", "state"),
    ("RECIPIENT", "recipient"),
    ("SENDER", "sender"),
    ("CAME", "arrived"),
    ("NEXT TRY", "due"),
    ("TRIES", "attempts"),
    ("LAST ANSWER", "said"),
)
_LATER_COLUMNS = (
    ("ID", "id"),
    ("ACCOUNT", "account"),
    ("SENDER", "sender"),
    ("RECIPIENTS", "recipients"),
    ("CAME", "arrived"),
    ("LEAVES", "leaves"),
)
_FILTERS: Final = (
    click.option("--to", "recipient", metavar="ADDRESS", help="Of that recipient."),
    click.option("--from", "sender", metavar="ADDRESS", help="Of that envelope sender."),
    click.option("--account", metavar="ADDRESS", help="Of that account."),
    click.option("--domain", metavar="DOMAIN", help="To that domain."),
    click.option("--state", type=click.Choice(("waiting", "held")), help="In that state."),
    click.option(
        "--older",
        metavar="AGE",
        type=AGE,
        help="Here for longer than that, as 30m, 2h or 7d, or since before a date.",
    ),
)
_DONE: Final[Mapping[QueueAction, str]] = {
    "hold": "held",
    "release": "released",
    "retry": "due now",
    "drop": "dropped; nobody is told",
    "bounce": "returned to their senders",
    "route": "sent another way",
}


_LATER_FILTERS: Final = _FILTERS[:3]


def _filtered(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed(_FILTERS):
        command = option(command)
    return command


def _filtered_later(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed(_LATER_FILTERS):
        command = option(command)
    return command


def _chosen(command: Callable[..., Any]) -> Callable[..., Any]:
    """Takes ids, or a filter, or --all."""
    everything = click.option("--all", "everything", is_flag=True, help="All that is in the queue.")
    return click.argument("ids", nargs=-1, metavar="[ID]...")(_filtered(everything(command)))


@click.group("queue", cls=Noun)
def verb() -> None:
    """Mail on its way out: one line a recipient.

    An ID is that of one recipient (q…) or of a message and all its recipients (s…).
    """


@verb.command("list")
@_filtered
@click.pass_obj
def list_queue(surroundings: Surroundings, /, **filters: str | None) -> None:
    """List recipients that still wait or are held, by domain."""
    stream = RowStream(_COLUMNS, surroundings)
    wanted = _wanted(filters)

    async def work(operator: Operator) -> None:
        after = None
        while rows := await operator.ask(QueueList(wanted, after, PAGE)):
            stream.show(rows)
            after = rows[-1].id
            if len(rows) < PAGE:
                break

    run_with_operator(surroundings, work)
    stream.end()


@verb.command("show")
@click.argument("id_", metavar="ID")
@click.pass_obj
def show(surroundings: Surroundings, id_: str) -> None:
    """Show ID with every attempt and what the other side said."""
    (story,) = ask(surroundings, MessageStory(id_))
    if surroundings.as_json:
        show_json(story)
        return
    for line in timeline(story):
        click.echo(line)


@verb.command("hold")
@_chosen
@click.pass_obj
def hold(surroundings: Surroundings, /, **chosen: Any) -> None:
    """Try them no more until they are released."""
    _change(surroundings, "hold", chosen)


@verb.command("release")
@_chosen
@click.pass_obj
def release(surroundings: Surroundings, /, **chosen: Any) -> None:
    """Try those that are held again, now."""
    _change(surroundings, "release", chosen)


@verb.command("retry")
@_chosen
@click.pass_obj
def retry(surroundings: Surroundings, /, **chosen: Any) -> None:
    """Try those that wait now, not when their time comes."""
    _change(surroundings, "retry", chosen)


@verb.command("drop")
@_chosen
@click.pass_obj
def drop(surroundings: Surroundings, /, **chosen: Any) -> None:
    """Take them out of the queue; nobody is told."""
    _change(surroundings, "drop", chosen)


@verb.command("bounce")
@_chosen
@click.pass_obj
def bounce(surroundings: Surroundings, /, **chosen: Any) -> None:
    """Take them out of the queue and tell their senders that they were not delivered."""
    _change(surroundings, "bounce", chosen)


@verb.command("route")
@click.argument("hop", metavar="HOST[:PORT]")
@_chosen
@click.pass_obj
def route(surroundings: Surroundings, /, hop: str, **chosen: Any) -> None:
    """Send them to HOST instead; to `default` sends them where they belong again."""
    _change(surroundings, "route", chosen, None if hop == NOWHERE else hop)


@verb.command("later")
@_filtered_later
@click.pass_obj
def later(surroundings: Surroundings, /, **filters: str | None) -> None:
    """List messages that their senders want to leave later; they lie in the Outbox."""
    stream = RowStream(_LATER_COLUMNS, surroundings)
    wanted = WantedHeld(**filters)

    async def work(operator: Operator) -> None:
        after = None
        while rows := await operator.ask(HeldList(wanted, after, PAGE)):
            stream.show(rows)
            after = rows[-1].place
            if len(rows) < PAGE:
                break

    run_with_operator(surroundings, work)
    stream.end()


@verb.command("cancel")
@click.argument("ids", nargs=-1, metavar="[ID]...")
@_filtered_later
@click.option("--all", "everything", is_flag=True, help="All that are to leave later.")
@click.pass_obj
def cancel(
    surroundings: Surroundings, /, ids: tuple[str, ...], everything: bool, **filters: str | None
) -> None:
    """Let messages that were to leave later not leave; they stay in the Outbox.

    An ID is that of a message (m…), as `queue later` shows it.
    """
    _check_choice(ids, filters, everything=everything)
    (row,) = ask(surroundings, HeldCancel(list(ids), None if ids else WantedHeld(**filters)))
    if surroundings.as_json:
        show_json(row)
        return
    messages = "1 message" if row.count == 1 else f"{row.count} messages"
    click.echo(f"{messages} cancelled; in the Outbox still")


def _check_choice(ids: Collection[str], filters: Mapping[str, object], *, everything: bool) -> None:
    is_filtered = any(each is not None for each in filters.values())
    if sum((bool(ids), is_filtered, everything)) != 1:
        raise click.UsageError("either IDs, or a filter, or --all is expected")


def _change(
    surroundings: Surroundings,
    action: QueueAction,
    chosen: dict[str, Any],
    hop: str | None = None,
) -> None:
    ids, everything = list(chosen.pop("ids")), chosen.pop("everything")
    _check_choice(ids, chosen, everything=everything)
    wanted = None if ids else _wanted(chosen)
    (row,) = ask(surroundings, QueueChange(action, ids, wanted, hop))
    if surroundings.as_json:
        show_json(row)
        return
    recipients = "1 recipient" if row.count == 1 else f"{row.count} recipients"
    click.echo(f"{recipients} {_DONE[action]}")


def _wanted(filters: dict[str, str | None]) -> Wanted:
    return Wanted(**cast("dict[str, Any]", filters))
