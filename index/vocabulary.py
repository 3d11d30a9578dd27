"""The words that the index knows, for telling a misspelling from a word.

words.npz   every word of letters in the passages, folded, ascending, and in how many passages it stands
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import OSA
from rapidfuzz.process import cdist

from index.records import Passage
from index.text import fold

# A shorter word has too many neighbours to be corrected.
SHORTEST = 5

# Edits that a misspelling may be away from a word: one in a short word, two in a longer one.
LONG_WORD = 8


def _most_edits(length: int) -> int:
    return 1 if length < LONG_WORD else 2


_SOUNDS = (
    ("ph", "f"),
    ("ae", "e"),
    ("oe", "e"),
    ("rh", "r"),
    ("th", "t"),
    ("ck", "k"),
    ("c", "k"),
    ("z", "s"),
    ("y", "i"),
)

_WORD = re.compile(r"[^\W\d_]{2,}")


def words_of(text: str) -> list[str]:
    """Returns the words of letters in a text, folded, in order.

    >>> words_of("Ménière's 2-vessel CABG")
    ['meniere', 'vessel', 'cabg']
    """
    return _WORD.findall(fold(text))


def sounds(word: str) -> str:
    """Returns the word with letters that sound alike written alike, and no letter twice in a row.

    >>> sounds("nefrectomy") == sounds("nephrectomy"), sounds("haemorrage") == sounds("hemorrhage")
    (True, True)
    """
    for written, spoken in _SOUNDS:
        word = word.replace(written, spoken)
    return re.sub(r"(.)\1+", r"\1", word)


def _letters(word: str) -> int:
    """Returns which letters a word has, one bit each; letters beyond a to z share bits."""
    return sum({1 << ord(letter) % 32 for letter in word})


def write(folder: Path, passages: Sequence[Passage]) -> None:
    """Writes the words of all passages."""
    counts = Counter(word for passage in passages for word in set(words_of(passage.text)))
    words = sorted(counts)
    np.savez(
        folder / "words.npz",
        words=np.array(words, dtype=np.str_),
        counts=np.array([counts[word] for word in words], dtype=np.int32),
    )


class Vocabulary:
    """The words that `write` wrote, and those of general English that the encoder knows whole."""

    def __init__(self, folder: Path, english: Iterable[str]) -> None:
        with np.load(folder / "words.npz") as arrays:
            self._words: list[str] = arrays["words"].tolist()
            self._counts = arrays["counts"]
        self._known = frozenset(self._words) | frozenset(english)
        by_length: defaultdict[int, list[int]] = defaultdict(list)
        for number, word in enumerate(self._words):
            by_length[len(word)].append(number)
        # For each length of a word, all words that are near enough in length to be meant by it, and their letters.
        self._near: dict[int, tuple[NDArray[np.int32], NDArray[np.uint32]]] = {}
        letters = np.array([_letters(word) for word in self._words], dtype=np.uint32)
        for length in range(SHORTEST, max(by_length, default=0) + 3):
            most = _most_edits(length)
            numbers = [number for near in range(length - most, length + most + 1) for number in by_length[near]]
            self._near[length] = np.array(numbers, dtype=np.int32), letters[numbers]

    def __contains__(self, word: str) -> bool:
        return word in self._known

    def nearest(self, word: str) -> str | None:
        """Returns the word of the index that a misspelt one most likely is, or None.

        Distance is optimal string alignment: insertions, deletions, substitutions and swaps of neighbours cost
        one each. Of the words near enough the one that sounds most alike is taken, then the nearest, then one
        with the same first letter, then the most frequent.
        """
        most = _most_edits(len(word))
        if len(word) not in self._near:
            return None
        numbers, letters = self._near[len(word)]
        # An edit takes at most one letter from a word's set of letters and puts one into it.
        numbers = numbers[np.bitwise_count(letters ^ np.uint32(_letters(word))) <= 2 * most]
        listed = [self._words[number] for number in numbers.tolist()]
        distances = cdist([word], listed, scorer=OSA.distance, score_cutoff=most)[0]
        near = [(float(distances[place]), int(numbers[place])) for place in np.flatnonzero(distances <= most).tolist()]
        sound = sounds(word)

        def unlike(entry: tuple[float, int]) -> tuple[float, float, bool, int]:
            distance, number = entry
            other = self._words[number]
            return OSA.distance(sound, sounds(other)), distance, other[0] != word[0], -int(self._counts[number])

        return self._words[min(near, key=unlike)[1]] if near else None
