"""How the ranking model is learned, over queries and features made up here."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from search.features import FEATURES
from search.model import TOLD_BY_FIRST

sys.path.insert(0, str(Path(__file__).parent.parent / "scripts"))
from judged import Judged
from train_ranking import AGAINST, FOR, GROUPS, PARAMETERS, UNANSWERED, Weighed, fit_confidence, learn, scores, shifted

TITLE = FEATURES.index("cosine of title")


@pytest.fixture(scope="module")
def asked() -> list[Weighed]:
    """Sixty queries whose right code has the nearest title, and ten that nothing answers, all far from any title."""
    random = np.random.default_rng(5)
    return [_query(number, random, answered=number < 60) for number in range(70)]


def _query(number: int, random: np.random.Generator, *, answered: bool) -> Weighed:
    features = random.random((150, len(FEATURES)), dtype=np.float32) * np.float32(0.2)
    right = np.zeros(150, dtype=bool)
    if answered:
        right[number] = True
        features[number, TITLE] = 0.9
    row = Judged(str(number), "x", "own", "icd10pcs", ("0FT4",) if answered else (), str(number))
    return Weighed(row, features, right, int(answered))


def _first(features: NDArray[np.float32], ranked: NDArray[np.float64]) -> NDArray[np.float32]:
    row: NDArray[np.float32] = features[int(np.argmax(ranked))]
    return row


def _probability(fitted: dict[str, Any], score: float, first: NDArray[np.float32]) -> float:
    logit = fitted["score"] * score + fitted["intercept"]
    logit += sum(weight * float(first[FEATURES.index(name)]) for name, weight in fitted["first"].items())
    return float(1 / (1 + np.exp(-logit)))


def test_what_tells_right_codes_apart_is_learned(asked: list[Weighed]) -> None:
    """The right code comes first, for queries of the same kind that were not learned from too."""
    booster = learn(asked)
    fresh = [_query(number, np.random.default_rng(number), answered=True) for number in range(100, 120)]
    assert all(one.right[int(np.argmax(scores(booster, one.features)))] for one in [*asked[:60], *fresh])


def test_trees_that_are_blind_to_it_learn_nothing_of_it(asked: list[Weighed]) -> None:
    """Features left out have no say: with the title's cosine hidden, raising it changes no tree's score."""
    booster = learn(asked, ("cosine of title",))
    row = asked[0].features[:1].copy()
    before = float(np.asarray(booster.predict(row))[0])
    row[0, TITLE] = 1
    assert float(np.asarray(booster.predict(row))[0]) == before


def test_more_of_what_speaks_for_a_code_never_lowers_its_score(asked: list[Weighed]) -> None:
    """Nor does more of what speaks against it raise it, wherever one starts."""
    booster = learn(asked)
    random = np.random.default_rng(11)
    for place, name in enumerate(FEATURES):
        direction = name.startswith(FOR) - name.startswith(AGAINST)
        assert PARAMETERS["monotone_constraints"][place] == direction  # type: ignore[index]
        if direction:
            low = random.random((200, len(FEATURES)), dtype=np.float32)
            high = low.copy()
            high[:, place] += np.float32(0.3)
            gained = np.asarray(booster.predict(high)) - np.asarray(booster.predict(low))
            assert (direction * gained >= -1e-9).all(), name


def test_confidence_tells_answered_queries_from_others(asked: list[Weighed]) -> None:
    """The first hit of a query with a right code is likelier right than that of one with none."""
    booster, fitted = learn(asked), fit_confidence(asked)
    assert fitted["score"] > 0
    assert tuple(fitted["first"]) == TOLD_BY_FIRST
    told = [
        _probability(fitted, float(ranked.max()), _first(one.features, ranked))
        for one in asked
        for ranked in [scores(booster, one.features)]
    ]
    assert min(told[:60]) > max(told[60:])


def test_the_shift_makes_confidence_right_on_average(asked: list[Weighed]) -> None:
    """Weighed as it says: those without an answer are a tenth, so the mean probability is the share answered."""
    booster = learn(asked)
    fitted = shifted({"score": 1.0, "first": dict.fromkeys(TOLD_BY_FIRST, 0.0), "intercept": -9.0}, asked, booster)
    told = []
    for one in asked:
        ranked = scores(booster, one.features)
        told.append(_probability(fitted, float(ranked.max()), _first(one.features, ranked)))
    mean = (1 - UNANSWERED) * np.mean(told[:60]) + UNANSWERED * np.mean(told[60:])
    assert mean == pytest.approx(1 - UNANSWERED, abs=1e-3)


def test_an_ablation_leaves_out_every_feature_once() -> None:
    """The groups share no feature and miss none."""
    groups = [[name for name in FEATURES if name.startswith(beginnings)] for beginnings in GROUPS.values()]
    assert sorted(name for group in groups for name in group) == sorted(FEATURES)
