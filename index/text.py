"""How text is cleaned and cut into tokens: one definition for the build and for queries."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import NamedTuple

import Stemmer

# Raise it whenever `clean` or `tokens` gives another result: a snapshot with another version is not opened.
TEXT_VERSION = 1

# Words that carry no procedure. "with", "without", "no" and "each" stay: they tell codes apart.
STOP_WORDS = frozenset(
    "a an and are as at be been by for from had has have he her his i in is it its me my of on or our she"
    " so that the their them they this to was we were what when where which who will you your".split()
)

words = re.compile(r"[^\W_]+").finditer
"""Yields the matches of every word of letters and digits in a text."""

_stemmer = Stemmer.Stemmer("english")


class Token(NamedTuple):
    """A stem, and where its word stands in the text: code points `start` to `end`, end excluded."""

    stem: str
    start: int
    end: int


def clean(text: str) -> str:
    """Returns the text in NFC, without control characters and lone surrogates, each run of white space one space.

    >>> clean("  knee\\x00 \\ud800  replacement\\n")
    'knee replacement'
    """
    if text.isascii() and text.isprintable():
        return " ".join(text.split())
    kept = "".join(" " if unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") else char for char in text)
    return " ".join(unicodedata.normalize("NFC", kept).split())


def spans(text: str) -> list[Token]:
    """Returns every token of the text in order, stop words left out; nothing for a text without letters or digits.

    >>> spans("Ménière's sac, opened")
    [Token(stem='menier', start=0, end=7), Token(stem='s', start=8, end=9), Token(stem='sac', start=10, end=13), \
Token(stem='open', start=15, end=21)]
    """
    found = (Token(stem(match.group()), *match.span()) for match in words(text))
    return [token for token in found if token.stem]


def tokens(text: str) -> list[str]:
    """Returns the stems of `spans`.

    >>> tokens("Injections into the sacrum, without contrast")
    ['inject', 'into', 'sacrum', 'without', 'contrast']
    """
    return [found for match in words(text) if (found := stem(match.group()))]


def fold(text: str) -> str:
    """Returns the text without case and accents, which people leave out.

    >>> fold("Ménière")
    'meniere'
    """
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(char for char in decomposed if not unicodedata.combining(char))


@lru_cache(maxsize=100_000)
def stem(word: str) -> str:
    """Returns the folded word's Snowball English stem, or nothing for a stop word."""
    folded = fold(word)
    return "" if folded in STOP_WORDS else str(_stemmer.stemWord(folded))
