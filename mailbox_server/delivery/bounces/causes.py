"""Judge why a server refused: by its basic code, then its enhanced code, then its words.

4yz never means for good, whatever else is said: that is the basic code's to say, and stands
in Judgement.is_permanent alone.  A refusal by distrust is never taken for a dead address,
though some providers give it such codes.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from mailbox_server.delivery.bounces.phrases import CHECKS, DISTRUST, PLAIN, Rows
from mailbox_server.model.bounce import Cause
from mailbox_server.model.outbound import Phase
from mailbox_server.model.reply import Reply

WORDS_CHARACTERS: Final = 2_000
"""Of what a server says, looked at for words."""

_SPACE: Final = re.compile(r"\s+")
# Codes are looked at apart, and an address such as spam@example.org says nothing.
_NO_WORDS: Final = re.compile(
    r"(?<![0-9.#])[45][0-9]{2}[ -]"
    r"|(?<![0-9.])[45]\.[0-9]{1,3}\.[0-9]{1,3}(?![0-9.])"
    r"|[^\s<>()\"',;:=/?&]{1,64}@[a-z0-9.-]{1,255}"
)

_ENHANCED: Final[Mapping[str, Cause]] = MappingProxyType(
    {
        "1.1": Cause.NO_SUCH_MAILBOX,
        "1.2": Cause.NO_SUCH_DOMAIN,
        "1.3": Cause.MALFORMED,
        "1.4": Cause.NO_SUCH_MAILBOX,
        "1.6": Cause.MOVED,
        "1.7": Cause.SENDER_CHECKS,
        "1.8": Cause.SENDER_CHECKS,
        "1.10": Cause.NO_MAIL_DOMAIN,
        "1.351": Cause.NO_SUCH_MAILBOX,
        "2.1": Cause.DISABLED,
        "2.2": Cause.MAILBOX_FULL,
        "2.3": Cause.TOO_LARGE,
        "3.1": Cause.BUSY,
        "3.2": Cause.BUSY,
        "3.3": Cause.UNSUPPORTED,
        "3.4": Cause.TOO_LARGE,
        "3.5": Cause.BUSY,
        "4.2": Cause.UNREACHABLE,
        "4.4": Cause.NO_SUCH_DOMAIN,
        "4.5": Cause.BUSY,
        "4.6": Cause.LOOP,
        "4.14": Cause.LOOP,
        "4.310": Cause.NO_SUCH_DOMAIN,
        "4.312": Cause.NO_SUCH_DOMAIN,
        "4.316": Cause.UNREACHABLE,
        "5.3": Cause.RATE,
        "6.1": Cause.CONTENT,
        "6.3": Cause.UNSUPPORTED,
        "6.7": Cause.UNSUPPORTED,
        "6.9": Cause.UNSUPPORTED,
        "7.4": Cause.INSECURE,
        "7.5": Cause.INSECURE,
        "7.10": Cause.INSECURE,
        "7.13": Cause.DISABLED,
        "7.17": Cause.MOVED,
        "7.18": Cause.MOVED,
        "7.20": Cause.SENDER_CHECKS,
        "7.21": Cause.SENDER_CHECKS,
        "7.22": Cause.SENDER_CHECKS,
        "7.23": Cause.SENDER_CHECKS,
        "7.24": Cause.SENDER_CHECKS,
        "7.25": Cause.SENDER_CHECKS,
        "7.26": Cause.SENDER_CHECKS,
        "7.27": Cause.SENDER_CHECKS,
        "7.28": Cause.RATE,
        "7.29": Cause.SENDER_CHECKS,
        "7.30": Cause.INSECURE,
        "7.509": Cause.SENDER_CHECKS,
    }
)
"""Subject and detail of codes that name their cause (RFC 3463, RFC 5248 registry, Exchange)."""

_VAGUE_ENHANCED: Final[Mapping[str, Cause]] = MappingProxyType(
    {
        "1.0": Cause.NO_SUCH_MAILBOX,
        "1.5": Cause.UNKNOWN,
        "4.0": Cause.UNREACHABLE,
        "4.1": Cause.UNREACHABLE,
        "4.3": Cause.BUSY,
        "4.7": Cause.EXPIRED,
        "6.0": Cause.CONTENT,
        "6.2": Cause.UNSUPPORTED,
        "7.0": Cause.POLICY,
        "7.1": Cause.POLICY,
        "7.2": Cause.POLICY,
        "7.3": Cause.POLICY,
        "7.7": Cause.POLICY,
        "7.8": Cause.POLICY,
        "7.9": Cause.POLICY,
    }
)
"""What these mean where no words say more."""

_BASIC: Final[Mapping[int, Cause]] = MappingProxyType(
    {
        421: Cause.BUSY,
        432: Cause.BUSY,
        450: Cause.BUSY,
        451: Cause.BUSY,
        452: Cause.MAILBOX_FULL,
        501: Cause.MALFORMED,
        521: Cause.NO_MAIL_DOMAIN,
        523: Cause.TOO_LARGE,
        530: Cause.POLICY,
        541: Cause.POLICY,
        551: Cause.MOVED,
        552: Cause.MAILBOX_FULL,
        553: Cause.MALFORMED,
        556: Cause.NO_MAIL_DOMAIN,
    }
)
"""What a basic code means alone."""

# Postfix says this before its reason, whatever that is.
_WRAPPING: Final = re.compile(r"recipient address rejected: (?!access denied)")
_AT_MAIL: Final = re.compile(
    r"(?:after|reply to) (?:pipelined )?mail from|\[mail_from\]|mail from command"
)
_OUTWEIGHING: Final = (421, 422, 452, 522, 552)
# How Exchange says that nobody has the address, with 5.4.1, and with 5.1.10 (a null MX elsewhere).
_EXCHANGE_UNKNOWN: Final = re.compile(
    r"recipient address(?:es)? rejected ?: access denied|recipient ?not ?found"
)


@dataclass(frozen=True, slots=True)
class Judgement:
    """The cause, and whether trying again is useless."""

    cause: Cause
    is_permanent: bool


def judge_reply(reply: Reply, phase: Phase | None = None) -> Judgement:
    """Why a recipient was not reached, by the reply and where it was given."""
    return judge(reply.code, reply.enhanced, " ".join(reply.lines[:100]), phase)


def judge(code: int | None, enhanced: str, words: str, phase: Phase | None = None) -> Judgement:
    """The same from what can be had of it; code None and enhanced "" where there is none.

    Without both it is for good only where the words name a cause that is.
    """
    lowered = _lowered(words)
    cause = _cause(code, enhanced.partition(".")[2], lowered)
    if cause.is_dead_address and (phase is Phase.MAIL or _AT_MAIL.search(lowered)):
        # Who refuses the sender has not heard of the recipient yet.
        cause = Cause.SENDER_CHECKS
    if code is not None:
        return Judgement(cause, code >= 500)
    if enhanced:
        return Judgement(cause, enhanced.startswith("5"))
    waits = cause in (Cause.BUSY, Cause.GREYLISTED, Cause.UNREACHABLE, Cause.UNKNOWN)
    return Judgement(cause, not waits)


def failed_checks(reply: Reply) -> tuple[str, ...]:
    """Which proofs of the sender a server found missing, as far as it names them."""
    lowered = _lowered(" ".join(reply.lines[:100]))
    return tuple(name for name, pattern in CHECKS if pattern.search(lowered))


def _lowered(words: str) -> str:
    lowered = _SPACE.sub(" ", words[: 2 * WORDS_CHARACTERS]).lower()
    lowered = _NO_WORDS.sub("", lowered)[:WORDS_CHARACTERS]
    return _WRAPPING.sub("", lowered)


def _cause(code: int | None, detail: str, lowered: str) -> Cause:
    named = _ENHANCED.get(detail)
    is_address = named is Cause.MALFORMED or (named is not None and named.is_dead_address)
    if named is not None and not is_address:
        return named
    if _EXCHANGE_UNKNOWN.search(lowered):
        return Cause.NO_SUCH_MAILBOX
    distrust = _first(DISTRUST, lowered)
    if distrust is not None:
        return distrust
    # A basic code for storage or a busy server outweighs an enhanced one for a dead address.
    if named is not None and code not in _OUTWEIGHING:
        return named
    found = _first(PLAIN, lowered) or _VAGUE_ENHANCED.get(detail)
    if found is not None:
        return found
    return Cause.UNKNOWN if code is None else _BASIC.get(code, Cause.UNKNOWN)


def _first(rows: Rows, lowered: str) -> Cause | None:
    return next((cause for cause, pattern in rows if pattern.search(lowered)), None)
