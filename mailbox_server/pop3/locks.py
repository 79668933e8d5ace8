"""Which maildrops are held by a session that wants them to itself (RFC 1939 §4)."""

from mailbox_server.model.ids import AccountId


class MaildropLocks:
    """The locks of one process; only used where a second session is refused."""

    def __init__(self) -> None:
        self._held: set[AccountId] = set()

    def take(self, account: AccountId) -> bool:
        """Take the lock; False when another session has it."""
        if account in self._held:
            return False
        self._held.add(account)
        return True

    def release(self, account: AccountId) -> None:
        """Give it back."""
        self._held.discard(account)
