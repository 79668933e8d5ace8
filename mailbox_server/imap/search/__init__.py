"""Which messages match."""
