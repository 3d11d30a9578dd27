"""What retrievers found, by code."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from index.store import PassageStore

# Reciprocal rank fusion's constant: Cormack, Clarke and Büttcher (SIGIR 2009) found 60 good across collections.
RRF_K = 60


class Retrieved(NamedTuple):
    """What a retriever found: passages best first, with their scores, and the codes that each speaks for.

    `passages` int64 and `scores` float32, shape (n,). `documents` int32 holds the documents of all
    passages one after the other, those of passage i at `starts[i]:starts[i + 1]`.
    """

    passages: NDArray[np.int64]
    scores: NDArray[np.float32]
    documents: NDArray[np.int32]
    starts: NDArray[np.int64]

    @classmethod
    def of(cls, passages: NDArray[np.int64], scores: NDArray[np.float32], store: PassageStore) -> Retrieved:
        """Returns passages that were found, with their documents."""
        return cls(passages, scores, *store.documents(passages))

    def among(self, allowed: NDArray[np.bool_]) -> Retrieved:
        """Returns the same without the documents that are not allowed, and passages left with none."""
        kept = allowed[self.documents]
        counts = np.diff(np.concatenate([[0], np.cumsum(kept)])[self.starts])
        some = counts > 0
        starts = np.concatenate([[0], np.cumsum(counts[some])])
        return Retrieved(self.passages[some], self.scores[some], self.documents[kept], starts)


def group_by_code(retrieved: Retrieved) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Returns the documents found, ascending, and the rank of each (from 1, by its best passage).

    Documents whose best passages score alike share a rank, and ranks have no gaps: neither a passage that
    speaks for many codes nor a code that has many passages pushes others down.
    """
    ranks = np.cumsum(np.diff(retrieved.scores, prepend=np.float32(np.inf)) != 0)
    documents, first = np.unique(retrieved.documents, return_index=True)
    return documents, np.repeat(ranks, np.diff(retrieved.starts))[first]


def fuse(retrievers: Sequence[Retrieved]) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Returns every document found and its score (0 to 1), score descending, then position (the order of codes).

    The score is reciprocal rank fusion, the sum of 1 / (RRF_K + rank) over the retrievers, divided by the
    greatest sum there could be: 1 is first in every retriever.
    """
    if not retrievers:
        return np.empty(0, dtype=np.int32), np.empty(0)
    groups = [group_by_code(retrieved) for retrieved in retrievers]
    documents = np.unique(np.concatenate([found for found, _ in groups]))
    scores = np.zeros(len(documents))
    for found, ranks in groups:
        scores[np.searchsorted(documents, found)] += 1 / (RRF_K + ranks)
    scores *= (RRF_K + 1) / len(retrievers)
    order = np.lexsort((documents, -scores))
    return documents[order], scores[order]


def evidence(documents: Sequence[int], retrievers: Sequence[Retrieved], most: int) -> list[list[int]]:
    """Returns at most `most` passages of each document, best first: reciprocal rank fusion over the retrievers.

    A passage's rank is that among the document's own.
    """
    weights: dict[int, dict[int, float]] = {document: {} for document in documents}
    wanted = np.array(documents, dtype=np.int32)
    for retrieved in retrievers:
        rows = np.flatnonzero(np.isin(retrieved.documents, wanted, kind="table"))
        passages = retrieved.passages[np.searchsorted(retrieved.starts, rows, side="right") - 1]
        ranks = dict.fromkeys(documents, 0)
        for document, passage in zip(retrieved.documents[rows].tolist(), passages.tolist(), strict=True):
            ranks[document] += 1
            held = weights[document]
            held[passage] = held.get(passage, 0.0) + 1 / (RRF_K + ranks[document])
    return [sorted(held, key=lambda passage: (-held[passage], passage))[:most] for held in weights.values()]
