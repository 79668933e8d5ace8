"""mailbox-server: a personal mail server in one process, with one command and one store."""

__version__ = "0.1.0"
