#!/usr/bin/env python3
"""Trains the ranking model: how much each feature of a candidate code speaks for it, and how sure a hit is.

Learns from those of the project's own queries, and of the training half of the judged files that are given, that the
encoder did not learn from: its cosines for queries that it knows are too good to be believed. Confidence is fitted to
what trees make of queries that they did not see, in the index and in the bundled pages alone. The same inputs give the
same model. With --ablate it also learns models without each group of features, and says what each group is worth on
the validation half.
"""

from __future__ import annotations

import environment

environment.enter("train")

import argparse  # noqa: E402
import hashlib  # noqa: E402
import json  # noqa: E402
import sys  # noqa: E402
from collections.abc import Sequence  # noqa: E402
from dataclasses import dataclass  # noqa: E402
from pathlib import Path  # noqa: E402
from tempfile import TemporaryDirectory  # noqa: E402
from typing import Any  # noqa: E402

import lightgbm  # noqa: E402
import numpy as np  # noqa: E402
from judged import NAME, Judged, Universe, in_training, interval, is_kept_from_encoder, read, sampled  # noqa: E402
from numpy.typing import NDArray  # noqa: E402
from onnxmltools import convert_lightgbm  # noqa: E402
from onnxmltools.convert.common.data_types import FloatTensorType  # noqa: E402
from sklearn.linear_model import LogisticRegression  # noqa: E402
from tqdm import tqdm  # noqa: E402

from index.build import build  # noqa: E402
from index.records import CodeSystem  # noqa: E402
from index.snapshot import open_best, open_snapshot  # noqa: E402
from search.confidence import ANSWERABLE, CONFIDENCE, TOLD, WHOLE, told_of, weighed  # noqa: E402
from search.engine import SearchEngine  # noqa: E402
from search.features import FEATURES  # noqa: E402
from search.model import RANKING, ROUGH_WEIGHTS, adjusted  # noqa: E402
from search.request import SearchRequest  # noqa: E402
from search.settings import Settings  # noqa: E402

OWN = Path(__file__).parent / "queries"

# Wrong candidates of a query that are learned from: those that a first look ranks highest, and others by lot.
HARD, RANDOM = 80, 40
# Right candidates: more would let one query with hundreds of right codes outweigh all others.
RIGHT = 40
# Confidence is fitted to scores of trees that learned from all queries but those of one fold.
FOLDS = 5
# The share of queries that nothing answers, of those that people ask, as far as one can guess.
UNANSWERED = 0.1
# Hits of a query that confidence is fitted to.
SHOWN = 5
# Validation queries of a slice that an ablation looks at.
VALIDATION = 300

# Features that can only speak for a candidate, or only against it, by the beginnings of their names. A thousand
# queries are few: held to this, trees can't learn the accidents of a few.
FOR = ("cosine of", "BM25", "votes", "query covered", "title covered", "more covered", "whole query", "rank of",
       "attributes that agree")  # fmt: skip
AGAINST = ("cosine behind", "attributes that contradict")

PARAMETERS = {
    "objective": "lambdarank",
    "lambdarank_truncation_level": 12,  # what the first ten are is what people see
    "num_leaves": 31,
    "min_data_in_leaf": 100,
    "learning_rate": 0.05,
    "feature_fraction": 0.7,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "lambda_l2": 5.0,
    "monotone_constraints": [name.startswith(FOR) - name.startswith(AGAINST) for name in FEATURES],
    "monotone_constraints_method": "advanced",
    "seed": 7,
    "deterministic": True,
    "num_threads": 2,
    "verbose": -1,
}
ROUNDS = 200

# Few and small: there are a thousand queries of either kind.
ANSWERABLE_PARAMETERS = {
    "objective": "binary",
    "num_leaves": 5,
    "min_data_in_leaf": 30,
    "learning_rate": 0.05,
    "feature_fraction": 0.5,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "lambda_l2": 5.0,
    "seed": 7,
    "deterministic": True,
    "num_threads": 2,
    "verbose": -1,
}
ANSWERABLE_ROUNDS = 120

