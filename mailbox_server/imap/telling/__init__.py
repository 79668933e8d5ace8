"""What a client is told that it has not asked for just now."""
