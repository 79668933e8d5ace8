"""`python -m mailbox_server` and the command `mailbox-server`."""

from mailbox_server.cli.main import main

__all__ = ["main"]

if __name__ == "__main__":
    main()
