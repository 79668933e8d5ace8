"""How much a peer may err, and talk without getting anywhere, in one conversation.

Refusals count; after a few each is slowed down, after many the connection is closed.  Where
the dialect counts no errors (LMTP, among our own), nothing of it applies.
"""

from mailbox_server.model.ports import Events
from mailbox_server.smtp import replies
from mailbox_server.smtp.places import After, Answer, Place


class Budget:
    """One conversation's errors and idle commands so far."""

    def __init__(self, place: Place, events: Events) -> None:
        self._limits = place.limits
        self._counts = place.dialect.counts_errors
        self._connection = place.peer.connection
        self._events = events
        self._errors = 0
        self._idle = 0

    def judged(self, answer: Answer) -> Answer:
        """Count an answer that refuses; what to answer then."""
        refused = [reply for reply in answer.replies if not reply.is_positive]
        if not refused or answer.after is After.CLOSE or not self._counts:
            return answer
        if refused[0] is replies.TOO_MANY_RECIPIENTS:
            return answer
        return self._counted(answer)

    def idled(self, answer: Answer) -> Answer:
        """Answer a command that moves nothing; too many of them are errors."""
        self._idle += 1
        if self._idle <= self._limits.idle_commands or not self._counts:
            return answer
        return self._counted(answer)

    def progressed(self) -> None:
        """A message was taken: who sends mail is not idle."""
        self._idle = 0

    def _counted(self, answer: Answer) -> Answer:
        self._errors += 1
        if self._errors >= self._limits.errors:
            self._events.info("smtp.shed", connection=self._connection, reason="too many errors")
            return Answer((replies.TOO_MANY_ERRORS,), After.CLOSE)
        if self._errors > self._limits.slow_errors:
            return Answer(answer.replies, answer.after, delay=self._limits.error_seconds)
        return answer
