"""Unit tests of the IMAP grammar, a file for each module."""
