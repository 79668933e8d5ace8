"""Unit tests of imap/stream, a file for each module."""
