"""The index's file is known for what was written by the same rules."""

import runpy
import unicodedata

import pytest

from mailbox_server.store.search_index import layout


def test_an_index_made_with_the_letters_of_another_unicode_is_not_taken_for_ours(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What was no letter may be one: words would be others."""
    monkeypatch.setattr(unicodedata, "unidata_version", "99.1.0")
    assert runpy.run_path(layout.__file__)["FILE"].version != layout.FILE.version
