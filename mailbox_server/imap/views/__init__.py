"""How a session sees its selected mailbox."""
