"""The loop, listening sockets, admission, TLS, and Twisted protocols on asyncio transports."""
