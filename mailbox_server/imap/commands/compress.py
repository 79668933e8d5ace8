"""COMPRESS: from the tagged reply on both sides deflate what they send (RFC 4978 §3)."""

from mailbox_server.imap.responses import Outcome, bad, no, ok
from mailbox_server.imap.session import Session


async def compress(session: Session, mechanism: str) -> Outcome:
    """Let the conversation begin to compress behind the tagged reply."""
    if mechanism != "DEFLATE":
        return bad("Unknown compression mechanism")
    if session.is_compressed:
        return no("Compression is on already", b"COMPRESSIONACTIVE")
    session.is_compressed = True
    return ok("Compressed from here on")
