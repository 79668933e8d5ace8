"""What we say when a domain leads nowhere: each of our own verdicts on a next hop, by name.

A permanent one stands only where the DNS itself said so with certainty; whatever may be
trouble of the moment is temporary.
"""

from typing import Final

from mailbox_server.model.reply import reply

NULL_MX: Final = reply(556, "5.1.10", "The domain accepts no mail at all (null MX)")
NO_SUCH_DOMAIN: Final = reply(550, "5.1.2", "The domain does not exist")
NO_MAIL_HOST: Final = reply(550, "5.4.4", "The domain has no mail server with an address")
NOT_PUBLIC: Final = reply(550, "5.4.4", "The domain's mail servers have no public address")
LOOP: Final = reply(554, "5.4.6", "The domain's mail servers lead back to this one")
LITERAL_NOT_PUBLIC: Final = reply(550, "5.4.4", "Mail is not sent to an address of that kind")
NO_ANSWER: Final = reply(451, "4.4.3", "The DNS gave no answer about the domain's mail servers")
ROUTE_UNKNOWN: Final = reply(451, "4.4.4", "The host to send by cannot be found now")

NOT_AUTHENTIC: Final = reply(
    550, "5.7.10", "TLS is required, and nothing vouches for the domain's mail servers"
)
NOT_AUTHENTIC_NOW: Final = reply(
    451, "4.7.10", "TLS is required, and nothing vouches for the domain's mail servers now"
)
DNSSEC_BROKEN: Final = reply(
    451, "4.7.5", "The DNSSEC-protected records of the domain's mail servers cannot be had now"
)
NOT_IN_POLICY: Final = reply(
    451, "4.7.5", "No mail server of the domain is in its published policy (MTA-STS)"
)
