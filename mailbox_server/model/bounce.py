"""Why mail came back or waits, as one word that all who tell, count or remember agree on."""

import enum


class Cause(enum.Enum):
    """The class of what a server said, whatever its words."""

    NO_SUCH_MAILBOX = "no-such-mailbox"
    NO_SUCH_DOMAIN = "no-such-domain"
    NO_MAIL_DOMAIN = "domain-takes-no-mail"
    DISABLED = "mailbox-disabled"
    MOVED = "moved"
    MALFORMED = "address-malformed"
    MAILBOX_FULL = "mailbox-full"
    TOO_LARGE = "too-large"
    SPAM = "taken-for-spam"
    REPUTATION = "sender-distrusted"
    SENDER_CHECKS = "sender-not-proved"
    POLICY = "policy"
    CONTENT = "content-refused"
    RATE = "too-many-messages"
    GREYLISTED = "greylisted"
    BUSY = "server-busy"
    UNREACHABLE = "no-answer"
    INSECURE = "not-secure"
    UNSUPPORTED = "not-supported"
    LOOP = "mail-loop"
    EXPIRED = "given-up"
    UNKNOWN = "unknown"

    @property
    def is_dead_address(self) -> bool:
        """Whether mail to the address will never arrive, whoever sends it and whatever it says."""
        return self in _DEAD

    @property
    def is_about_sender(self) -> bool:
        """Whether it says nothing of the address, but of what was sent and by whom."""
        return self in _ABOUT_SENDER


_DEAD = frozenset(
    (
        Cause.NO_SUCH_MAILBOX,
        Cause.NO_SUCH_DOMAIN,
        Cause.NO_MAIL_DOMAIN,
        Cause.DISABLED,
        Cause.MOVED,
    )
)
_ABOUT_SENDER = frozenset(
    (
        Cause.TOO_LARGE,
        Cause.SPAM,
        Cause.REPUTATION,
        Cause.SENDER_CHECKS,
        Cause.POLICY,
        Cause.CONTENT,
        Cause.RATE,
        Cause.INSECURE,
        Cause.UNSUPPORTED,
        Cause.LOOP,
    )
)
