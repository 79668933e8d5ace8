"""Settings of a store that is opened for one test, and takes little of the disk for itself."""

from typing import Final

from mailbox_server.store.settings import MIB, StoreSettings

SMALL_STORE: Final = StoreSettings(reserve_octets=0, low_room_octets=0, log_octets=MIB)
"""The log of a new store is laid out in zeros: a quarter of log_octets, written at each opening."""
