"""An index of what search looks through, in a file of its own beside the database.

All of it is derived: whoever deletes the file, or finds it damaged, loses time only.  It
answers which messages may hold a needle; the stored text decides (store.text_search), and
messages that came after the index are looked at themselves.  So results are those of a
plain scan.

Mail that comes one by one waits until some more of its account can be added with it
(catching_up.Patience), and is looked at until then: four messages on average in accounts of a
thousand and more, 32 in smaller ones, 255 at most in a store so small that it has nothing else
in the index; each takes 0.04 ms of a search for TEXT.  A mail writes 13 KiB of log so, 40 where
its account has thousands.  Each alone would write 90 to 230, and 300 accounts of ten mails
would take half of their texts: they would share neither pages nor columns.

Long texts, in which trigrams repeat, are in full-text tables by their trigrams.  Short ones
would take more there than they are; of them the words that many share are, and bits for the
trigrams of the others (briefs, sketches).  A needle of one or two letters, or of nothing but
signs, is looked for in all of them.  Few bits tell short needles less well: of 4,000 such
mails, in English or in twelve languages, 4 to 8 in 100 are looked at in vain for three
letters in bodies, 10 to 19 in signed headers, 13 to 25 for a time of day in these, and one
in 100 or fewer for five letters.

A trigram is looked for in each of the parts in which full-text tables were written.  Where much
came at once they are merged into one, and so are those of a segment that is full: of 10,000
messages that takes 0.2 s, and a rare word in bodies 0.12 ms instead of 0.16.

What questions have in common is read once for all that come until the index is written again
(reading, store.derived_state): 6 MiB at most, whatever the accounts.  Of a field that was asked
for, values that come again are put together beside the answers, and where values share their
words, those are gone through instead (field_values, field_words); with a second question all
fields of the account are made ready (field_reading).  Making that of 17,000 messages takes 30 ms
of a processor, in pieces.  Of a mailbox of 10,000 it then works 0.02 to 0.1 ms for a sender or a
subject, 0.12 ms for a rare word in bodies and 0.18 ms in texts, whatever the needle; the first
question after that takes 0.2 to 2 ms.

Measured on two cores with SQLite 3.40.1: adding costs about a millisecond a message.  Of
messages of 11 KiB the index is 6 in 100 of their texts and headers.  Of 4,000 short ones in
twelve languages, signed, as the tests make them, it is 20; of 4,000 of English prose, 1.4 KB
each, with as much header, 20; of 600 of either that came one by one 28.  Of 4,000 of English
prose of 500 characters whose senders all differ, with little header, it is 34: their field
values alone are 10.  Trigrams alone took 145 and 103 of the first two.  In rows of several
messages of 16 KiB they would take 45, by counting them: letters of signatures never repeat.

Making it takes about 6 MiB of memory: a step holds half a MiB of text and takes a quarter of a
MiB of short ones apart at once, SQLite holds a MiB of trigrams, and a row takes its text in
pieces.  Texts of 32 K characters that repeat nothing take more: 25 MiB if they are Chinese.
"""
