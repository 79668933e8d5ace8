"""SessionNews: who hears what of the sessions that the relay has opened.

The families of addresses hear what could be reached, the tally of TLS reports how TLS went,
the levels how well the mail is protected that goes now.
"""

from mailbox_server.model.next_hop import NextHop
from mailbox_server.relay.address_order import Families
from mailbox_server.relay.client.opening import Opening
from mailbox_server.relay.tls_levels import TlsLevels
from mailbox_server.relay.tls_reports.tally import TlsTally
from mailbox_server.store.ports import Store


class SessionNews:
    """Hears every opening (relay.queue), and writes down what is to be kept of them."""

    def __init__(self, families: Families, tally: TlsTally, levels: TlsLevels) -> None:
        self._families = families
        self._tally = tally
        self._levels = levels

    def heard(self, hop: NextHop, opening: Opening) -> None:
        """Spread the news of one opening; never raises, never waits."""
        for one in opening.tries:
            if one.source is None:
                self._families.missed(one.ip)
            else:
                self._families.reached(one.ip)
            # A repetition with less protection is no session of its own for the domain.
            is_first = one.level is one.host.demand.level
            if hop.domain and is_first and one.result is not None:
                self._tally.session(
                    hop.domain, one.host.name, one.host.demand, one.result, one.source, one.ip
                )
        if hop.domain and opening.connection is not None and opening.tries:
            last = opening.tries[-1]
            self._levels.session(hop.domain, last.host.name, last.host.demand, last.result)

    async def settle(self, store: Store) -> None:
        """Write down what was counted and noted.  Raises StoreUnavailable."""
        await self._tally.settle(store)
        await self._levels.settle(store)
