"""Outgoing mail: where it goes, when it is tried again, how it is carried, what comes back."""
