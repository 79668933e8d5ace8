"""How much an account may send: messages, and people it never wrote to, an hour and a day.

A stolen password must not become a spam run: who sends usual mail is far below these limits,
and whoever has got hold of the password hears of them soon.  What was sent counts until the
end of its span (store.ports.SPAN) is an hour, or a day, ago: a little longer, never shorter.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from mailbox_server.model.address import Address
from mailbox_server.model.errors import AddressMalformed, BadInput, DomainMalformed
from mailbox_server.store.ports import SPAN, Sending

HOUR: Final = timedelta(hours=1)
DAY: Final = timedelta(days=1)
LOOKED_BACK: Final = DAY + SPAN
"""How old spans may be that still count."""
ALARM: Final = 0.8
"""From this part of a limit on the operator is told."""

_RULE: Final = re.compile(
    r"account (?P<account>\S+):"
    r"(?: *messages (?P<messages_hour>\d{1,9})/(?P<messages_day>\d{1,9}))?"
    r"(?:(?: *,)? *strangers (?P<strangers_hour>\d{1,9})/(?P<strangers_day>\d{1,9}))? *\Z"
)


@dataclass(frozen=True, slots=True)
class PaceLimits:
    """What one account may send, or has sent."""

    messages_hour: int = 200
    messages_day: int = 1_000
    strangers_hour: int = 100
    strangers_day: int = 300


@dataclass(frozen=True, slots=True)
class PaceRule:
    """Other limits for one account; key: its address as it is found by."""

    key: str
    limits: PaceLimits

    @classmethod
    def parse(cls, text: str, usual: PaceLimits) -> "PaceRule":
        """Read `account ADDRESS: messages HOUR/DAY, strangers HOUR/DAY`; one of them will do.

        Raises BadInput, which says what is expected.
        """
        found = _RULE.match(text)
        given = (
            {}
            if found is None
            else {
                name: int(number)
                for name, number in found.groupdict().items()
                if name != "account" and number is not None
            }
        )
        if found is None or not given:
            raise BadInput("account ADDRESS: messages HOUR/DAY, strangers HOUR/DAY")
        try:
            key = Address.parse(found["account"]).key
        except (AddressMalformed, DomainMalformed) as error:
            raise BadInput("an address behind account") from error
        return cls(key, replace(usual, **given))


class Pace:
    """What an account sent of late against its limits, at one moment."""

    def __init__(self, sendings: Sequence[Sending], limits: PaceLimits, now: datetime) -> None:
        self._sendings = sendings
        self._limits = limits
        self._now = now
        messages_hour = messages_day = strangers_hour = strangers_day = 0
        for each in sendings:
            if self._counts(each.began, DAY):
                messages_day += each.messages
                strangers_day += each.strangers
                if self._counts(each.began, HOUR):
                    messages_hour += each.messages
                    strangers_hour += each.strangers
        self._used = PaceLimits(messages_hour, messages_day, strangers_hour, strangers_day)

    def wait(self, messages: int, strangers: int) -> timedelta:
        """How long until so much more may be sent; zero where it may be now."""
        shares = self._shares(messages, strangers)
        if all(used + more <= limit or not more for used, more, limit in shares):
            return timedelta()
        limits = self._limits
        sent = [(each.began, each.messages) for each in self._sendings]
        met = [(each.began, each.strangers) for each in self._sendings]
        return max(
            self._until(sent, messages, limits.messages_hour, HOUR),
            self._until(sent, messages, limits.messages_day, DAY),
            self._until(met, strangers, limits.strangers_hour, HOUR),
            self._until(met, strangers, limits.strangers_day, DAY),
        )

    @property
    def strangers_left(self) -> int:
        """How many people it never wrote to one message may go to now."""
        used, limits = self._used, self._limits
        hour = limits.strangers_hour - used.strangers_hour
        return max(0, min(hour, limits.strangers_day - used.strangers_day))

    def nears(self, messages: int, strangers: int) -> bool:
        """Whether so much more is what passes ALARM of a limit."""
        return any(
            used < ALARM * limit <= used + more
            for used, more, limit in self._shares(messages, strangers)
        )

    def with_message(self, strangers: int) -> list[Sending]:
        """The spans with one message more, sent now."""
        span = SPAN.total_seconds()
        at = self._now.timestamp()
        began = datetime.fromtimestamp(at - at % span, UTC)
        others = [each for each in self._sendings if each.began != began]
        counted = next((each for each in self._sendings if each.began == began), None)
        messages, met = (0, 0) if counted is None else (counted.messages, counted.strangers)
        others.append(Sending(began, messages + 1, met + strangers))
        return sorted(others, key=lambda each: each.began)

    def _shares(self, messages: int, strangers: int) -> tuple[tuple[int, int, int], ...]:
        """Used, more and limit, for each limit."""
        used, limits = self._used, self._limits
        return (
            (used.messages_hour, messages, limits.messages_hour),
            (used.messages_day, messages, limits.messages_day),
            (used.strangers_hour, strangers, limits.strangers_hour),
            (used.strangers_day, strangers, limits.strangers_day),
        )

    def _counts(self, began: datetime, window: timedelta) -> bool:
        return began + SPAN + window > self._now

    def _until(
        self, counts: Sequence[tuple[datetime, int]], more: int, limit: int, window: timedelta
    ) -> timedelta:
        if more > limit:
            return window
        used = sum(count for began, count in counts if self._counts(began, window))
        excess = used + more - limit
        if not more or excess <= 0:
            return timedelta(0)
        for began, count in counts:
            if self._counts(began, window):
                excess -= count
                if excess <= 0:
                    return began + SPAN + window - self._now
        return window
