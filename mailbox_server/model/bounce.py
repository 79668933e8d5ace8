"""Why mail came back, as one word for all who tell or count it, and what is remembered of it."""

import enum
from dataclasses import dataclass
from datetime import datetime

from mailbox_server.model.address import Address
from mailbox_server.model.ids import AccountId


class Cause(enum.Enum):
    """The class of what a server said, whatever its words."""

    NO_SUCH_MAILBOX = "no-such-mailbox"
    NO_SUCH_DOMAIN = "no-such-domain"
    NO_MAIL_DOMAIN = "domain-takes-no-mail"
    NOT_SERVED = "domain-not-served"
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
    ENDED_BY_OPERATOR = "ended-by-operator"
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


WORDS_CHARACTERS = 200
"""What is remembered of a server's words."""


@dataclass(frozen=True, slots=True)
class BouncedAddress:
    """An address that mail of an account does not reach.

    words: what was last said of it, at most WORDS_CHARACTERS.  times: how often since.
    """

    account: AccountId
    address: Address
    cause: Cause
    words: str
    since: datetime
    last: datetime
    times: int


@dataclass(frozen=True, slots=True)
class FailedForwards:
    """What an account knows of mail that could not be passed on to one address.

    told: when it was told last.  untold: messages since then.
    """

    told: datetime
    untold: int


@dataclass(frozen=True, slots=True)
class OverdueForward:
    """What an account has not heard of in time; key: of the address mail was not passed on to."""

    account: AccountId
    key: str
    told: datetime
    untold: int


class ScoreState(enum.Enum):
    """What is done about a recipient whose mail comes back.

    COUNTED: nothing yet.  SUSPECT: a message of its own is to go out, to make sure.
    PROBED: it went out.  DISABLED: it came back; list mail is not sent there.
    """

    COUNTED = "counted"
    SUSPECT = "suspect"
    PROBED = "probed"
    DISABLED = "disabled"


@dataclass(frozen=True, slots=True)
class ListMember:
    """A recipient of a list or of bulk mail, as return paths name it; scope as in BounceScore."""

    number: int
    scope: str
    address: Address


@dataclass(frozen=True, slots=True)
class BounceScore:
    """How often mail to one recipient came back, of those that belong together.

    scope: the key of the address whose bounces are counted together, such as that of a list.
    half_points: twice the score, so that it is a whole number.
    since: when it got into its state.  last: when it was last counted.
    """

    scope: str
    address: Address
    half_points: int
    state: ScoreState
    since: datetime
    cause: Cause
    words: str
    last: datetime
    times: int
