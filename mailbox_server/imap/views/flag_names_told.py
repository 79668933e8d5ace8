"""Which flags of a mailbox one session was told of by FLAGS and PERMANENTFLAGS."""

from mailbox_server.imap.views.flag_classes import FlagClasses


class FlagNamesTold:
    """Begins with all that there are: SELECT tells them."""

    def __init__(self, classes: FlagClasses) -> None:
        self._classes = classes
        self._count = len(classes.known)
        self._names = classes.names()

    def forget(self) -> None:
        """All must be told again."""
        self._count, self._names = 0, ()

    def take_news(self) -> bool:
        """Whether they must be told again (RFC 9051 §7.3.5); a new class need not bring names."""
        if self._count == len(self._classes.known):
            return False
        self._count = len(self._classes.known)
        names = self._classes.names()
        if names == self._names:
            return False
        self._names = names
        return True
