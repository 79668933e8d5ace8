"""Unit tests of imap/views, a file for each module."""
