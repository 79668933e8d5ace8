"""Find the message ids by which messages hang together (RFC 5322 §3.6.4)."""

import re

IDS = 100
"""Ids kept of References: the last ones, which are the nearest ancestors."""

ID_OCTETS = 998
FIELD_OCTETS = 256 * 1024

_ID = re.compile(rb"<([^<>\x00-\x20\x7f]+)>")
_QUOTING = re.compile(r'\\(.)|"')


def message_ids(value: bytes | None) -> tuple[str, ...]:
    """The last IDS ids of a field value, in order and once each, without angle brackets.

    An id longer than ID_OCTETS is passed over.  Octets that are not UTF-8 become U+FFFD.
    """
    # The last mention of an id counts for the order.
    last = list(dict.fromkeys(reversed(_ids(value))))[:IDS]
    return tuple(reversed(last))


def linked_ids(references: bytes | None, in_reply_to: bytes | None, most: int) -> list[str]:
    """What THREAD=REFERENCES links a message by, the parent last: as many ids as most.

    Those of References as they stand there, repeated ones too; without any, the first of
    In-Reply-To (RFC 5256 §3).  All as unquoted has them.
    """
    found = _ids(references)[-most:]
    if not found and in_reply_to is not None:
        found = _ids(in_reply_to[:FIELD_OCTETS])[:1]
    return [unquoted(each) for each in found]


def unquoted(written: str) -> str:
    """An id without its quoting: what is only quoted in another way is the same id."""
    if '"' not in written and "\\" not in written:
        return written
    return _QUOTING.sub(lambda found: found[1] or "", written)


def _ids(value: bytes | None) -> list[str]:
    if value is None:
        return []
    return [
        each.decode("utf-8", "replace")
        for each in _ID.findall(value[-FIELD_OCTETS:])
        if len(each) <= ID_OCTETS
    ]


def ancestors(references: bytes | None, in_reply_to: bytes | None) -> tuple[str, ...]:
    """The ids of both fields, at most IDS in all, the nearest ancestor last.

    References names it last; what only In-Reply-To knows goes before (RFC 5256 §3).
    """
    if references is None and in_reply_to is None:
        return ()
    named = message_ids(references)
    others = tuple([each for each in message_ids(in_reply_to)[-IDS // 10 :] if each not in named])
    return others + named[-(IDS - len(others)) :]


def message_id(value: bytes | None) -> str | None:
    """The id of a Message-ID value; without brackets the whole value if it has no space."""
    if value is None:
        return None
    found = _ID.search(value[:FIELD_OCTETS])
    octets = found[1] if found else value.strip(b" \t\r\n<>")
    if not octets or len(octets) > ID_OCTETS:
        return None
    text = octets.decode("utf-8", "replace")
    is_bare = text.isascii() and text.isprintable() and not set(text) & set(" <>")
    return text if found or is_bare else None
