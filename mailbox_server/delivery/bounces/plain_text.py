"""Find in the words of a bounce without fields: who was not reached, and what was said of each.

Old servers write text only.  An address that begins a line begins what is said of it, up to
the next such address; where none does, all words are about the only address there is.  What
follows the announcement of the returned message is not looked at.

Work is linear; bounds: TEXT_CHARACTERS of words, RECIPIENTS addresses.
"""

import re
from dataclasses import dataclass
from typing import Final

TEXT_CHARACTERS: Final = 16_000
RECIPIENTS: Final = 100

_ANNOUNCEMENT: Final = re.compile(
    r"^[ \t>*]{0,20}+(?:"
    r"-{2,100}+ ?(?:this is a copy|below this line|the header of the original|original message"
    r"|returned message|message body follows|unsent message|original mail|message header)"
    r"|(?:below is a copy|the original message (?:follows|headers?)|original message follows"
    r"|original message (?:headers|for)|message headers follow|your message follows"
    r"|copy of your message|a copy of your message|full message:|included is a copy"
    r"|original message details|message details:|original message contents)"
    r"|(?:return-path|received|delivered-to|dkim-signature|x-originating-ip|mime-version)"
    r"[ \t]{0,20}:)",
    re.IGNORECASE | re.MULTILINE,
)
_AT_LINE_START: Final = re.compile(
    r"^[ \t>*]{0,20}(?:>>> |to:? |rcpt:? |recipient:? |for )?[\"'<\[]{0,2}"
    r"([^\s<>\"'\[\]():;,@]{1,64}@[A-Za-z0-9.-]{1,255}\.?[A-Za-z0-9-]{1,63})[\"'>\]]?",
    re.IGNORECASE | re.MULTILINE,
)
_ANYWHERE: Final = re.compile(
    r"[<\"' :(]([^\s<>\"'\[\]():;,@]{1,64}@[A-Za-z0-9.-]{1,255}\.?[A-Za-z0-9-]{1,63})"
)
_CODE: Final = re.compile(
    r"(?<![0-9.])([45][0-9]{2})(?:[ -]+|: ?)(?:\(?#?([45]\.[0-9]{1,3}\.[0-9]{1,3})(?![0-9.]))?"
)
_ENHANCED: Final = re.compile(r"(?<![0-9.])([45]\.[0-9]{1,3}\.[0-9]{1,3})(?![0-9.])")


@dataclass(frozen=True, slots=True)
class Said:
    """What was said of one address; "" where no address is told."""

    address: str
    words: str


def what_was_said(text: str) -> list[Said]:
    """Each address with the words about it; at least one, perhaps without an address."""
    words = before_the_message(text)
    found = list(_AT_LINE_START.finditer(words))[:RECIPIENTS]
    if not found:
        address = _ANYWHERE.search(words)
        return [Said(address[1] if address else "", words)]
    ends = [*(each.start() for each in found[1:]), len(words)]
    said: dict[str, list[str]] = {}
    for each, end in zip(found, ends, strict=True):
        said.setdefault(each[1], []).append(words[each.end() : end])
    told = [Said(address, " ".join(pieces)) for address, pieces in said.items()]
    # A list of addresses with the reason before or behind all of them.
    if all(len(each.words.split()) < 3 for each in told[:-1] or told):
        return [Said(each.address, words) for each in told]
    return told


def before_the_message(text: str) -> str:
    """The words up to the returned message; all where nothing announces it."""
    text = text[:TEXT_CHARACTERS]
    found = _ANNOUNCEMENT.search(text, 1)
    return text if found is None else text[: found.start()]


def codes_in(words: str) -> tuple[int | None, str]:
    """The basic and the enhanced code that the words quote, as far as they do.

    Of several the first that says most: one with a detail before one without.
    """
    basic: int | None = None
    vague = ""
    for found in _CODE.finditer(words):
        if found[2] and is_specific(found[2]):
            return int(found[1]), found[2]
        basic = basic or int(found[1])
        vague = vague or found[2] or ""
    for found in _ENHANCED.finditer(words):
        if is_specific(found[1]):
            same_class = basic is None or str(basic)[0] == found[1][0]
            return basic if same_class else None, found[1]
        vague = vague or found[1]
    return basic, vague


def is_specific(enhanced: str) -> bool:
    """Whether the code says more than that something went wrong."""
    return not enhanced.endswith(".0.0") and enhanced[1:] != ".5.0"
