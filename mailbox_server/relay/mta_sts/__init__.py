"""MTA-STS (RFC 8461): what a domain's own web server says about the TLS of its mail hosts."""
