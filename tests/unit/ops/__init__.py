"""Unit tests of the operating room."""
