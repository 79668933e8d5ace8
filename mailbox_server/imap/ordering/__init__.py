"""In which order messages are told."""
