"""An index of what search looks through, in a file of its own beside the database.

All of it is derived: whoever deletes the file, or finds it damaged, loses time only.  It
answers which messages may hold a needle; the stored text decides (store.text_search), and
messages that came after the index are looked at themselves.  So results are those of a
plain scan.

Measured on two cores with SQLite 3.40.1: adding costs about a millisecond a message, a
needle that is rare 0.2 ms of a segment.  Of messages of 11 KiB the index is 12 in 100 of
their texts and headers; of 1,371 short ones, with 1.4 KB of text and as much header on
average, it is 78 in 100: in short texts trigrams hardly repeat, and each costs an octet.
Of 4,000 made mails of 200 to 800 characters in twelve languages with signatures in their
headers it is 113, half of it the headers' trigrams.  Rows of several messages would make
it 70, but words of a tenth of the messages would be looked for in nearly all.

Making it takes about 5 MiB of memory, whatever the texts: a step holds half a MiB of text,
SQLite a MiB of trigrams, and a row takes its text in pieces.
"""
