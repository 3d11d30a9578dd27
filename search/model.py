"""The ranking model: what each feature of a candidate is worth.

Boosted trees, written by scripts/train_ranking.py and run by onnxruntime.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from index.encoder import Trees
from search.features import FEATURES

RANKING = Path(__file__).parent / "weights" / "ranking.onnx"

# Candidates that are looked at closely, and of these the ones that the trees weigh: those that stand first by `_ROUGH`.
CLOSELY, SHORTLIST = 300, 150

# A first, rough weight of features; what is not named weighs nothing.
_ROUGH = {
    "cosine of title": 1.0,
    "cosine of synonyms": 0.5,
    "cosine of thesaurus": 0.5,
    "cosine of sections": 0.3,
    "BM25 of title": 0.3,
    "BM25 of synonyms": 0.3,
    "BM25 of thesaurus": 0.3,
    "BM25 of sections": 0.3,
    "query covered by title": 0.5,
    "title covered by query": 0.5,
    "more covered by title": 0.5,
    "query covered by a name": 1.0,
    "whole query is a name": 1.0,
    "rank of the name's pattern": 0.3,
    "attributes that agree": 0.3,
    "attributes that contradict": -0.5,
}
ROUGH_WEIGHTS = np.array([_ROUGH.get(name, 0.0) for name in FEATURES], dtype=np.float32)

# What a candidate loses for each attribute in which it contradicts the query: more than trees that never saw such
# a pair of siblings may make up for.
CONTRADICTION = 1.0

# What the cosine of the title adds to the trees' score: trees go in steps, and between codes on the same step the one
# whose title is nearest leads.
TITLE = 0.6

# What a candidate gains that a name means which is the whole query: exact names come first, and of their codes, those
# of the pattern that was written first. Trees saw few of these.
NAMED = 2.0


def shortlist(features: NDArray[np.float32], most: int) -> NDArray[np.int64]:
    """Returns the rows of the candidates that deserve a closer look, at most so many, ascending."""
    rough = features @ ROUGH_WEIGHTS
    if len(rough) <= most:
        return np.arange(len(rough))
    return np.sort(np.argpartition(-rough, most)[:most])


def adjusted(scores: NDArray[np.float64], features: NDArray[np.float32]) -> NDArray[np.float64]:
    """Returns the scores of trees with what `CONTRADICTION` takes from each row, and `TITLE` and `NAMED` add."""
    contradicted, title, named, rank = (
        features[:, FEATURES.index(name)]
        for name in (
            "attributes that contradict",
            "cosine of title",
            "whole query is a name",
            "rank of the name's pattern",
        )
    )
    adjusted_scores: NDArray[np.float64] = scores - CONTRADICTION * contradicted + TITLE * title + NAMED * named * rank
    return adjusted_scores


class Model:
    """Scores candidates."""

    def __init__(self) -> None:
        """Opens the model that goes with the project."""
        self._trees = Trees(RANKING)

    def scores(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Returns a score for each row, higher is better, of no fixed range."""
        return adjusted(self._trees.scores(features), features)
