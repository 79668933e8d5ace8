"""ENABLE: turn on what changes the meaning of replies (RFC 5161)."""

from mailbox_server.imap.capabilities import extension
from mailbox_server.imap.grammar.session_arguments import EnableArguments
from mailbox_server.imap.responses import Outcome, ok
from mailbox_server.imap.session import Extension, Session


async def enable(session: Session, arguments: EnableArguments) -> Outcome:
    """Enable what we know, ignore the rest.

    Listed is all that is newly on and was asked for (§3.1, §3.2), though another name in the
    same command had implied it: QRESYNC turns CONDSTORE on (RFC 7162 §3.2.3).
    """
    before, newly = session.enabled, []
    for name in arguments.names:
        wanted = extension(name, session)
        if wanted is None or wanted in before or wanted.value in newly:
            continue
        newly.append(wanted.value)
        match wanted:
            case Extension.CONDSTORE:
                session.enable_condstore()
            case Extension.QRESYNC:
                session.enable(wanted)
                session.enable_condstore()
            case Extension.METADATA | Extension.METADATA_SERVER:
                session.enable(wanted)
                session.annotations.watch(session.store, session.account.id)
            case Extension.REV2:
                session.enable_rev2()
            case Extension.UIDONLY:
                session.enable_uid_only()
            case Extension.UTF8:
                session.enable(wanted)
    session.respond(" ".join(["ENABLED", *newly]).encode("ascii"))
    return ok("Enabled")
