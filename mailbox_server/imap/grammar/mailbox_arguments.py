"""Arguments of the commands about mailboxes: CREATE, RENAME, LIST, STATUS, SELECT and kin."""

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeVar

from mailbox_server.imap.grammar.faults import (
    ArgumentsMalformed,
    ArgumentsTooMany,
    UseUnsupported,
)
from mailbox_server.imap.grammar.lexer import Lexer
from mailbox_server.imap.grammar.mailbox_names import decode, parse_mailbox, parse_named
from mailbox_server.imap.grammar.metadata_arguments import parse_entries
from mailbox_server.imap.grammar.resync_arguments import Resync, parse_resync
from mailbox_server.model.mailbox import GIVEN_ROLES, Role

PATTERNS_MOST: Final = 20
OPTIONS_MOST: Final = 100
"""Of one list of options or items; there are fewer, but they may be repeated."""

E = TypeVar("E", bound=enum.Enum)


@dataclass(frozen=True, slots=True)
class MailboxArguments:
    """One mailbox, its name in stored form."""

    mailbox: str


@dataclass(frozen=True, slots=True)
class CreateArguments:
    """CREATE; written: the name as the client has it.

    role: what USE asks for, if given (RFC 6154 §3).
    """

    mailbox: str
    written: str
    role: Role | None


@dataclass(frozen=True, slots=True)
class RenameArguments:
    """RENAME; names in stored form, and as the client has written them."""

    mailbox: str
    written: str
    new_name: str
    new_written: str


@dataclass(frozen=True, slots=True)
class SelectArguments:
    """SELECT or EXAMINE; written: the name as the client has it.

    condstore: the parameter was given (RFC 7162 §3.1.8).
    resync: what QRESYNC said (RFC 7162 §3.2.5).
    """

    mailbox: str
    written: str
    condstore: bool
    resync: Resync | None = None


class ListSelection(enum.Enum):
    """Which mailboxes LIST is about (RFC 5258 §3.1, RFC 6154 §5.2).

    REMOTE adds none: all mailboxes are here.  RECURSIVEMATCH wants another one beside it.
    """

    SUBSCRIBED = "SUBSCRIBED"
    REMOTE = "REMOTE"
    RECURSIVEMATCH = "RECURSIVEMATCH"
    SPECIAL_USE = "SPECIAL-USE"


class ListReturn(enum.Enum):
    """What LIST is to tell beside names (RFC 5258 §3.2, RFC 6154 §5.3, RFC 8440 §3)."""

    SUBSCRIBED = "SUBSCRIBED"
    CHILDREN = "CHILDREN"
    SPECIAL_USE = "SPECIAL-USE"
    MYRIGHTS = "MYRIGHTS"


class StatusItem(enum.Enum):
    """What STATUS can tell.

    RFC 9051 §6.3.11, RFC 3501 §6.3.10 (RECENT), RFC 7162 §3.1.7, RFC 7889 §3.1, RFC 8474 §4.3.
    """

    MESSAGES = "MESSAGES"
    RECENT = "RECENT"
    UIDNEXT = "UIDNEXT"
    UIDVALIDITY = "UIDVALIDITY"
    UNSEEN = "UNSEEN"
    DELETED = "DELETED"
    DELETED_STORAGE = "DELETED-STORAGE"
    SIZE = "SIZE"
    HIGHESTMODSEQ = "HIGHESTMODSEQ"
    APPENDLIMIT = "APPENDLIMIT"
    MAILBOXID = "MAILBOXID"


@dataclass(frozen=True, slots=True)
class ListArguments:
    """LIST or LSUB; reference and patterns decoded, `*` and `%` in place.

    is_extended: options or several patterns were given (RFC 5258 §3).
    status: what to tell of each mailbox in a STATUS response (RFC 5819 §2).
    metadata: entries to tell in a METADATA response (RFC 9590 §3).
    """

    reference: str
    patterns: tuple[str, ...]
    selections: frozenset[ListSelection] = frozenset()
    returns: frozenset[ListReturn] = frozenset()
    status: tuple[StatusItem, ...] = ()
    metadata: tuple[str, ...] = ()
    is_extended: bool = False


@dataclass(frozen=True, slots=True)
class StatusArguments:
    """STATUS; items in the order asked, each once."""

    mailbox: str
    items: tuple[StatusItem, ...]


def parse_one_mailbox(lexer: Lexer) -> MailboxArguments:
    """Read a single mailbox name."""
    lexer.space()
    mailbox = parse_mailbox(lexer)
    lexer.end()
    return MailboxArguments(mailbox)


def parse_quota(lexer: Lexer) -> str:
    """Read the name of a quota root behind GETQUOTA."""
    lexer.space()
    root = lexer.astring().decode("utf-8", "replace")
    lexer.end()
    return root


def parse_create(lexer: Lexer) -> CreateArguments:
    """Read what follows CREATE."""
    lexer.space()
    mailbox, written = parse_named(lexer)
    role = None
    if not lexer.at_end():
        lexer.space()
        role = _use(lexer)
    lexer.end()
    return CreateArguments(mailbox, written, role)


_ROLES: Final[Mapping[str, Role]] = {role.value.upper(): role for role in GIVEN_ROLES}


