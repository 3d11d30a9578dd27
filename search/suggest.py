"""Suggestions while one types: names and titles that begin so, or have a word that does, and codes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from index.records import CodeKind, CodeSystem
from index.snapshot import Snapshot
from index.text import clean, fold
from search.query import squeeze_code

# Characters of a name that are compared; names that are equal so far stand together.
_COMPARED = 32

# A longer name is a sentence that nobody picks from a list.
_LONGEST = 60

# Letters that a suggestion needs: one letter begins a twentieth of all names.
SHORTEST = 2

MAX_SUGGESTIONS = 20

# Beginnings of codes with a digit among their first characters, as people type them.
_CODE = re.compile(r"(?=.*[0-9])[0-9A-Z]{2,7}", re.IGNORECASE)

# What a name loses against others, in characters of length: a word inside a name against its beginning, and each
# doubling of the codes that it names.
_INSIDE = 100.0
_DOUBLING = 2.0

# What kinds of names lose: those of procedures are what most people look for.
_KINDS = {"anatomy": 12.0, "brand": 8.0, "drug": 4.0, "device": 4.0}

_BETWEEN = re.compile(r"\W+")

# Names looked at for one answer: several sources give the same name.
_DEPTH = 4


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A text to search for. `kind` is a kind of name, "title" or "code".

    `codes` counts what a name stands for; where it is one, or a code itself, `system`, `code` and `title` say which.
    `words` are the releases' words for a name that is no code's.
    """

    text: str
    kind: str
    codes: int = 1
    system: str = ""
    code: str = ""
    title: str = ""
    words: str = ""


class Suggester:
    """The names of one snapshot, sorted by each of their words on.

    An entry is where a word of a name begins. `_keys` holds the folded texts from there, cut to `_COMPARED` bytes,
    ascending; `_rows` the phrase of each, or a document as -1 - position; `_costs` what speaks against it.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        """Reads all names once, half a second for the full releases."""
        self._snapshot = snapshot
        entries = sorted(self._entries())
        self._keys: NDArray[np.bytes_] = np.array([key for key, _, _ in entries], dtype=f"S{_COMPARED}")
        self._rows: NDArray[np.int32] = np.array([row for _, row, _ in entries], dtype=np.int32)
        self._costs: NDArray[np.float32] = np.array([cost for _, _, cost in entries], dtype=np.float32)

    @property
    def size(self) -> int:
        """The memory that the names take, in bytes."""
        return self._keys.nbytes + self._rows.nbytes + self._costs.nbytes

    def suggest(self, typed: str, limit: int) -> list[Suggestion]:
        """Returns at most `limit` suggestions, best first: codes, names that begin so, names with a word that does.

        Short names come before long ones. Nothing for fewer than `SHORTEST` letters.
        """
        text = _folded(typed)
        if len(text) < SHORTEST:
            return []
        found = {suggestion.text: suggestion for suggestion in self._codes(typed, limit)}
        for row in self._named(text, limit * _DEPTH):
            suggestion = self._of(row)
            # What is typed already needs no suggestion, and only the first of equal names is shown.
            if _folded(suggestion.text) != text:
                found.setdefault(_folded(suggestion.text), suggestion)
        return list(found.values())[:limit]

    def _named(self, text: str, most: int) -> list[int]:
        beginning = text.encode()[:_COMPARED]
        # 0xff stands behind every byte of UTF-8; a cut key may hold it where the beginning is as long.
        last = (beginning + b"\xff")[:_COMPARED]
        low = int(np.searchsorted(self._keys, np.bytes_(beginning)))
        high = int(np.searchsorted(self._keys, np.bytes_(last), side="right"))
        costs = self._costs[low:high]
        nearest = np.argpartition(costs, most)[:most] if len(costs) > most else np.arange(len(costs))
        order = nearest[np.lexsort((nearest, costs[nearest]))]
        return list(dict.fromkeys(self._rows[low:high][order].tolist()))

    def _codes(self, typed: str, limit: int) -> Iterator[Suggestion]:
        """Yields codes that begin as typed, at most half of what is asked for, so that names have a place."""
        prefix = squeeze_code(typed)
        if not _CODE.fullmatch(prefix):
            return
        documents = self._snapshot.documents
        for system in CodeSystem:
            for position in documents.starting_with(system, prefix)[: max(1, limit // 2)]:
                document = documents.brief(position)
                if document.code != prefix:
                    yield Suggestion(document.code, "code", 1, system.value, document.code, document.title)

    def _of(self, row: int) -> Suggestion:
        documents = self._snapshot.documents
        if row < 0:
            document = documents.brief(-1 - row)
            return Suggestion(document.title, "title", 1, document.system.value, document.code, document.title)
        phrase = self._snapshot.phrases[row]
        named, _, _ = self._snapshot.phrases.named(row)
        if len(named) != 1:
            return Suggestion(phrase.text, phrase.kind, len(named), phrase.system, words=phrase.words)
        document = documents.brief(int(named[0]))
        return Suggestion(phrase.text, phrase.kind, 1, document.system.value, document.code, document.title)

    def _entries(self) -> Iterator[tuple[bytes, int, float]]:
        doublings = np.log2(np.maximum(1, self._snapshot.phrases.counts()))
        for (row, phrase), doubled in zip(self._snapshot.phrases, doublings.tolist(), strict=True):
            yield from _words(phrase.text, row, _DOUBLING * doubled + _KINDS.get(phrase.kind, 0.0))
        documents = self._snapshot.documents
        for position, name in enumerate(documents.named()):
            # Titles of ICD-10-PCS are made of the same words again and again: its index names them better.
            if name.startswith(CodeSystem.ICD10PCS.value):
                continue
            document = documents.brief(position)
            if document.kind is CodeKind.PROCEDURE:
                yield from _words(document.title, -1 - position, _DOUBLING)


def _words(text: str, row: int, cost: float) -> Iterator[tuple[bytes, int, float]]:
    """Yields an entry for each word of a name."""
    folded = fold(text)
    if len(folded) > _LONGEST:
        return
    for start in (0, *(found.end() for found in _BETWEEN.finditer(folded))):
        if start < len(folded):
            yield folded[start:].encode()[:_COMPARED], row, cost + len(folded) + (_INSIDE if start else 0.0)


def _folded(text: str) -> str:
    return fold(clean(text))
