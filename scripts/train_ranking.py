#!/usr/bin/env python3
"""Trains the ranking model: how much each feature of a candidate code speaks for it.

Learns from the project's own queries and the training half of the judged files that are given, measures on the
validation half, and writes the model that goes with the project. The same inputs give the same model.
"""

from __future__ import annotations

import environment

environment.enter("train")

import argparse  # noqa: E402
import hashlib  # noqa: E402
import json  # noqa: E402
import sys  # noqa: E402
from collections.abc import Iterable  # noqa: E402
from dataclasses import dataclass  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import lightgbm  # noqa: E402
import numpy as np  # noqa: E402
from evaluate import Judged, Universe, in_training, read, sampled  # noqa: E402
from numpy.typing import NDArray  # noqa: E402
from onnxmltools import convert_lightgbm  # noqa: E402
from onnxmltools.convert.common.data_types import FloatTensorType  # noqa: E402
from sklearn.linear_model import LogisticRegression  # noqa: E402
from tqdm import tqdm  # noqa: E402

from index.records import CodeSystem  # noqa: E402
from index.snapshot import open_best  # noqa: E402
from search.engine import SearchEngine  # noqa: E402
from search.features import FEATURES  # noqa: E402
from search.model import CONFIDENCE, RANKING, ROUGH_WEIGHTS, TOLD_BY_FIRST  # noqa: E402
from search.request import SearchRequest  # noqa: E402
from search.settings import Settings  # noqa: E402

OWN = Path(__file__).parent / "queries"

# Wrong candidates of a query that are learned from: those that a first look ranks highest, and others by lot.
HARD, RANDOM = 80, 40
# Right candidates: more would let one query with hundreds of right codes outweigh all others.
RIGHT = 40
# One query in so many is kept from the trees: confidence is fitted to what they make of it.
HELD_OUT = 5
# The share of queries that nothing answers, among those that confidence is calibrated to.
UNANSWERED = 0.1
# Hits of a query that confidence is fitted to.
SHOWN = 5

PARAMETERS = {
    "objective": "lambdarank",
    "lambdarank_truncation_level": 12,  # what the first ten are is what people see
    "num_leaves": 31,
    "min_data_in_leaf": 60,
    "learning_rate": 0.08,
    "feature_fraction": 0.7,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "lambda_l2": 5.0,
    "seed": 7,
    "deterministic": True,
    "num_threads": 2,
    "verbose": -1,
}
ROUNDS = 200


@dataclass(frozen=True, slots=True)
class Examples:
    """Candidates of many queries: features, whether each is right, and how many candidates each query has."""

    features: NDArray[np.float32]
    right: NDArray[np.int32]
    groups: NDArray[np.int64]


def is_held_out(row: Judged) -> bool:
    """Whether a query is kept for fitting confidence."""
    return hashlib.sha256(row.id.encode()).digest()[1] % HELD_OUT == 0


def weighed(engine: SearchEngine, row: Judged, universe: Universe) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Returns the features of a query's candidates, and which are right."""
    system = CodeSystem(row.system) if row.system else None
    query = engine.understand(row.query, system, codes=False)
    documents, features, _ = engine.weigh(query, SearchRequest.checked(row.query, system=row.system or None), None)
    gold = universe.gold(row) if row.gold else ()
    found = (engine.snapshot.documents.find(system, code) for code in gold) if system else ()
    return features, np.isin(documents, [position for position in found if position is not None])


def examples(engine: SearchEngine, rows: Iterable[Judged], universe: Universe) -> Examples:
    """Returns the candidates of each query that has a right one among them."""
    random = np.random.default_rng(7)
    blocks, labels = [], []
    for row in tqdm(list(rows), desc="examples", file=sys.stderr, mininterval=1):
        features, right = weighed(engine, row, universe)
        if not right.any():
            continue
        order = np.argsort(-(features @ ROUGH_WEIGHTS), kind="stable")
        wrong = order[~right[order]]
        others = wrong[HARD:]
        drawn = random.choice(others, min(RANDOM, len(others)), replace=False)
        kept = np.concatenate([order[right[order]][:RIGHT], wrong[:HARD], drawn])
        blocks.append(features[kept])
        labels.append(right[kept].astype(np.int32))
    return Examples(np.vstack(blocks), np.concatenate(labels), np.array([len(label) for label in labels]))


