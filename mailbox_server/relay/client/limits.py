"""How long each step may take, and how much is tried at once."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ClientLimits:
    """Seconds of one step each, counted from when it could begin; octets do not renew them.

    All but connect, stagger, handshake and quit are those of RFC 5321 §4.5.3.2.
    stagger: after so long without an answer the next address is tried beside.
    block: in each such span the server must take 100 octets a second on average.
    ips: addresses tried in one opening.  sessions: of them, greeted and failed.
    recipients: in one transaction, unless the server says otherwise (RFC 5321 §4.5.3.1.8).
    """

    connect: float = 30.0
    stagger: float = 3.0
    handshake: float = 60.0
    greeting: float = 300.0
    hello: float = 300.0
    login: float = 300.0
    mail: float = 300.0
    rcpt: float = 300.0
    data: float = 120.0
    block: float = 180.0
    end: float = 600.0
    quit: float = 5.0
    ips: int = 5
    sessions: int = 2
    recipients: int = 100
