"""Words, prefixes and phrases are found whole, and what matches better scores higher."""

import pytest

from mailbox_server.mime.normal_form import normalize
from mailbox_server.store.ports import WordMatch, WordScope, WordTerm
from mailbox_server.store.search_index.words import Term, Texts, score, words_of


def texts(body: str, *, subject: str = "", sender: str = "") -> Texts:
    fields = {WordScope.SUBJECT: normalize(subject), WordScope.FROM: normalize(sender)}
    return Texts(normalize(body), "\n".join(fields.values()), fields)


def points(term: WordTerm, where: Texts) -> float | None:
    return score([Term(term)], [1.0], where)


@pytest.mark.parametrize(
    ("text", "match", "body", "is_there"),
    [
        ("tax", WordMatch.WORD, "the Tax.", True),
        ("tax", WordMatch.WORD, "taxes, syntax, tax_id", False),
        ("tax", WordMatch.PREFIX, "syntax taxes", True),
        ("tax", WordMatch.PREFIX, "syntax", False),
        ("income tax", WordMatch.WORD, "tax on income", True),
        ("income tax", WordMatch.WORD, "income", False),
        ("income tax", WordMatch.PHRASE, "on Income--tax!", True),
        ("income tax", WordMatch.PHRASE, "tax on income", False),
        ("income tax", WordMatch.PHRASE, "income taxes", False),
        ("straße", WordMatch.WORD, "STRASSE", True),
        ("été", WordMatch.WORD, "E\u0301TE\u0301", True),
        ("x̂y", WordMatch.WORD, "x y", False),
        ("x̂y", WordMatch.WORD, "an X̂Y.", True),
        ("x", WordMatch.WORD, "x̂", False),
        ("हिन्दी", WordMatch.WORD, "ही नी दी", False),
        ("हिन्दी", WordMatch.WORD, "यह हिन्दी है", True),
        ("हिन्द", WordMatch.WORD, "हिन्दी", False),
        ("हिन्द", WordMatch.PREFIX, "हिन्दी", True),
        ("京都", WordMatch.WORD, "東京都庁", True),
        ("c++", WordMatch.WORD, "c, d", True),
        ("++", WordMatch.WORD, "anything", True),
    ],
)
def test_words_are_found_whole(text: str, match: WordMatch, body: str, is_there: bool) -> None:
    found = points(WordTerm(text, match), texts(body))
    assert (found is not None) is is_there


def test_a_scope_is_kept_to() -> None:
    where = texts("tax", subject="income")
    assert points(WordTerm("tax", scope=WordScope.SUBJECT), where) is None
    assert points(WordTerm("income", scope=WordScope.BODY), where) is None
    assert points(WordTerm("income", scope=WordScope.SUBJECT), where) is not None


def test_what_matches_better_scores_higher() -> None:
    once, often = texts("tax and words"), texts("tax tax tax and words")
    long, in_subject = texts("tax " + "and words " * 3_000), texts("tax and words", subject="tax")
    scores = [points(WordTerm("tax"), each) or 0.0 for each in (long, once, often, in_subject)]
    assert scores == sorted(scores)
    assert len(set(scores)) == 4
    assert scores[0] > 0


def test_more_words_than_are_looked_for_are_cut() -> None:
    assert len(words_of(WordTerm(" ".join(f"w{number}" for number in range(1_000))))) == 32


def test_hostile_text_takes_linear_time() -> None:
    term = WordTerm("a b", WordMatch.PHRASE)
    assert points(term, texts("a" * 300_000 + " b" + "a !" * 100_000)) is None