def fit_confidence(
    engine: SearchEngine, rows: Iterable[Judged], universe: Universe, booster: lightgbm.Booster
) -> dict[str, Any]:
    """Returns the weights of a logistic regression to being right from a hit's score and the first hit's features."""
    told = [FEATURES.index(name) for name in TOLD_BY_FIRST]
    inputs, labels = [], []
    for row in tqdm(list(rows), desc="confidence", file=sys.stderr, mininterval=1):
        features, right = weighed(engine, row, universe)
        scores = np.asarray(booster.predict(features))
        order = np.argsort(-scores, kind="stable")[:SHOWN]
        first_hit = np.repeat(features[order[:1]][:, told], len(order), axis=0)
        inputs.append(np.column_stack([scores[order], first_hit]))
        labels.append(right[order])
    fitted = LogisticRegression(C=100.0, max_iter=1000).fit(np.vstack(inputs), np.concatenate(labels))
    score, *first = fitted.coef_[0].tolist()
    return {
        "score": score,
        "first": dict(zip(TOLD_BY_FIRST, first, strict=True)),
        "intercept": float(fitted.intercept_[0]),
    }


def recalibrated(
    fitted: dict[str, Any], engine: SearchEngine, rows: Iterable[Judged], universe: Universe
) -> dict[str, Any]:
    """Returns the weights of confidence scaled and shifted (Platt, 1999) to the first hits of these queries.

    Our own queries are drawn evenly over all codes, rare ones too, and are harder than what people ask. Queries
    that nothing answers count as much as `UNANSWERED` of all.
    """
    logits, right, weights = [], [], []
    for row in tqdm(list(rows), desc="calibration", file=sys.stderr, mininterval=1):
        features, correct = weighed(engine, row, universe)
        scores = engine.model.scores(features)
        if not len(scores):
            continue
        first = int(np.argmax(scores))
        told = sum(features[first, FEATURES.index(name)] * weight for name, weight in fitted["first"].items())
        logits.append([fitted["score"] * scores[first] + told + fitted["intercept"]])
        right.append(bool(correct[first]))
        weights.append(bool(row.gold))
    answered = np.array(weights)
    share = np.where(answered, (1 - UNANSWERED) / answered.sum(), UNANSWERED / max((~answered).sum(), 1))
    platt = LogisticRegression(C=100.0, max_iter=1000).fit(np.array(logits), right, sample_weight=share * len(share))
    slope, shift = float(platt.coef_[0, 0]), float(platt.intercept_[0])
    return {
        "score": fitted["score"] * slope,
        "first": {name: weight * slope for name, weight in fitted["first"].items()},
        "intercept": fitted["intercept"] * slope + shift,
    }


def main() -> int:
    """Returns 0 when the model is written."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("judged", nargs="*", type=Path, help="judged files: their training half is learned from too")
    parser.add_argument("--home", type=Path, default=Settings.from_environment().home, help="the index (%(default)s)")
    parser.add_argument("--sample", type=int, default=1000, help="at most so many queries of a slice (%(default)s)")
    options = parser.parse_args()
    snapshot, _ = open_best(options.home)
    engine, universe = SearchEngine(snapshot), Universe(snapshot)
    own = [row for path in sorted(OWN.glob("*.jsonl")) for row in read(path)]
    given = [row for path in options.judged for row in read(path) if in_training(row)]
    rows = [row for row in sampled([*own, *given], options.sample) if not row.gold or universe.gold(row)]
    learned = examples(engine, (row for row in rows if row.gold and not is_held_out(row)), universe)
    data = lightgbm.Dataset(learned.features, learned.right, group=learned.groups)
    booster = lightgbm.train(PARAMETERS, data, ROUNDS)
    model = convert_lightgbm(
        booster, initial_types=[("features", FloatTensorType([None, len(FEATURES)]))], zipmap=False
    )
    RANKING.parent.mkdir(exist_ok=True)
    RANKING.write_bytes(model.SerializeToString())
    held = [row for row in rows if not row.gold or is_held_out(row)]
    confidence = fit_confidence(engine, held, universe, booster)
    if asked := [row for row in given if row.gold and universe.gold(row) and not row.slice.startswith("icd9")]:
        engine = SearchEngine(snapshot)  # with the trees just written
        confidence = recalibrated(confidence, engine, [*asked, *(row for row in own if not row.gold)], universe)
    CONFIDENCE.write_text(json.dumps(confidence, indent=1), encoding="utf-8")
    gains = dict(zip(FEATURES, booster.feature_importance("gain").tolist(), strict=True))
    for name, gain in sorted(gains.items(), key=lambda entry: -entry[1]):
        print(f"{gain / sum(gains.values()):7.1%}  {name}")
    print(f"{len(learned.groups):,} queries, {len(learned.right):,} candidates; confidence from {len(held):,} queries")
    return 0


if __name__ == "__main__":
    sys.exit(main())
