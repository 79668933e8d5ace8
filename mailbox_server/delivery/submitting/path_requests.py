"""Whether recipients can have return paths of their own, asked before any content comes.

XVERP is refused where what comes back would not reach the account, by the same routing that
delivers: its first delimiter must stand between name and detail here.
"""

from typing import Final

from mailbox_server.delivery import replies
from mailbox_server.delivery.arrival import Opening
from mailbox_server.delivery.submitting.ownership import Ownership
from mailbox_server.delivery.verp import Kind, PathSigner, ReturnToken, plain_path
from mailbox_server.model.account import Account
from mailbox_server.model.address import Address, Domain
from mailbox_server.model.bounce import ScoreState
from mailbox_server.model.ports import Clock
from mailbox_server.model.reply import Reply
from mailbox_server.store.ports import Store

_EXAMPLE: Final = Address.of("a", Domain("b"))
_LARGE_NUMBER: Final = 2**30 - 1
"""Of recipients and of messages; with larger ones a long name may not fit after all."""


class PathRequests:
    """Answers XVERP and XBOUNCECOUNT (delivery.own_paths)."""

    def __init__(
        self, store: Store, ownership: Ownership, signer: PathSigner, clock: Clock
    ) -> None:
        self._store = store
        self._ownership = ownership
        self._signer = signer
        self._clock = clock

    async def refusal(self, account: Account, opening: Opening) -> Reply | None:
        """Why MAIL cannot have what it asks for, if so; the sender is the account's."""
        verp, sender = opening.wishes.verp, opening.reverse_path.address
        if verp is None:
            return None
        if sender is None:
            return replies.PATHS_WITHOUT_SENDER
        if verp.is_counted:
            token = ReturnToken(sender, Kind.BULK, _LARGE_NUMBER, _LARGE_NUMBER)
            fits = self._signer.path(token, self._clock.now()) is not None
            return None if fits else replies.PATHS_TOO_LONG
        example = plain_path(sender, _EXAMPLE, verp.delimiters)
        if example is None:
            return replies.PATHS_TOO_LONG
        if not await self._ownership.holds(account, example, opening.local_ip):
            return replies.lost_bounces(example)
        return None

    async def recipient_refusal(
        self, account: Account, opening: Opening, recipient: Address
    ) -> Reply | None:
        """Why one recipient cannot be taken with it, if so."""
        verp, sender = opening.wishes.verp, opening.reverse_path.address
        if verp is None or sender is None:
            return None
        if verp.is_counted:
            scope = sender.key
            score = self._store.glance(lambda tx: tx.bounces.score(scope, recipient))
            if score is None or score.state is not ScoreState.DISABLED:
                return None
            return replies.keeps_bouncing(score.words)
        path = plain_path(sender, recipient, verp.delimiters)
        # A local part with @, % or ! would make a path that nothing is delivered to.
        if path is None or not await self._ownership.holds(account, path, opening.local_ip):
            return replies.PATH_IMPOSSIBLE
        return None
