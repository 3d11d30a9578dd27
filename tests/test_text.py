"""Cleaning and tokens, on texts that nobody would think of."""

from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from index.text import clean, spans, tokens


@given(st.text(st.characters()))
def test_cleaning_twice_changes_nothing(text: str) -> None:
    """clean(clean(x)) is clean(x), for any text, lone surrogates included."""
    assert clean(clean(text)) == clean(text)


@given(st.text(st.characters()))
def test_clean_text_can_be_encoded_and_has_no_control_characters(text: str) -> None:
    """What is clean can be written as UTF-8 and shown."""
    cleaned = clean(text)
    cleaned.encode()
    assert not [char for char in cleaned if unicodedata.category(char) in ("Cc", "Cs")]


@given(st.text())
def test_spans_lie_in_the_text_in_order(text: str) -> None:
    """Tokens are not empty, do not overlap, and stand where they say."""
    end = 0
    for token in spans(text):
        assert end <= token.start < token.end <= len(text)
        end = token.end


def test_inflections_and_accents_meet() -> None:
    """Forms of a word that people use for each other have one stem."""
    assert tokens("Injections") == tokens("injection")
    assert tokens("Ménière") == tokens("Meniere")


def test_words_that_tell_codes_apart_are_kept() -> None:
    """With, without and each are no stop words."""
    assert tokens("with and without contrast, each") == ["with", "without", "contrast", "each"]
