"""Unit tests of imap/search, a file for each module."""
