"""From octets to commands and back, and messages on their way in."""
