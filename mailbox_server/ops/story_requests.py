"""What is asked about the way of one message, and the row that tells it."""

import msgspec

from mailbox_server.ops.request_roots import Request, Row


class MessageStory(Request, frozen=True, tag="message.story"):
    """Tell all that is known of one message (`m…`), departure (`s…`) or recipient (`q…`)."""

    id: str


class MessageTrace(Request, frozen=True, tag="message.trace"):
    """Find what an id, a Message-ID or an address means, newest first.

    since: came since then, as ops.moments reads it.
    """

    what: str
    since: str | None = None
    most: int = 20


class FoundRow(Row, frozen=True, tag="found"):
    """A message or departure that was found, and when it came."""

    id: str
    at: str


class EvidenceRow(Row, frozen=True, tag="evidence"):
    """One stamp in a passport."""

    at: str
    stage: str
    facts: dict[str, str]


class AttemptRow(Row, frozen=True, tag="attempt"):
    """One try at one recipient, as model.outbound.Attempt has it."""

    at: str
    finding: str
    phase: str
    code: int
    enhanced: str
    words: list[str]
    is_theirs: bool
    is_shared: bool
    host: str | None
    ip: str | None
    tls: str | None
    policy: str
    seconds: float


class RecipientRow(Row, frozen=True, tag="recipient"):
    """One recipient of a departure, with its attempts, oldest first.

    due: the next try.  expires: when it is given up.
    """

    id: str
    address: str
    state: str
    due: str
    expires: str | None
    route: str | None
    delay_told: str | None
    attempts: list[AttemptRow]


class StoryRow(Row, frozen=True, tag="story"):
    """One message on its way in or out.

    id: `m…` lies in an account here, `s…` left or leaves.  account: whose it is, or None.
    sender: of a departure the envelope's, else the From field's.
    places: the mailboxes that it lies in.  recipients: those of a departure.
    untold: how many more recipients there are.
    """

    id: str
    account: str | None
    message_id: str | None
    sender: str
    subject: str
    size: int
    arrived: str
    origin: str | None = None
    places: list[str] = msgspec.field(default_factory=list)
    evidence: list[EvidenceRow] = msgspec.field(default_factory=list)
    recipients: list[RecipientRow] = msgspec.field(default_factory=list)
    untold: int = 0
