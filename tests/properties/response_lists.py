"""Read ENVELOPE, BODY and BODYSTRUCTURE by RFC 9051 §9 and see that they are well formed.

The reader shares nothing with the writer.
"""

import re

from mailbox_server.model.message import Analysis

Item = bytes | int | None | list["Item"]

_NUMBER = re.compile(rb"[0-9]+")
_LITERAL = re.compile(rb"\{([0-9]+)\}\r\n")
_QUOTED = re.compile(rb'"((?:[^"\\\r\n\0\x80-\xff]|\\["\\])*)"')


def read_list(octets: bytes) -> Item:
    """One value, which must be all there is; raises ValueError or IndexError otherwise."""
    holders: list[list[Item]] = [[]]
    at = 0
    while at < len(octets):
        char = octets[at : at + 1]
        if char == b"(":
            holders.append([])
            at += 1
        elif char == b")":
            done = holders.pop()
            holders[-1].append(done)
            at += 1
        elif char == b" ":
            assert octets[at + 1 : at + 2] not in (b" ", b")", b""), "a space too many"
            at += 1
        elif octets.startswith(b"NIL", at):
            holders[-1].append(None)
            at += 3
        elif found := _LITERAL.match(octets, at):
            at = found.end() + int(found[1])
            text = octets[found.end() : at]
            assert b"\0" not in text and len(text) == int(found[1])
            holders[-1].append(text)
        elif found := _QUOTED.match(octets, at):
            holders[-1].append(found[1])
            at = found.end()
        elif found := _NUMBER.match(octets, at):
            holders[-1].append(int(found[0]))
            at = found.end()
        else:
            raise ValueError(octets[at : at + 40])
    assert len(holders) == 1 and len(holders[0]) == 1
    return holders[0][0]


def check_nstring(item: Item) -> None:
    assert item is None or isinstance(item, bytes)


def check_envelope(item: Item) -> None:
    assert isinstance(item, list) and len(item) == 10
    for text in (item[0], item[1], item[8], item[9]):
        check_nstring(text)
    for addresses in item[2:8]:
        if addresses is None:
            continue
        assert isinstance(addresses, list) and addresses
        open_group = False
        for address in addresses:
            assert isinstance(address, list) and len(address) == 4
            for text in address:
                check_nstring(text)
            if address[3] is None:
                assert open_group is (address[2] is None), "groups begin and end in turn"
                open_group = not open_group
        assert not open_group


def check_parameters(item: Item) -> None:
    assert item is None or (isinstance(item, list) and item and len(item) % 2 == 0)
    assert item is None or all(isinstance(each, bytes) for each in item)


def check_extension(items: list[Item]) -> None:
    disposition, language, location = items
    if disposition is not None:
        assert isinstance(disposition, list) and len(disposition) == 2
        assert isinstance(disposition[0], bytes)
        check_parameters(disposition[1])
    if isinstance(language, list):
        assert language and all(isinstance(each, bytes) for each in language)
    else:
        check_nstring(language)
    check_nstring(location)


def check_body(item: Item, *, extended: bool) -> None:
    assert isinstance(item, list)
    if isinstance(item[0], list):
        count = next(n for n, each in enumerate(item) if not isinstance(each, list))
        for child in item[:count]:
            check_body(child, extended=extended)
        assert isinstance(item[count], bytes)
        rest = item[count + 1 :]
        assert len(rest) == (4 if extended else 0)
        if extended:
            check_parameters(rest[0])
            check_extension(rest[1:])
        return
    media_type, subtype, parameters, cid, description, encoding, size, *rest = item
    assert isinstance(media_type, bytes) and isinstance(subtype, bytes)
    assert media_type != b"multipart"
    check_parameters(parameters)
    check_nstring(cid)
    check_nstring(description)
    assert isinstance(encoding, bytes) and isinstance(size, int)
    if media_type == b"text":
        assert isinstance(rest.pop(0), int)
    elif media_type == b"message" and subtype in (b"rfc822", b"global"):
        check_envelope(rest.pop(0))
        check_body(rest.pop(0), extended=extended)
        assert isinstance(rest.pop(0), int)
    assert len(rest) == (4 if extended else 0)
    if extended:
        check_nstring(rest[0])
        check_extension(rest[1:])


def check(analysis: Analysis) -> None:
    check_envelope(read_list(analysis.envelope))
    check_body(read_list(analysis.body), extended=False)
    check_body(read_list(analysis.body_structure), extended=True)
    texts = (
        analysis.preview,
        analysis.search_header,
        analysis.search_text,
        analysis.subject_base,
        analysis.message_id or "",
        *analysis.references,
    )
    for text in texts:
        text.encode("utf-8")
        assert "\0" not in text
    assert len(analysis.preview) <= 200
