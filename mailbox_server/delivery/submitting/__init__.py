"""The journey of a message that one of our own people sends (RFC 6409)."""
