"""A return path of its own for each recipient, where MAIL of a submission asks for that (VERP).

    XVERP          as Postfix has it: `owner+user=domain@host`, which comes back to the sender,
                   whose own list program reads it
    XBOUNCECOUNT   ours: `owner+token@host`, signed; bounces are counted here, under the sender
                   (delivery.bounces.returns), and neither kept nor told

The second is no `VERP`, as draft-varshavchik-verp-smtpext-03 and draft-nurpmeso-smtp-verp-03
call what they propose: that promises a path which the sender can read, and bounces that reach
the sender.

Who was counted once under a sender stays known: what comes back to an XVERP path of the same two
is counted, too, so a list does well to use one of them only.

A recipient here gets the same in Return-Path.  Behind an alias to other servers, what fails
comes to the path of the alias.
"""

from dataclasses import dataclass
from datetime import datetime

from mailbox_server.delivery.verp import Kind, PathSigner, ReturnToken, plain_path
from mailbox_server.model.address import Address, ReversePath
from mailbox_server.model.envelope import Verp
from mailbox_server.model.errors import ReturnPathTooLong
from mailbox_server.model.ids import ContentId
from mailbox_server.store.ports import WriteTx


@dataclass(frozen=True, slots=True)
class OwnPaths:
    """The return paths of one message; used within its write, which may be run again."""

    verp: Verp
    sender: Address
    signer: PathSigner
    now: datetime

    def path(self, tx: WriteTx, content: ContentId, recipient: Address) -> ReversePath:
        """That of one recipient, who gets a number where it is to be counted.

        Raises ReturnPathTooLong.
        """
        if self.verp.is_counted:
            member = tx.bounces.number_of(self.sender.key, recipient)
            token = ReturnToken(self.sender, Kind.BULK, member, content)
            made = self.signer.path(token, self.now)
        else:
            made = plain_path(self.sender, recipient, self.verp.delimiters)
        if made is None:
            raise ReturnPathTooLong("no return path fits 64 octets")
        return ReversePath(made)
