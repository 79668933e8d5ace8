"""The queue of outgoing mail: what is due is taken, carried, and what became of it written down."""
