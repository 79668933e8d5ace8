"""Find the subject that a conversation shares: RFC 5256 §2.1."""

import re

SUBJECT_CHARACTERS = 1_000

_MARK = re.compile(r"[\[(:]")
_TAG = r"\[[^\[\]]*+\][ \t]*+"
# No possessive group here: until 3.11.5 Python goes on behind what its last round had taken
# before it failed (gh-106052).
_LEADER = re.compile(rf"(?:{_TAG})*(?:re|fwd?)[ \t]*(?:{_TAG})?:", re.IGNORECASE)
_TAG_PREFIX = re.compile(_TAG)


def base_subject(subject: str) -> str:
    """The decoded subject without replies, forwards and list tags, its case unchanged.

    Comparing is done without case (RFC 5256 §2.1 asks for i;unicode-casemap).  Only the
    first SUBJECT_CHARACTERS count.
    """
    return _taken_apart(subject)[0]


def is_reply(subject: str) -> bool:
    """Whether the decoded subject is that of a reply or forward (RFC 5256 §3)."""
    return _taken_apart(subject)[1]


def _taken_apart(subject: str) -> tuple[str, bool]:
    """The base subject, and whether signs of a reply or forward were taken off for it."""
    text = " ".join(subject[:SUBJECT_CHARACTERS].split())
    if not _MARK.search(text):
        return text, False
    is_marked = False
    while True:
        without = _without_trailer(text)
        is_marked = is_marked or without != text.rstrip(" ")
        text, had_leader = _without_leaders(without)
        is_marked = is_marked or had_leader
        if not (text[:5].lower() == "[fwd:" and text.endswith("]")):
            return text, is_marked
        text, is_marked = text[5:-1], True


def _without_trailer(text: str) -> str:
    text = text.rstrip(" ")
    while text[-5:].lower() == "(fwd)":
        text = text[:-5].rstrip(" ")
    return text


def _without_leaders(text: str) -> tuple[str, bool]:
    had_leader = False
    while True:
        text = text.lstrip(" ")
        leader = _LEADER.match(text)
        if leader is not None:
            text = text[leader.end() :]
            had_leader = True
            continue
        tag = _TAG_PREFIX.match(text)
        if tag is None or tag.end() == len(text):
            return text, had_leader
        text = text[tag.end() :]
