"""Acknowledge at once what a peer sent while it is not done.

A client that writes a literal and then the end of its line in a second small write is held
up by Nagle's algorithm until the first write is acknowledged, which the kernel puts off for
40 ms when we have nothing to answer yet.  imaplib appends so; it made 22 APPENDs a second
where 1,000 are possible.
"""

import asyncio
import socket


def acknowledge_now(transport: asyncio.BaseTransport) -> None:
    """Send the acknowledgment that the kernel holds back, if any; about 20 µs under uvloop.

    Does nothing where the platform or the socket has no such option.
    """
    carrier = transport.get_extra_info("socket")
    if carrier is None or carrier.family not in (socket.AF_INET, socket.AF_INET6):
        return
    option = getattr(socket, "TCP_QUICKACK", None)
    if option is not None:
        carrier.setsockopt(socket.IPPROTO_TCP, option, 1)
