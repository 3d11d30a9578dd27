"""Why a hit stands where it does: its place with each retriever, and what each feature adds to its score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from search.features import FEATURES
from search.model import Model
from search.ranking import Retrieved, group_by_code

# A feature that moves the score by less is not told.
_LEAST = 0.005


@dataclass(frozen=True, slots=True)
class Place:
    """Where a retriever has a code: rank from 1, by its best passage; `score` is a cosine or a BM25 score."""

    retriever: str
    rank: int
    score: float


@dataclass(frozen=True, slots=True)
class Share:
    """What one feature adds to a hit's score: the score, less the score with the candidates' median in its place."""

    feature: str
    value: float
    share: float


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a hit stands where it does. `score` is the ranking model's, of no fixed range; greatest shares first."""

    score: float
    retrievers: tuple[Place, ...]
    features: tuple[Share, ...]


def explain(
    documents: Sequence[int], rows: NDArray[np.float32], retrieved: Mapping[str, Retrieved], every: NDArray[np.float32],
    model: Model,
) -> list[Explanation]:  # fmt: skip
    """Returns an explanation for each document.

    `rows` are their features, shape (documents, features), and `every` those of all candidates.
    """
    if not len(documents):
        return []
    count = len(FEATURES)
    usual = np.median(every, axis=0)
    without = np.repeat(rows, count, axis=0)
    places = np.tile(np.arange(count), len(rows))
    without[np.arange(len(without)), places] = usual[places]
    scores = model.scores(rows)
    shares = scores[:, np.newaxis] - model.scores(without).reshape(-1, count)
    found = {name: _places(held) for name, held in retrieved.items()}
    return [
        Explanation(
            float(score),
            tuple(Place(name, *held[document]) for name, held in found.items() if document in held),
            tuple(
                Share(FEATURES[feature], float(row[feature]), float(told[feature]))
                for feature in np.argsort(-np.abs(told), kind="stable").tolist()
                if abs(told[feature]) >= _LEAST
            ),
        )
        for document, row, score, told in zip(documents, rows, scores, shares, strict=True)
    ]


def _places(held: Retrieved) -> dict[int, tuple[int, float]]:
    """Returns the rank of each document and the score of its best passage."""
    documents, ranks = group_by_code(held)
    _, first = np.unique(held.documents, return_index=True)
    best = np.repeat(held.scores, np.diff(held.starts))[first]
    return dict(zip(documents.tolist(), zip(ranks.tolist(), best.tolist(), strict=True), strict=True))
