"""What never changes about the messages of a mailbox."""
