"""The two texts that a domain's MTA-STS policy is read from (RFC 8461 §3).

What is malformed is refused whole: half a policy could ask for less than its author meant.
Empty lines alone are forgiven, because many policies end in some.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from mailbox_server.model.address import Domain
from mailbox_server.model.errors import DomainMalformed
from mailbox_server.model.sts_policy import STS_VERSION, StsMode, StsPolicy
from mailbox_server.relay.tagged_record import only_record

POLICY_OCTETS: Final = 65_536
LONGEST_AGE_SECONDS: Final = 31_557_600

_ID: Final = re.compile(r"[A-Za-z0-9]{1,32}\Z")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,31}\Z")
_AGE: Final = re.compile(r"[0-9]{1,10}\Z", re.ASCII)
_WSP: Final = " \t"


@dataclass(frozen=True, slots=True)
class KnownPolicy:
    """What is known of a domain's policy now.

    policy: None where there is none that counts.  is_certain: False where the DNS or the
        policy host could not be asked, so that there may be another.
    """

    policy: StsPolicy | None
    is_certain: bool


def read_policy_id(records: Sequence[bytes]) -> str | None:
    """The id of the `_mta-sts` record; None where there is no usable one (RFC 8461 §3.1)."""
    fields = only_record(records, f"v={STS_VERSION}")
    identity = "" if fields is None else fields.get("id", "")
    return identity if _ID.match(identity) else None


def read_policy(octets: bytes) -> StsPolicy | str:
    """The policy in the body of an answer, or in a few words why it is none.

    Takes at most POLICY_OCTETS; unknown fields are skipped, and of a repeated field other
    than mx the first counts (RFC 8461 §3.2).
    """
    if len(octets) > POLICY_OCTETS:
        return "larger than 64 KiB"
    try:
        text = octets.decode("utf-8")
    except UnicodeDecodeError:
        return "not UTF-8"
    fields: dict[str, str] = {}
    patterns: dict[str, None] = {}
    for line in text.split("\n"):
        line = line.removesuffix("\r").rstrip(_WSP)
        if not line:
            continue
        name, colon, value = line.partition(":")
        value = value.lstrip(_WSP)
        if not colon or not _NAME.match(name) or not value or _has_control(value):
            return "a line that is no field"
        if name != "mx":
            fields.setdefault(name, value)
            continue
        pattern = _pattern(value)
        if pattern is None:
            return "an mx that is no pattern of host names"
        patterns[pattern] = None
    return _policy(fields, tuple(patterns))


def _policy(fields: dict[str, str], patterns: tuple[str, ...]) -> StsPolicy | str:
    if fields.get("version") != STS_VERSION:
        return "no version STSv1"
    try:
        mode = StsMode(fields.get("mode"))
    except ValueError:
        return "no mode that is known"
    age = fields.get("max_age", "")
    if not _AGE.match(age):
        return "no max_age"
    if mode is not StsMode.NONE and not patterns:
        return "no mx"
    return StsPolicy(mode, patterns, min(int(age), LONGEST_AGE_SECONDS))


def _pattern(text: str) -> str | None:
    wildcard = "*." if text.startswith("*.") else ""
    rest = text.removeprefix(wildcard)
    if not rest.isascii():
        return None
    try:
        return wildcard + Domain.parse(rest).ascii
    except DomainMalformed:
        return None


def _has_control(text: str) -> bool:
    return any(character < " " or character == "\x7f" for character in text)
