"""TLS reports (RFC 8460): domains hear daily how sessions with their mail hosts went."""
