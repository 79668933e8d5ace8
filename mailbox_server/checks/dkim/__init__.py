"""DomainKeys Identified Mail: canonical forms, keys, signing (RFC 6376, 8301, 8463)."""
