"""The catalogue is whole: each cause has words, each placeholder is one that is filled."""

import dataclasses
from collections.abc import Iterator
from string import Formatter
from typing import Any

from mailbox_server.delivery.bounces import catalogue
from mailbox_server.mime.reports.delivery_status import Action
from mailbox_server.model.bounce import Cause


def texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, catalogue.Words):
        yield from dataclasses.astuple(value)
    elif hasattr(value, "values"):
        for each in value.values():
            yield from texts(each)


def all_texts() -> list[str]:
    return [
        text
        for name, value in vars(catalogue).items()
        if name.strip("_").isupper() and name not in ("PLACEHOLDERS", "MONTHS")
        for text in texts(value)
    ]


def test_every_cause_and_every_action_has_words() -> None:
    assert catalogue.CAUSES.keys() == set(Cause)
    assert catalogue.OPENINGS.keys() == catalogue.SUBJECTS.keys() == set(Action)
    assert len(all_texts()) > 3 * len(Cause)


def test_every_placeholder_is_one_of_the_list_and_each_is_used() -> None:
    used = {
        field
        for text in all_texts()
        for _, field, _, _ in Formatter().parse(text)
        if field is not None
    }
    assert used == catalogue.PLACEHOLDERS


def test_sentences_are_whole_and_plain() -> None:
    for cause, words in catalogue.CAUSES.items():
        for sentence in dataclasses.astuple(words):
            assert sentence.endswith("."), cause
            assert sentence[0].isupper(), cause
            assert sentence.isascii(), cause
            assert len(sentence) < 200, cause
