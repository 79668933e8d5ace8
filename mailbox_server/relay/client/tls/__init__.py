"""The protection of an outgoing connection: handshakes, and what a certificate must prove."""
