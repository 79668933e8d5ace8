"""The commands of SMTP and LMTP as values, as the engine hands them to the session."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from mailbox_server.model.address import Address, ReversePath
from mailbox_server.model.envelope import BodyType, Notify, OriginalRecipient, Return, Verp
from mailbox_server.model.outbound import ByMode
from mailbox_server.model.reply import Reply
from mailbox_server.smtp.data import Problem


@dataclass(frozen=True, slots=True)
class Hello:
    """HELO, EHLO or LHLO (RFC 5321 §4.1.1.1, RFC 2033 §4.1).

    name: the domain or literal as given, or "" where it is neither; some clients send
        names with underscores, spaces or umlauts, and their mail is welcome.
    """

    verb: str
    name: str


@dataclass(frozen=True, slots=True)
class By:
    """BY of MAIL: within so many seconds, or else what (RFC 2852 §4)."""

    seconds: int
    mode: ByMode
    trace: bool


@dataclass(frozen=True, slots=True)
class MailParameters:
    """What may follow the reverse-path.

    size: octets announced (RFC 1870).  envelope_id: ENVID, decoded, case kept.
    priority: MT-PRIORITY, -9 to 9 (RFC 6710).
    hold: for how long, or until when, the message is held (RFC 4865 §4).
    verp: XVERP or XBOUNCECOUNT.
    given: the keywords in capitals, in order.
    """

    size: int | None = None
    body: BodyType = BodyType.SEVEN_BIT
    smtputf8: bool = False
    ret: Return = Return.UNSAID
    envelope_id: str | None = None
    require_tls: bool = False
    priority: int = 0
    by: By | None = None
    hold: timedelta | datetime | None = None
    verp: Verp | None = None
    given: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Mail:
    """MAIL FROM (RFC 5321 §4.1.1.2).

    is_bare: the path had no angle brackets.
    """

    path: ReversePath
    parameters: MailParameters = field(default_factory=MailParameters)
    is_bare: bool = False


@dataclass(frozen=True, slots=True)
class Rcpt:
    """RCPT TO (RFC 5321 §4.1.1.3).

    address: None is `<postmaster>` without a domain (§4.5.1).
    is_bare: the path had no angle brackets.
    """

    address: Address | None
    notify: Notify = Notify.UNSAID
    original: OriginalRecipient | None = None
    is_bare: bool = False


@dataclass(frozen=True, slots=True)
class Data:
    """DATA (RFC 5321 §4.1.1.4)."""


@dataclass(frozen=True, slots=True)
class Bdat:
    """BDAT (RFC 3030 §2); size octets follow, which the engine hands over by itself."""

    size: int
    last: bool


@dataclass(frozen=True, slots=True)
class Burl:
    """BURL (RFC 4468 §3): the next piece of content is what a URL means.

    url: a secret, for whoever has it may read that; it belongs in no log.
    problem: what is wrong with the chunks before it, which must end in whole lines.
    """

    url: str = field(repr=False)
    last: bool = False
    problem: Problem | None = None


@dataclass(frozen=True, slots=True)
class Rset:
    """RSET (RFC 5321 §4.1.1.5)."""


@dataclass(frozen=True, slots=True)
class Noop:
    """NOOP (RFC 5321 §4.1.1.9)."""


@dataclass(frozen=True, slots=True)
class Quit:
    """QUIT (RFC 5321 §4.1.1.10)."""


@dataclass(frozen=True, slots=True)
class Help:
    """HELP (RFC 5321 §4.1.1.8)."""


@dataclass(frozen=True, slots=True)
class Vrfy:
    """VRFY (RFC 5321 §4.1.1.6); what was asked for does not matter, all get one answer."""


@dataclass(frozen=True, slots=True)
class StartTls:
    """STARTTLS (RFC 3207 §4)."""


@dataclass(frozen=True, slots=True)
class Auth:
    """AUTH (RFC 4954 §4).

    initial: the initial response as it was sent, None where there was none; a secret, which
        belongs in no log.
    """

    mechanism: str
    initial: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Response:
    """A line of a SASL exchange, without its CR LF; a secret, which belongs in no log."""

    line: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Malformed:
    """A line that is no command of ours, with the reply that says why."""

    reply: Reply


@dataclass(frozen=True, slots=True)
class BrokenOff:
    """A line after which the rest of the stream cannot be trusted: reply, then close."""

    reply: Reply


@dataclass(frozen=True, slots=True)
class Foreign:
    """Another protocol on the line (HTTP, TLS, SSH ...): close without a word."""


Command = (
    Hello
    | Mail
    | Rcpt
    | Data
    | Bdat
    | Burl
    | Rset
    | Noop
    | Quit
    | Help
    | Vrfy
    | StartTls
    | Auth
    | Response
    | Malformed
    | BrokenOff
    | Foreign
)
