"""The text of documents that came attached, in a file of its own beside the database.

All of it is derived, and read after delivery, in a process apart that can be killed
(`child`, `helper`); nothing here is in the way of who delivers.  Who searches, with an index
or without, looks into what lies here (`reading`): texts and the index of them change in one
transaction, so both always say the same.

A content is read once, whoever holds it.  A file made by other readers, or for other kinds,
is thrown away, and what could not be read is tried again then, and only then.
"""
