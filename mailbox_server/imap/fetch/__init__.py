"""What FETCH answers."""
