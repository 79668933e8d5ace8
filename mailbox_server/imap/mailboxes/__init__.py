"""Whose a mailbox is, what it is called, and what is told of it."""
