"""NOTIFY: what to tell of without being asked each time (RFC 5465 §3.1)."""

from typing import Final

from mailbox_server.imap.grammar.fetch_items import Attribute
from mailbox_server.imap.grammar.notify_arguments import Event, NotifyArguments
from mailbox_server.imap.responses import Outcome, no, ok
from mailbox_server.imap.session import Session
from mailbox_server.imap.telling.notices import closed, standing
from mailbox_server.imap.telling.unasked import audience_of, send_lines, tell
from mailbox_server.imap.telling.wishes import wishes_of
from mailbox_server.imap.views.selected import Hears, Tells

_EVENTS: Final = " ".join(event.value for event in Event).encode("ascii")


async def notify(session: Session, arguments: NotifyArguments) -> Outcome:
    """Wish for other things from now on.

    SET tells first what had not been told of the selected mailbox, then, where STATUS was
    given, how the others stand.
    """
    if arguments.groups is None:
        session.notifications.stop()
        return ok("Nothing is told from now on")
    if not arguments.is_known:
        return no("Some of these events are not known here", b"BADEVENT (" + _EVENTS + b")")
    limits = session.limits
    names = sum(len(group.of.names) for group in arguments.groups)
    if len(arguments.groups) > limits.notify_groups or names > limits.notify_names:
        return no("That is more than can be watched", b"NOTIFICATIONOVERFLOW")
    wishes = wishes_of(arguments.groups)
    if Attribute.MODSEQ in wishes.items:
        session.enable_condstore()
    now = await session.notifications.wish(session.account.id, wishes, session.channel.ring)
    if wishes.are_about_annotations:
        session.annotations.watch(session.store, session.account.id)
    await tell(session, Tells.EVERYTHING, Hears.ALL)
    audience = audience_of(session)
    if now is not None and audience is not None:
        await send_lines(session, closed(now, audience))
        if arguments.tells_status:
            await send_lines(session, standing(now, audience))
    return ok("It will be told")
