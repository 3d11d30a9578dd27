"""How likely each hit is right: whether anything answers the query, times whether the hit does where something answers.

Both are written by scripts/train_ranking.py: boosted trees, run by onnxruntime, over all that is told of a query, and a
logistic regression over a hit's score and the part of it that needs no features of one hit.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from index.encoder import Trees
from search.features import FEATURES

ANSWERABLE = Path(__file__).parent / "weights" / "answerable.onnx"
CONFIDENCE = Path(__file__).parent / "weights" / "confidence.json"

# Features whose greatest value among all candidates tells how well anything fits the query.
_GREATEST = (
    "cosine of title",
    "cosine of synonyms",
    "cosine of thesaurus",
    "cosine of sections",
    "query covered by title",
    "more covered by title",
    "query covered by a name",
    "cosine of operation",
    "cosine of site",
)

# What is told of a query as a whole; the features of its first hit come behind.
WHOLE = ("score", "lead over the tenth", "cosine of the first ten", "candidates", *(f"greatest {n}" for n in _GREATEST))
TOLD = (*WHOLE, *(f"first hit's {name}" for name in FEATURES))

_PLACES = [FEATURES.index(name) for name in _GREATEST]


def told_of(scores: NDArray[np.float64], features: NDArray[np.float32]) -> NDArray[np.float32]:
    """Returns what is told of a query by its candidates, at least one: `TOLD`, float32 of shape (told,)."""
    order = np.argsort(-scores, kind="stable")[:10]
    cosines = features[order, FEATURES.index("cosine of title")]
    whole = [scores[order[0]], scores[order[0]] - scores[order[-1]], cosines.mean(), len(scores)]
    return np.concatenate([whole, features[:, _PLACES].max(axis=0), features[order[0]]]).astype(np.float32)


class Confidence:
    """Says how likely candidates are right."""

    def __init__(self) -> None:
        """Opens the models that go with the project."""
        self._answerable = Trees(ANSWERABLE)
        told = json.loads(CONFIDENCE.read_text(encoding="utf-8"))
        self._slope, self._intercept = float(told["score"]), float(told["intercept"])
        self._odds = float(told["odds"])
        self._whole = np.array([told["whole"][name] for name in WHOLE])

    def of(self, scores: NDArray[np.float64], features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Returns the probability, 0 to 1, that each candidate is right; it falls with the score."""
        if not len(scores):
            return scores
        told = told_of(scores, features)
        share = self._answerable.scores(told[np.newaxis])
        logits = self._slope * scores + float(told[: len(WHOLE)] @ self._whole) + self._intercept
        probability: NDArray[np.float64] = weighed(share, self._odds) / (1 + np.exp(-logits))
        return probability


def weighed(share: NDArray[np.float64], odds: float) -> NDArray[np.float64]:
    """Returns probabilities that were learned where yes is rarer than in life, with odds so many times as high."""
    return np.asarray(share * odds / (share * odds + 1 - share))
