"""Where one message for one domain goes next: hosts in order, each with its demand of TLS."""

from dataclasses import dataclass

from mailbox_server.model.address import IpAddress
from mailbox_server.model.reply import Reply
from mailbox_server.model.tls_demand import TlsDemand


@dataclass(frozen=True, slots=True)
class Login:
    """How we log in to a smart host; the password is in no repr."""

    user: str
    password: str

    def __repr__(self) -> str:
        return f"Login({self.user!r})"


@dataclass(frozen=True, slots=True)
class Host:
    """One host to try.

    name: A-labels, or an address literal's text.  ips: in the order to try, at least one.
    implicit_tls: TLS from the first octet (submissions port).  source: our own address for
        each family to connect from, where an operator chose one.
    """

    name: str
    port: int
    ips: tuple[IpAddress, ...]
    demand: TlsDemand
    implicit_tls: bool = False
    login: Login | None = None
    sources: tuple[IpAddress, ...] = ()


@dataclass(frozen=True, slots=True)
class NextHop:
    """Hosts to try in order.

    key: what shares connections, memory and limits: the recipient domain, or the smart host.
    domain: whose own mail hosts they are (A-labels); "" for a smart host or an address.
    """

    key: str
    hosts: tuple[Host, ...]
    domain: str = ""


@dataclass(frozen=True, slots=True)
class NoHop:
    """There is nowhere to go, now or for good as the reply's code says; our words."""

    key: str
    reply: Reply
