"""The octets of a message on their way to the wire: read, looked at, changed where they must be."""