def _use(lexer: Lexer) -> Role | None:
    """`(USE (\\Sent))`; of several uses a mailbox here has room for one."""
    lexer.expect(b"(")
    if lexer.word() != "USE":
        raise ArgumentsMalformed("Unknown CREATE parameter")
    lexer.space()
    lexer.expect(b"(")
    roles = []
    while not lexer.take(b")"):
        lexer.expect(b"\\")
        roles.append(_ROLES.get(lexer.word()))
        lexer.skip_spaces()
    lexer.skip_spaces()
    lexer.expect(b")")
    if len(roles) > 1 or None in roles:
        raise UseUnsupported("That use is not supported")
    return roles[0] if roles else None


def parse_rename(lexer: Lexer) -> RenameArguments:
    """Read what follows RENAME."""
    lexer.space()
    mailbox, written = parse_named(lexer)
    lexer.space()
    new_name, new_written = parse_named(lexer)
    lexer.end()
    return RenameArguments(mailbox, written, new_name, new_written)


def parse_select(lexer: Lexer) -> SelectArguments:
    """Read what follows SELECT or EXAMINE."""
    lexer.space()
    mailbox, written = parse_named(lexer)
    condstore = False
    resync: Resync | None = None
    if not lexer.at_end():
        lexer.space()
        lexer.expect(b"(")
        lexer.skip_spaces()
        while not lexer.take(b")"):
            name = lexer.word()
            if name == "CONDSTORE":
                condstore = True
            elif name == "QRESYNC" and resync is None:
                lexer.space()
                resync = parse_resync(lexer)
            else:
                raise ArgumentsMalformed("Unknown SELECT parameter")
            if lexer.peek() != b")":
                lexer.space()
    lexer.end()
    return SelectArguments(mailbox, written, condstore, resync)


def parse_list(lexer: Lexer) -> ListArguments:
    """Read what follows LIST, with the options that RFC 5258, 5819 and 6154 add."""
    lexer.space()
    is_extended = lexer.peek() == b"("
    selections = frozenset(_words(lexer, ListSelection)) if is_extended else frozenset()
    if is_extended:
        lexer.space()
    if ListSelection.RECURSIVEMATCH in selections and not selections & _CRITERIA:
        raise ArgumentsMalformed("RECURSIVEMATCH needs something to match")
    reference = decode(lexer.astring(), lexer.text_form)
    lexer.space()
    is_extended = is_extended or lexer.peek() == b"("
    patterns = _patterns(lexer)
    returns: tuple[ListReturn | tuple[StatusItem, ...] | tuple[str, ...], ...] = ()
    if not lexer.at_end():
        lexer.space()
        if lexer.word() != "RETURN":
            raise ArgumentsMalformed("Expected RETURN")
        lexer.space()
        lexer.expect(b"(")
        returns = _listed(lexer, partial(_list_return, lexer), OPTIONS_MOST)
        is_extended = True
    lexer.end()
    plain = frozenset(each for each in returns if isinstance(each, ListReturn))
    told = [item for each in returns if isinstance(each, tuple) for item in each]
    status = tuple(dict.fromkeys(item for item in told if isinstance(item, StatusItem)))
    entries = tuple(dict.fromkeys(item for item in told if isinstance(item, str)))
    return ListArguments(reference, patterns, selections, plain, status, entries, is_extended)


_CRITERIA: Final = frozenset({ListSelection.SUBSCRIBED, ListSelection.SPECIAL_USE})


def _list_return(lexer: Lexer) -> ListReturn | tuple[StatusItem, ...] | tuple[str, ...]:
    name = lexer.word()
    if name == "METADATA":
        lexer.space()
        return parse_entries(lexer)
    if name == "STATUS":
        lexer.space()
        return _status_items(lexer)
    try:
        return ListReturn(name)
    except ValueError as fault:
        raise ArgumentsMalformed("Unknown return option") from fault


def parse_lsub(lexer: Lexer) -> ListArguments:
    """Read what follows LSUB."""
    lexer.space()
    reference = decode(lexer.astring(), lexer.text_form)
    lexer.space()
    pattern = decode(lexer.list_pattern(), lexer.text_form)
    lexer.end()
    return ListArguments(reference, (pattern,))


def _patterns(lexer: Lexer) -> tuple[str, ...]:
    if not lexer.take(b"("):
        return (decode(lexer.list_pattern(), lexer.text_form),)
    return _listed(lexer, lambda: decode(lexer.list_pattern(), lexer.text_form), PATTERNS_MOST)


def parse_status(lexer: Lexer) -> StatusArguments:
    """Read what follows STATUS."""
    lexer.space()
    mailbox = parse_mailbox(lexer)
    lexer.space()
    items = _status_items(lexer)
    lexer.end()
    return StatusArguments(mailbox, items)


def _status_items(lexer: Lexer) -> tuple[StatusItem, ...]:
    items = _words(lexer, StatusItem)
    if not items:
        raise ArgumentsMalformed("Expected STATUS items")
    return items


def _words(lexer: Lexer, kind: type[E]) -> tuple[E, ...]:
    """`(A B C)`, each a value of kind; each once, in order."""

    def word() -> E:
        try:
            return kind(lexer.word())
        except ValueError as fault:
            raise ArgumentsMalformed("Unknown item or option") from fault

    lexer.expect(b"(")
    return tuple(dict.fromkeys(_listed(lexer, word, OPTIONS_MOST)))


T = TypeVar("T")


def _listed(lexer: Lexer, read: Callable[[], T], most: int) -> tuple[T, ...]:
    """What stands in parentheses, the first of which was taken."""
    values: list[T] = []
    lexer.skip_spaces()
    while not lexer.take(b")"):
        values.append(read())
        if len(values) > most:
            raise ArgumentsTooMany("The list is too long")
        if lexer.peek() != b")":
            lexer.space()
    return tuple(values)
