"""The Passport: the evidence of every decision about one message, in order."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Evidence:
    """One stamp in a passport.

    stage: dotted lower-case name of the step (`receive.envelope`, `route.alias`,
        `deliver.local`, `append`, `import`).
    facts: (name, value) pairs for people; no message text, no secret.
    """

    at: datetime
    stage: str
    facts: tuple[tuple[str, str], ...]
