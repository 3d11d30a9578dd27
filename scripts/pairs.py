"""Pairs of queries and passages that an encoder learns from, drawn from an index and from queries."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from judged import Judged, Universe
from numpy.typing import NDArray

from index.records import CodeKind, CodeSystem, SectionKind
from index.snapshot import Snapshot

BATCH = 96  # queries a step; as many wrong codes beside the right ones

# What a batch is drawn from. Phrases are many and easy; asked queries are few, and what we are judged by.
SHARES = {"thesaurus": 0.22, "index": 0.15, "composed": 0.18, "own": 0.22, "judged": 0.23}
# A name of more codes says too little about each.
MOST_NAMED = 300
# The share of right passages that are titles; the others are other names and sections of a right code.
TITLES = 0.75
# A wrong code is drawn from so many that the model itself holds to be nearest to the query, among so many titles.
NEAREST, MINED = 12, 20_000


@dataclass(frozen=True, slots=True)
class Asked:
    """A query and its right codes: positions of documents, and how likely each is drawn."""

    text: str
    right: NDArray[np.int64]
    weights: NDArray[np.float64]


class Pairs:
    """Draws queries with a right and a wrong passage each."""

    def __init__(self, snapshot: Snapshot, asked: dict[str, list[Asked]]) -> None:
        self._snapshot, self._asked = snapshot, {name: held for name, held in asked.items() if held}
        self._random = np.random.default_rng(7)
        shares = np.array([SHARES[name] for name in self._asked])
        self._shares = shares / shares.sum()
        passages, documents = snapshot.passages, snapshot.documents
        procedures = [p for p in range(len(documents)) if documents.brief(p).kind is CodeKind.PROCEDURE]
        self.procedures = np.array(procedures, dtype=np.int64)
        self._of_document: dict[int, list[int]] = {}
        searched = np.flatnonzero(passages.allowed(None, CodeKind.PROCEDURE, None))
        flat, starts = passages.documents(searched)
        named = np.repeat(searched, np.diff(starts))
        for document, passage in zip(flat.tolist(), named.tolist(), strict=True):
            if passages.section_of(passage) is not SectionKind.TITLE:
                self._of_document.setdefault(document, []).append(passage)

    def mine(self, encode: Callable[[Sequence[str]], NDArray[np.float32]]) -> None:
        """Draws the titles that wrong codes are looked for among, and has them encoded.

        `encode` gives the unit vectors of texts as the model that learns has them now: what it takes for near is what
        it has to learn to tell apart (Xiong et al., ICLR 2021).
        """
        self._encode = encode
        self._mined = np.sort(self._random.choice(self.procedures, min(MINED, len(self.procedures)), replace=False))
        passages = self._snapshot.passages
        self._vectors = encode([passages.text(int(passages.titles[document])) for document in self._mined])

    def batch(self) -> tuple[list[str], list[str], NDArray[np.bool_]]:
        """Returns queries; their right passages, then the wrong ones; and which others are right too.

        `mine` has to go before.
        """
        names = self._random.choice(list(self._asked), BATCH, p=self._shares)
        drawn = [held[int(self._random.integers(len(held)))] for held in (self._asked[name] for name in names)]
        right, ids = map(list, zip(*(self.right(asked) for asked in drawn), strict=True))
        titles = self._snapshot.passages.titles
        ids += titles[self._wrong(drawn, right)].tolist()
        flat, starts = self._snapshot.passages.documents(np.array(ids, dtype=np.int64))
        holders = [set(flat[starts[j] : starts[j + 1]].tolist()) for j in range(len(ids))]
        held = [set(asked.right.tolist()) for asked in drawn]
        also = np.array([[not mine.isdisjoint(holder) for holder in holders] for mine in held])
        also[np.arange(BATCH), np.arange(BATCH)] = False
        texts = [self._snapshot.passages.text(passage) for passage in ids]
        return [asked.text for asked in drawn], texts, also

    def right(self, asked: Asked) -> tuple[int, int]:
        """Returns a right document and a passage of it: mostly its title, never the query itself."""
        document = int(self._random.choice(asked.right, p=asked.weights))
        others = self._of_document.get(document, [])
        if others and self._random.random() > TITLES:
            passage = others[int(self._random.integers(len(others)))]
            if self._snapshot.passages.text(passage).lower() != asked.text.lower():
                return document, passage
        return document, int(self._snapshot.passages.titles[document])

    def _wrong(self, drawn: Sequence[Asked], right: Sequence[int]) -> list[int]:
        """Returns a wrong document for each query: by turns one that the model takes for near, and a sibling."""
        near = self._encode([asked.text for asked in drawn[::2]]) @ self._vectors.T
        found: list[int] = []
        for number, asked in enumerate(drawn):
            if number % 2:
                others = self._siblings(right[number])
            else:
                row = near[number // 2]
                row[np.isin(self._mined, asked.right)] = -1
                others = self._mined[np.argpartition(-row, min(NEAREST, len(row) - 1))[:NEAREST]]
            wrong = np.setdiff1d(others, asked.right)
            found.append(int(self._random.choice(wrong if len(wrong) else np.setdiff1d(self.procedures, asked.right))))
        return found

    def _siblings(self, document: int) -> NDArray[np.int64]:
        """Returns codes of the same table, or of the same body part in another; or neighbours in the code's list."""
        documents = self._snapshot.documents
        code = documents.brief(document).code
        if len(code) < 7:
            return np.clip(np.arange(document - 8, document + 9), self.procedures[0], self.procedures[-1])
        if self._random.random() < 0.5:
            return np.array(documents.starting_with(CodeSystem.ICD10PCS, code[:3]), dtype=np.int64)
        below = np.array(documents.starting_with(CodeSystem.ICD10PCS, code[:2]), dtype=np.int64)
        same: NDArray[np.int64] = below[documents.characters(below)[:, 3] == code[3].encode()]
        return same


def names(snapshot: Snapshot) -> Iterator[tuple[str, Asked]]:
    """Yields every name of the index that says something about the codes it stands for, with where it is from."""
    for row, phrase in snapshot.phrases:
        documents, _, ranks = snapshot.phrases.named(row)
        if 0 < len(documents) <= MOST_NAMED:
            weights = 1 / (1.0 + ranks) ** 2
            source = "thesaurus" if phrase.kind != "synonym" else "index"
            yield source, Asked(phrase.text, documents.astype(np.int64), weights / weights.sum())


def queries(rows: Iterable[Judged], universe: Universe, snapshot: Snapshot) -> list[tuple[Judged, Asked]]:
    """Returns the queries that something answers, with their right codes."""
    found = []
    for row in rows:
        system = CodeSystem(row.system or "icd10pcs")
        positions = (snapshot.documents.find(system, code) for code in universe.gold(row)) if row.gold else ()
        right = np.array(sorted(p for p in positions if p is not None), dtype=np.int64)
        if len(right):
            found.append((row, Asked(row.query, right, np.full(len(right), 1 / len(right)))))
    return found
