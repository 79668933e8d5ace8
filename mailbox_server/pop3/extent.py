"""What of an account POP3 shows: which mailbox, and how old its messages may be."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from mailbox_server.model.address import Address
from mailbox_server.model.errors import (
    AddressMalformed,
    BadInput,
    DomainMalformed,
    MailboxNameMalformed,
)
from mailbox_server.model.mailbox import INBOX, mailbox_name

_WHAT: Final = re.compile(
    r"(?:newest (?P<days>[1-9][0-9]{0,4}) days?)?(?P<of> of )?(?:mailbox (?P<mailbox>.+))?\Z"
)


@dataclass(frozen=True, slots=True)
class Extent:
    """newest: only messages received so lately; None shows all."""

    mailbox: str = INBOX
    newest: timedelta | None = None


@dataclass(frozen=True, slots=True)
class ExtentRule:
    """One line of the configuration.

    account: the address as it is found by; "" is everyone.
    """

    account: str
    extent: Extent

    @classmethod
    def parse(cls, text: str) -> "ExtentRule":
        """Read `WHOM: WHAT`.

        WHOM is `everyone` or `account ADDRESS`; WHAT is `newest DAYS days`, `mailbox NAME` or
        `newest DAYS days of mailbox NAME`.  Raises BadInput, which says what is expected.
        """
        whom, _, what = text.partition(": ")
        kind, _, name = whom.strip().partition(" ")
        if kind == "account":
            try:
                account = Address.parse(name.strip()).key
            except (AddressMalformed, DomainMalformed) as error:
                raise BadInput("an address behind account") from error
        elif whom.strip() == "everyone":
            account = ""
        else:
            raise BadInput("everyone or account ADDRESS before the colon")
        return cls(account, _extent(what.strip()))


def _extent(what: str) -> Extent:
    found = _WHAT.match(what)
    if found is None or bool(found["of"]) != bool(found["days"] and found["mailbox"]) or not what:
        raise BadInput("newest DAYS days, mailbox NAME, or newest DAYS days of mailbox NAME")
    newest = timedelta(days=int(found["days"])) if found["days"] else None
    try:
        return Extent(mailbox_name(found["mailbox"] or INBOX), newest)
    except MailboxNameMalformed as error:
        raise BadInput(f"the name of a mailbox; {error}") from error


class Extents:
    """All rules; an account's goes before everyone's, as a whole, and a later one first."""

    def __init__(self, rules: Iterable[ExtentRule] = ()) -> None:
        self._extents = {rule.account: rule.extent for rule in rules}

    def of(self, account: Address) -> Extent:
        """What an account's maildrop shows."""
        return self._extents.get(account.key) or self._extents.get("") or Extent()
