"""Unit tests of imap/fetch, a file for each module."""