# What an ablation leaves out, by the beginnings of features' names.
GROUPS = {
    "cosines": ("cosine of title", "cosine of synonyms", "cosine of thesaurus", "cosine of sections", "cosine behind"),
    "BM25": ("BM25",),
    "words of the title": ("query covered by title", "title covered", "more covered"),
    "names": ("query covered by a name", "whole query", "rank of the name", "codes of the name", "names that"),
    "attributes": ("attributes", "unsaid"),
    "characters": (
        "cosine of operation", "cosine of site", "cosine of approach", "cosine of device", "cosine of qualifier",
        "characters", "open", "percutaneous", "is ICD",
    ),
    "votes": ("votes",),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Weighed:
    """A query's candidates: their features, shape (candidates, features), which are right, and how many codes are."""

    row: Judged
    features: NDArray[np.float32]
    right: NDArray[np.bool_]
    gold: int

    @property
    def fold(self) -> int:
        """The fold of the query, 0 to `FOLDS` - 1; all of an ICD-9 category are in the same."""
        return hashlib.sha256(self.row.category.encode()).digest()[1] % FOLDS


def weigh(engine: SearchEngine, rows: Sequence[Judged], universe: Universe) -> list[Weighed]:
    """Returns the candidates of each query that has any."""
    found = []
    for row in tqdm(rows, desc="weighing", file=sys.stderr, mininterval=1):
        system = CodeSystem(row.system) if row.system else None
        query = engine.understand(row.query, system, codes=False)
        documents, features, _ = engine.weigh(query, SearchRequest.checked(row.query, system=row.system or None), None)
        gold = universe.gold(row) if row.gold else frozenset()
        places = (engine.snapshot.documents.find(system, code) for code in gold) if system else ()
        right = np.isin(documents, [place for place in places if place is not None])
        if len(documents):
            found.append(Weighed(row, features, right, len(gold)))
    return found


def learn(asked: Sequence[Weighed], without: tuple[str, ...] = ()) -> lightgbm.Booster:
    """Returns trees that learned from queries with a right candidate, blind to features whose names begin so."""
    random = np.random.default_rng(7)
    blocks, labels = [], []
    for one in asked:
        if one.right.any():
            order = np.argsort(-(one.features @ ROUGH_WEIGHTS), kind="stable")
            wrong = order[~one.right[order]]
            drawn = random.choice(wrong[HARD:], min(RANDOM, len(wrong[HARD:])), replace=False)
            kept = np.concatenate([order[one.right[order]][:RIGHT], wrong[:HARD], drawn])
            blocks.append(_blinded(one.features[kept], without))
            labels.append(one.right[kept].astype(np.int32))
    data = lightgbm.Dataset(np.vstack(blocks), np.concatenate(labels), group=[len(label) for label in labels])
    return lightgbm.train(PARAMETERS, data, ROUNDS)


def write(booster: lightgbm.Booster, features: int, path: Path) -> None:
    """Writes trees over so many features as ONNX."""
    model = convert_lightgbm(booster, initial_types=[("features", FloatTensorType([None, features]))], zipmap=False)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(model.SerializeToString())


def _blinded(features: NDArray[np.float32], without: tuple[str, ...]) -> NDArray[np.float32]:
    blind = [place for place, name in enumerate(FEATURES) if without and name.startswith(without)]
    shown = features.copy()
    shown[:, blind] = 0
    return shown


def scores(booster: lightgbm.Booster, features: NDArray[np.float32]) -> NDArray[np.float64]:
    """Returns what the service's model makes of the features, with these trees."""
    return adjusted(np.asarray(booster.predict(features), dtype=np.float64), features)


@dataclass(frozen=True, slots=True)
class Shown:
    """The first hits of a query: what is told of it, their scores, which are right, and whether anything answers it."""

    told: NDArray[np.float32]
    scores: NDArray[np.float64]
    right: NDArray[np.bool_]
    answered: bool


def shown(one: Weighed, booster: lightgbm.Booster) -> Shown:
    """Returns the first `SHOWN` hits as these trees rank them."""
    found = scores(booster, one.features)
    order = np.argsort(-found, kind="stable")[:SHOWN]
    return Shown(told_of(found, one.features), found[order], one.right[order], bool(one.gold))


def unseen(asked: Sequence[Weighed], ranked: Sequence[Weighed]) -> list[Shown]:
    """Returns the first hits of each query of `ranked`, by trees that learned from `asked` without its fold."""
    boosters = [learn([one for one in asked if one.fold != fold]) for fold in range(FOLDS)]
    return [shown(one, boosters[one.fold]) for one in ranked]


def weigh_sample(rows: Sequence[Judged]) -> list[Weighed]:
    """Returns the candidates, among the bundled pages alone, of queries for CPT and of those that nothing answers.

    These pages are all of CPT that is bundled, so each of its queries has an answer there. Where little is held, more
    of what nothing answers is near to something: confidence has to know both.
    """
    with TemporaryDirectory() as home:
        engine = SearchEngine(open_snapshot(build([], Path(home)).folder))
        sample = [row for row in rows if not row.gold or row.system == CodeSystem.CPT]
        return weigh(engine, sample, Universe(engine.snapshot))


def fit_answerable(asked: Sequence[Shown]) -> lightgbm.Booster:
    """Returns trees that tell queries that something answers from others."""
    data = lightgbm.Dataset(np.stack([one.told for one in asked]), [one.answered for one in asked])
    return lightgbm.train(ANSWERABLE_PARAMETERS, data, ANSWERABLE_ROUNDS)


def fit_confidence(asked: Sequence[Shown]) -> dict[str, Any]:
    """Returns the weights of a logistic regression to a hit's being right where something answers the query.

    `odds` is what the odds of an answer are multiplied by, for the share `UNANSWERED` instead of that of these queries.
    """
    answered = [one for one in asked if one.answered]
    inputs = np.vstack(
        [np.column_stack([one.scores, np.tile(one.told[: len(WHOLE)], (len(one.scores), 1))]) for one in answered]
    )
    mean, spread = inputs.mean(axis=0), inputs.std(axis=0) + 1e-9
    right = np.concatenate([one.right for one in answered])
    fitted = LogisticRegression(C=0.1, max_iter=3000).fit((inputs - mean) / spread, right)
    score, *whole = (fitted.coef_[0] / spread).tolist()
    share = len(answered) / len(asked)
    return {
        "score": score,
        "whole": dict(zip(WHOLE, whole, strict=True)),
        "intercept": float(fitted.intercept_[0] - fitted.coef_[0] @ (mean / spread)),
        "odds": (1 - UNANSWERED) / UNANSWERED * (1 - share) / share,
    }


def shifted(fitted: dict[str, Any], asked: Sequence[Shown], answerable: lightgbm.Booster) -> dict[str, Any]:
    """Returns the weights of confidence with the intercept at which it is right, on average, for these first hits.

    Our own queries are drawn evenly over all codes, rare ones too, and ICD-9 titles are old: both are harder than
    what people ask.
    """
    told = np.stack([one.told for one in asked])
    share = weighed(np.asarray(answerable.predict(told), dtype=np.float64), fitted["odds"])
    whole = np.array([fitted["whole"][name] for name in WHOLE])
    logits = fitted["score"] * np.array([one.scores[0] for one in asked]) + told[:, : len(WHOLE)] @ whole
    right = sum(bool(one.right[0]) for one in asked)
    low, high = -30.0, 30.0
    for _ in range(60):
        intercept = (low + high) / 2
        expected = float((share / (1 + np.exp(-(logits + intercept)))).sum())
        low, high = (intercept, high) if expected < right else (low, intercept)
    return {**fitted, "intercept": intercept}


def ablation(asked: Sequence[Weighed], validation: Sequence[Weighed]) -> str:
    """Returns S@10 and nDCG@10 of models without each group of features, and how much less nDCG@10 is than with all.

    Only the order of the shortlist is looked at: a query with no right code there counts as missed by every model.
    """
    found: dict[str, NDArray[np.float64]] = {}
    for name, without in {"nothing": (), **GROUPS}.items():
        booster = learn(asked, without)
        measured = []
        for one in validation:
            order = np.argsort(-scores(booster, _blinded(one.features, without)), kind="stable")[:10]
            gains = one.right[order] / np.log2(np.arange(2, len(order) + 2))
            ideal = sum(1 / np.log2(rank + 1) for rank in range(1, min(one.gold, 10) + 1))
            measured.append([float(one.right[order].any()), float(gains.sum() / ideal)])
        found[name] = np.array(measured)
    lines = []
    for name, values in found.items():
        lost = found["nothing"][:, 1] - values[:, 1]
        low, high = interval(lost)
        told = f"loses {lost.mean():+.3f} ({low:+.3f} to {high:+.3f})" if name != "nothing" else f"n {len(validation)}"
        lines.append(f"{name:20} left out: S@10 {values[:, 0].mean():.3f}  nDCG@10 {values[:, 1].mean():.3f}  {told}")
    return "\n".join(lines)


def main() -> int:
    """Returns 0 when the model is written."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("judged", nargs="*", type=Path, help="judged files: their training half is learned from too")
    parser.add_argument("--home", type=Path, default=Settings.from_environment().home, help="the index (%(default)s)")
    parser.add_argument("--ablate", action="store_true", help="say what each group of features is worth")
    options = parser.parse_args()
    snapshot, _ = open_best(options.home)
    engine, universe = SearchEngine(snapshot), Universe(snapshot)
    own = [row for path in sorted(OWN.glob("*.jsonl")) for row in read(path)]
    given = [row for path in options.judged for row in read(path)]
    rows = [row for row in [*own, *filter(in_training, given)] if is_kept_from_encoder(row)]
    asked = weigh(engine, [row for row in rows if not row.gold or universe.gold(row)], universe)
    booster = learn(asked)
    write(booster, len(FEATURES), RANKING)
    told = [one for one in asked if one.row.slice != NAME]  # names are broad: a first hit is right more often
    first = unseen(asked, [*told, *weigh_sample(rows)])
    answerable, confidence = fit_answerable(first), fit_confidence(first)
    write(answerable, len(TOLD), ANSWERABLE)
    people = [row for row in given if in_training(row) and universe.gold(row) and not row.slice.startswith("icd9")]
    if people:
        confidence = shifted(confidence, [shown(one, booster) for one in weigh(engine, people, universe)], answerable)
    CONFIDENCE.write_text(json.dumps(confidence, indent=1), encoding="utf-8")
    gains = dict(zip(FEATURES, booster.feature_importance("gain").tolist(), strict=True))
    for name, gain in sorted(gains.items(), key=lambda entry: -entry[1]):
        print(f"{gain / sum(gains.values()):7.1%}  {name}")
    print(f"{sum(bool(one.gold) for one in asked):,} queries, {sum(not one.gold for one in asked)} without an answer")
    if options.ablate:
        judged = sampled([row for row in given if not in_training(row) and universe.gold(row)], VALIDATION)
        print(ablation(asked, weigh(engine, judged, universe)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
