"""Message octets: header fields, the MIME tree as ranges, what IMAP shows of it, text for
search, and composing of our own notices.

Nothing here raises on octets that a peer chose; work is linear and memory bounded.  All
positions are offsets in the content: a reader of trace + content adds len(trace).
"""
