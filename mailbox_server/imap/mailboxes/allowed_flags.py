"""Which flags may be set by whom (RFC 4314 §4)."""

from dataclasses import replace
from typing import Final

from mailbox_server.model.errors import NoPermission
from mailbox_server.model.keywords import (
    KEYWORDS_A_MAILBOX,
    SYSTEM_FLAGS,
    FlagKind,
    flag_kind,
)
from mailbox_server.model.rights import ALL_RIGHTS, Rights
from mailbox_server.store.ports import Edit, FlagChange

_KINDS: Final = frozenset(FlagKind)


def settable(rights: Rights) -> frozenset[FlagKind]:
    """The kinds of flags that these rights let somebody set."""
    return frozenset(kind for kind in _KINDS if kind.value in rights)


def allowed(names: frozenset[str], rights: Rights) -> frozenset[str]:
    """Those of the flags that may be set; the others are left out in silence."""
    if not names or rights == ALL_RIGHTS:
        return names
    kinds = settable(rights)
    return frozenset(name for name in names if flag_kind(name) in kinds)


def allowed_change(change: FlagChange, rights: Rights) -> FlagChange:
    """As much of a STORE as may be done.  Raises NoPermission where that is nothing."""
    kinds = settable(rights)
    if kinds == _KINDS:
        return change
    names = allowed(change.names, rights)
    if not kinds or (change.names and not names):
        raise NoPermission("none of the flags may be changed")
    spares = _KINDS - kinds if change.edit is Edit.REPLACE else frozenset[FlagKind]()
    return replace(change, names=names, spares=spares)


def permanent_flags(flags: tuple[str, ...], rights: Rights) -> tuple[str, ...]:
    """For PERMANENTFLAGS, of the system flags and the keywords in use."""
    room = len(flags) - len(SYSTEM_FLAGS) < KEYWORDS_A_MAILBOX
    if rights != ALL_RIGHTS:
        flags = tuple(name for name in flags if flag_kind(name).value in rights)
        room = room and FlagKind.OTHER.value in rights
    return (*flags, "\\*") if room else flags
