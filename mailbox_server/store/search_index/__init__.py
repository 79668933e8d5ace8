"""An index of what search looks through, in a file of its own beside the database.

All of it is derived: whoever deletes the file, or finds it damaged, loses time only.  It
answers which messages may hold a needle; the stored text decides (store.text_search), and
messages that came after the index are looked at themselves.  So results are those of a
plain scan.

Long texts, in which trigrams repeat, are in full-text tables by their trigrams.  Short ones
would take more there than they are; of them the words that many share are, and bits for the
trigrams of the others (briefs, sketches).  A needle of one or two letters, or of nothing but
signs, is looked for in all of them.  Few bits tell short needles less well: of 4,000 such
mails, in English or in twelve languages, 4 to 8 in 100 are looked at in vain for three
letters in bodies, 10 to 19 in signed headers, 13 to 25 for a time of day in these, and one
in 100 or fewer for five letters.

Measured on two cores with SQLite 3.40.1: adding costs about a millisecond a message, a
needle that is rare 0.2 ms of a segment.  Of messages of 11 KiB the index is 6 in 100 of
their texts and headers.  Of 2,500 short ones in twelve languages, signed, as the tests make
them, it is 23; of 4,000 of English prose, 1.4 KB each, with as much header, 25.  Trigrams
alone took 145 and 103 there.  In rows of several messages of 16 KiB they would take 45, by
counting them: letters of signatures never repeat.

Making it takes about 6 MiB of memory: a step holds half a MiB of text and takes a quarter of a
MiB of short ones apart at once, SQLite holds a MiB of trigrams, and a row takes its text in
pieces.  Texts of 32 K characters that repeat nothing take more: 25 MiB if they are Chinese.
"""
