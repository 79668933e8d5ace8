"""Who is told that a mailbox's access key was made anew (RFC 4467 §7, RESETKEY).

In memory only: a session that misses it has lost nothing, for INTERNAL has no data.
"""

from collections.abc import Callable

from mailbox_server.model.ids import AccountId, MailboxId


class KeyResets:
    """The sessions that have mailboxes selected, by account; shared by all."""

    def __init__(self) -> None:
        self._watches: dict[AccountId, set[KeyWatch]] = {}

    def add(self, account: AccountId, watch: "KeyWatch") -> None:
        """Tell this one too."""
        self._watches.setdefault(account, set()).add(watch)

    def remove(self, account: AccountId, watch: "KeyWatch") -> None:
        """Tell it no more."""
        watches = self._watches[account]
        watches.remove(watch)
        if not watches:
            del self._watches[account]

    def tell(
        self,
        account: AccountId,
        mailbox: MailboxId | None,
        teller: "KeyWatch | None" = None,
    ) -> None:
        """The account's key of a mailbox was reset, or with None all of them.

        teller: whose client knows already.
        """
        for watch in self._watches.get(account, ()):
            if watch is not teller and mailbox in (None, watch.mailbox):
                watch.tell()


class KeyWatch:
    """What one session has to tell its client.

    is_untold: whether the key was reset since the client was told.
    """

    def __init__(self, resets: KeyResets) -> None:
        self.mailbox: MailboxId | None = None
        self._resets = resets
        self._account: AccountId | None = None
        self._ring: Callable[[], None] | None = None
        self.is_untold = False

    def begin(self, account: AccountId, mailbox: MailboxId, ring: Callable[[], None]) -> None:
        """The mailbox was selected, the one before let go; ring: wakes the session."""
        self._account, self.mailbox, self._ring = account, mailbox, ring
        self._resets.add(account, self)

    def end(self) -> None:
        """The mailbox is let go, if there is one."""
        if self._account is not None:
            self._resets.remove(self._account, self)
        self._account = self.mailbox = self._ring = None
        self.is_untold = False

    def tell(self) -> None:
        """The key was reset."""
        self.is_untold = True
        if self._ring is not None:
            self._ring()

    def take(self) -> bool:
        """Whether the client is to be told now; once."""
        is_untold, self.is_untold = self.is_untold, False
        return is_untold
