"""Who belongs to which network, with the most crowded network always at hand.

Every step takes the same time however many members and networks there are: a flood must not
make it dear to find out whose place to take.
"""

from typing import Generic, TypeVar

Network = tuple[int, int, int]
"""IP version, bits of the prefix, the prefix itself: hashed in a tenth of what the objects of
ipaddress take, and a connection asks a dozen times."""

M = TypeVar("M")


class Crowds(Generic[M]):
    """Members by network, in the order in which they came.

    A member's network may be None: that of peers without an IP address.
    """

    def __init__(self) -> None:
        self._everyone: dict[M, None] = {}
        self._networks: dict[Network | None, dict[M, None]] = {}
        # The networks of each size, in the order in which they came to have it.
        self._sizes: dict[int, dict[Network | None, None]] = {}
        self._largest = 0

    def __len__(self) -> int:
        """How many members there are."""
        return len(self._everyone)

    def size(self, network: Network | None) -> int:
        """How many members a network has."""
        return len(self._networks.get(network, ()))

    @property
    def largest(self) -> int:
        """How many members the most crowded network has."""
        return self._largest

    @property
    def oldest(self) -> M | None:
        """Who came first of all."""
        return next(iter(self._everyone), None)

    @property
    def oldest_of_most_crowded(self) -> M | None:
        """Who came first of the most crowded network, of several of them the earliest."""
        if not self._largest:
            return None
        network = next(iter(self._sizes[self._largest]))
        return next(iter(self._networks[network]))

    def add(self, network: Network | None, member: M) -> None:
        """A member comes, who is in no network yet."""
        members = self._networks.setdefault(network, {})
        self._leave_size(network, len(members))
        members[member] = None
        self._everyone[member] = None
        self._join_size(network, len(members))
        self._largest = max(self._largest, len(members))

    def discard(self, network: Network | None, member: M) -> None:
        """A member goes; silent where it is none."""
        if member not in self._everyone:
            return
        members = self._networks[network]
        self._leave_size(network, len(members))
        del members[member]
        del self._everyone[member]
        if members:
            self._join_size(network, len(members))
        else:
            del self._networks[network]
        if self._largest not in self._sizes:
            self._largest -= 1

    def _leave_size(self, network: Network | None, size: int) -> None:
        if size:
            peers = self._sizes[size]
            del peers[network]
            if not peers:
                del self._sizes[size]

    def _join_size(self, network: Network | None, size: int) -> None:
        self._sizes.setdefault(size, {})[network] = None
