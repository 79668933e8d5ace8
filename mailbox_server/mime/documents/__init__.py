"""Documents that come as attachments: which there are, and the text in each kind.

Only `kinds` and `outcomes` are for the server.  The readers parse what strangers made with
code that is not ours; they run in a process that can reach nothing (store.attached_text).
"""
