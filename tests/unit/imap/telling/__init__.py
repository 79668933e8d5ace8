"""Unit tests of imap/telling, a file for each module."""
