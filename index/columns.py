"""What ranking reads of every document at once: attributes, words of the title, characters. Arrays, memory-mapped.

attributes.npy   uint8 (documents, attributes): position of the value in its attribute, from 1; 0 for none
terms.npz        the stems of each title as numbers, one document's after the other's, and each stem's weight
characters.npy   int32 (documents, 7): the passage that tells what a character stands for; -1 for none
values.npy       uint8 (passages,): a bit for each of `VALUES` that the character of a passage has
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from index.attributes import ATTRIBUTES, NAMES, attributes_of
from index.passages import character_text, split
from index.records import Document, Passage, SectionKind
from index.text import tokens

CHARACTERS = 7

# Values of characters that ranking tells apart, by the beginning of their labels.
VALUES = {"nothing": ("No Device", "No Qualifier", "None"), "open": ("Open",), "percutaneous": ("Percutaneous",)}


def write(folder: Path, documents: Sequence[Document], passages: Sequence[Passage]) -> None:
    """Writes the columns of all documents, in their order."""
    order = {name: {value: place for place, value in enumerate(ATTRIBUTES[name], start=1)} for name in NAMES}
    attributes = np.zeros((len(documents), len(NAMES)), dtype=np.uint8)
    characters = np.full((len(documents), CHARACTERS), -1, dtype=np.int32)
    told = {
        passage.text: number for number, passage in enumerate(passages) if passage.section is SectionKind.CHARACTERS
    }
    values = np.zeros(len(passages), dtype=np.uint8)
    for text, number in told.items():
        for bit, beginnings in enumerate(VALUES.values()):
            values[number] |= text.startswith(beginnings) << bit
    titles = []
    for row, document in enumerate(documents):
        for name, value in attributes_of(document).items():
            attributes[row, NAMES.index(name)] = order[name][value]
        for place, character in enumerate(document.characters):
            characters[row, place] = told[split(character_text(character))[0]]
        titles.append(list(dict.fromkeys(tokens(document.title))))
    holding = Counter(stem for stems in titles for stem in stems)
    names = {stem: number for number, stem in enumerate(sorted(holding))}
    weights = [np.log(1 + (len(documents) - holding[stem] + 0.5) / (holding[stem] + 0.5)) for stem in names]
    np.save(folder / "attributes.npy", attributes)
    np.save(folder / "characters.npy", characters)
    np.save(folder / "values.npy", values)
    np.savez(
        folder / "terms.npz",
        stems=np.array(list(names), dtype=np.str_),
        weights=np.array(weights, dtype=np.float32),
        terms=np.array([names[stem] for stems in titles for stem in stems], dtype=np.int32),
        starts=np.cumsum([0, *map(len, titles)], dtype=np.int64),
    )


def _mapped(path: Path) -> NDArray[Any]:
    """Returns an array of a file, memory-mapped; a plain one, as NumPy's own class for this makes each share anew."""
    mapped: NDArray[Any] = np.load(path, mmap_mode="r").view(np.ndarray)
    return mapped


class Columns:
    """The columns that `write` wrote."""

    def __init__(self, folder: Path) -> None:
        self.attributes: NDArray[np.uint8] = _mapped(folder / "attributes.npy")
        self.characters: NDArray[np.int32] = _mapped(folder / "characters.npy")
        self._values: NDArray[np.uint8] = _mapped(folder / "values.npy")
        with np.load(folder / "terms.npz") as arrays:
            self._numbers = {stem: number for number, stem in enumerate(arrays["stems"].tolist())}
            self._weights: NDArray[np.float32] = arrays["weights"]
            self._terms: NDArray[np.int32] = arrays["terms"]
            self._starts: NDArray[np.int64] = arrays["starts"]

    def is_value(self, name: str, passages: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Returns which of these passages tell of a character with a value of `VALUES`."""
        return (self._values[passages] >> list(VALUES).index(name) & 1).astype(bool)

    def coverage(
        self, documents: NDArray[np.int64], *queries: Sequence[str]
    ) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
        """Returns, for the stems of each query, how much of it each title covers, and of the title it, both 0 to 1.

        Stems weigh by their BM25 idf over titles; one that no title holds weighs as the rarest.
        """
        rarest = float(self._weights.max(initial=1.0))
        first = self._starts[documents]
        counts = self._starts[documents + 1] - first
        starts = np.concatenate([[0], np.cumsum(counts)])
        terms = self._terms[np.arange(starts[-1]) + np.repeat(first - starts[:-1], counts)]
        sought = np.zeros((len(queries) + 1, len(self._weights)), dtype=np.float32)
        totals = np.zeros(len(queries))
        for row, stems in enumerate(queries):
            known = [number for stem in set(stems) if (number := self._numbers.get(stem)) is not None]
            sought[row, known] = self._weights[known]
            totals[row] = sought[row].sum() + rarest * (len(set(stems)) - len(known))
        sought[-1] = self._weights
        held = np.append(sought[:, terms], np.zeros((len(sought), 1), dtype=np.float32), axis=1)
        sums = np.add.reduceat(held, starts[:-1], axis=1)
        sums[:, counts == 0] = 0
        whole = np.maximum(sums[-1], 1e-6)
        return [
            (shared / np.float32(max(total, 1e-6)), shared / whole)
            for shared, total in zip(sums[:-1], totals.tolist(), strict=True)
        ]
