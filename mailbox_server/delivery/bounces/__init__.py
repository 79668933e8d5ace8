"""Bounces: what is owed to whom, the reports that say it, and what comes back to us."""
