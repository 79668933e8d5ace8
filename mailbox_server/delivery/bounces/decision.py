"""Who must be told what became of one recipient, if anybody (RFC 3461 §5.2, RFC 5321 §6.1).

Nobody is ever told of a message with a null reverse-path: a bounce causes no bounce.  Who
sends through us is told as NOTIFY says.  What a stranger sent and we passed on is its
owner's business: the stranger's address may be forged, and a report to it backscatter.
What goes wrong with list mail belongs to the list's count.
"""

import enum
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from mailbox_server.mime.reports.delivery_status import Action
from mailbox_server.model.address import ReversePath
from mailbox_server.model.envelope import Notify
from mailbox_server.model.outbound import Origin

_WISH: Final[Mapping[Action, Notify]] = MappingProxyType(
    {
        Action.FAILED: Notify.FAILURE,
        Action.DELAYED: Notify.DELAY,
        Action.DELIVERED: Notify.SUCCESS,
        Action.RELAYED: Notify.SUCCESS,
        Action.EXPANDED: Notify.SUCCESS,
    }
)
_WITHOUT_NOTIFY: Final = Notify.FAILURE | Notify.DELAY


class Hearer(enum.Enum):
    """Who is told.

    SENDER: the envelope sender.  OWNER: the account on whose behalf it was forwarded.
    LIST: nobody reads it, but it counts against the member.
    """

    NOBODY = "nobody"
    SENDER = "sender"
    OWNER = "owner"
    LIST = "list"


def hearer(
    origin: Origin,
    reverse_path: ReversePath,
    notify: Notify,
    action: Action,
    *,
    told_before: bool = False,
) -> Hearer:
    """Who hears that this became of one recipient.

    reverse_path: that of this recipient, which may be its own.  told_before: whether the
    same delay was told already; the other actions come once by their nature.
    """
    if reverse_path.address is None or origin is Origin.REPORT:
        return Hearer.NOBODY
    if origin is Origin.LIST:
        return Hearer.LIST if action is Action.FAILED else Hearer.NOBODY
    if origin is Origin.FORWARD:
        # NOTIFY is the stranger's wish about the stranger's own reports.
        return Hearer.OWNER if action is Action.FAILED else Hearer.NOBODY
    if action is Action.DELAYED and told_before:
        return Hearer.NOBODY
    return Hearer.SENDER if wants(notify, action) else Hearer.NOBODY


def wants(notify: Notify, action: Action) -> bool:
    """Whether a report of action was asked for; without NOTIFY, of failure and delay."""
    wishes = _WITHOUT_NOTIFY if notify is Notify.UNSAID else notify
    return bool(wishes & _WISH[action]) and not wishes & Notify.NEVER


def passed_on(notify: Notify) -> Notify:
    """What an alias of many asks of its members where it reports `expanded` itself.

    SUCCESS is not passed on, the rest is (RFC 3461 §5.2.7.3 c).
    """
    if notify in (Notify.UNSAID, Notify.NEVER):
        return notify
    return (notify & ~Notify.SUCCESS) or Notify.NEVER
