"""Which capabilities are shown to whom: rules for programs that break on one of them.

A rule names everyone, one account, or one client program by the beginning of the name (and
version) that it gives of itself.  Where several rules speak of one capability, a client's
goes before an account's and an account's before everyone's; among equals the configuration
goes before what ships with the program, and hiding before showing.

RFC 2971 §3 forbids servers to work around clients by what ID says.  We do so all the same, for
single capabilities only and visibly to the operator: without it one broken program would take
an extension away from all others.
"""

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from mailbox_server.model.address import Address
from mailbox_server.model.errors import AddressMalformed, BadInput, DomainMalformed

_VERSION: Final = " version "


class Whom(enum.IntEnum):
    """Whom a rule is about, weakest first."""

    EVERYONE = 0
    ACCOUNT = 1
    CLIENT = 2


class Deed(enum.IntEnum):
    """What a rule does, weakest first."""

    SHOW = 0
    HIDE = 1


@dataclass(frozen=True, slots=True)
class ClientProgram:
    """What a client says of itself (RFC 2971 §3.3)."""

    name: str
    version: str


@dataclass(frozen=True, slots=True)
class SwitchRule:
    """One rule.

    name: the account's address as it is found by, or how the client's name begins in any
        case; "" for everyone.  version: how the client's version begins; "" is any.
    capabilities: in capitals.
    """

    deed: Deed
    whom: Whom
    name: str
    version: str
    capabilities: frozenset[str]

    @classmethod
    def parse(cls, deed: Deed, text: str) -> "SwitchRule":
        """Read `WHOM: CAPABILITY ...`.

        WHOM is `everyone`, `account ADDRESS`, `client NAME` or `client NAME version
        VERSION`.  Raises BadInput, which says what is expected.
        """
        whom, colon, names = text.rpartition(":")
        capabilities = frozenset(name.upper() for name in names.split())
        if not colon or not capabilities:
            raise BadInput("WHOM: CAPABILITY, with further capabilities behind spaces")
        kind, _, name = whom.strip().partition(" ")
        name = name.strip()
        if kind == "everyone" and not name:
            return cls(deed, Whom.EVERYONE, "", "", capabilities)
        if kind == "client" and name:
            program, _, version = name.partition(_VERSION)
            return cls(deed, Whom.CLIENT, program.strip().casefold(), version.strip(), capabilities)
        if kind == "account":
            try:
                return cls(deed, Whom.ACCOUNT, Address.parse(name).key, "", capabilities)
            except (AddressMalformed, DomainMalformed) as error:
                raise BadInput("an address behind account") from error
        raise BadInput("everyone, account ADDRESS or client NAME before the colon")

    def fits(self, account: Address | None, client: ClientProgram | None) -> bool:
        """Whether it is about these; None is not known yet."""
        match self.whom:
            case Whom.EVERYONE:
                return True
            case Whom.ACCOUNT:
                return account is not None and account.key == self.name
            case Whom.CLIENT:
                return (
                    client is not None
                    and client.name.casefold().startswith(self.name)
                    and client.version.startswith(self.version)
                )

    def __str__(self) -> str:
        match self.whom:
            case Whom.EVERYONE:
                return "everyone"
            case Whom.ACCOUNT:
                return f"account {self.name}"
            case Whom.CLIENT:
                version = f"{_VERSION}{self.version}" if self.version else ""
                return f"client {self.name}{version}"


class Switches:
    """All rules of one protocol; made once, asked by every session."""

    def __init__(
        self, shipped: Iterable[SwitchRule] = (), configured: Iterable[SwitchRule] = ()
    ) -> None:
        ranked = [(rule.whom, 0, rule.deed, rule) for rule in shipped]
        ranked += [(rule.whom, 1, rule.deed, rule) for rule in configured]
        self._rules = [row[3] for row in sorted(ranked, key=lambda row: row[:3])]

    def decisions(
        self, account: Address | None, client: ClientProgram | None
    ) -> Mapping[str, Deed]:
        """What is decided for them, by capability in capitals; the others are as they are."""
        decided: dict[str, Deed] = {}
        for rule in self._rules:
            if rule.fits(account, client):
                decided.update(dict.fromkeys(rule.capabilities, rule.deed))
        return decided
