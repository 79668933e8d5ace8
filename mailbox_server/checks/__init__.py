"""What a message proves about who sent it, and how our own mail proves it."""
