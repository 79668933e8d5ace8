"""Unit tests of the IMAP room."""
