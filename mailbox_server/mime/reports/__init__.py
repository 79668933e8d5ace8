"""Reports that machines write and read: delivery status (RFC 3464, RFC 6522, RFC 6533)."""
