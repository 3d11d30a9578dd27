"""How the ranking model is learned, over queries and features made up here."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from search.confidence import WHOLE
from search.features import FEATURES

sys.path.insert(0, str(Path(__file__).parent.parent / "scripts"))
from judged import Judged
from train_ranking import (
    AGAINST,
    FOR,
    GROUPS,
    PARAMETERS,
    UNANSWERED,
    Weighed,
    fit_answerable,
    fit_confidence,
    learn,
    scores,
    shifted,
    shown,
    unseen,
    weigh_sample,
)

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


def test_queries_that_nothing_answers_are_told_apart(asked: list[Weighed]) -> None:
    """By trees that rank without having seen them; the probabilities are those of the kinds as they are here."""
    first = unseen(asked, asked)
    assert [one.answered for one in first] == [True] * 60 + [False] * 10
    share = np.asarray(fit_answerable(first).predict(np.stack([one.told for one in first])))
    assert np.median(share[:60]) > share[60:].max()


def test_the_sample_is_asked_for_its_pages_and_for_nothing() -> None:
    """Queries for other code systems are left out: hardly any of their codes have a bundled page."""
    page, nothing, other = (
        Judged(query, query, "lay", system, gold, query)
        for query, system, gold in (
            ("cement injection for sacral fracture", "cpt", ("0200T", "0201T")),
            ("cheap flights", "", ()),
            ("whole gallbladder out", "icd10pcs", ("0FT4.ZZ",)),
        )
    )
    found = weigh_sample([page, nothing, other])
    assert [one.row for one in found] == [page, nothing]
    assert [int(one.right.sum()) for one in found] == [2, 0]


def test_confidence_rises_with_the_score(asked: list[Weighed]) -> None:
    """And knows how much rarer queries without an answer are in life than here."""
    fitted = fit_confidence(unseen(asked, asked))
    assert fitted["score"] > 0
    assert tuple(fitted["whole"]) == WHOLE
    assert fitted["odds"] == pytest.approx((1 - UNANSWERED) / UNANSWERED * 10 / 60)


def test_the_shift_makes_confidence_right_on_average(asked: list[Weighed]) -> None:
    """The mean probability of the first hits is the share of those that are right, whatever it was before."""
    booster = learn(asked)
    hits = [shown(one, booster) for one in asked[:60]]
    for one in hits[:15]:
        one.right[0] = False
    answerable, fitted = fit_answerable(unseen(asked, asked)), fit_confidence(unseen(asked, asked))
    found = shifted({**fitted, "intercept": -9.0}, hits, answerable)
    told = np.stack([one.told for one in hits])
    share = np.asarray(answerable.predict(told)) * found["odds"]
    share /= share + 1 - np.asarray(answerable.predict(told))
    logits = found["score"] * told[:, 0] + told[:, : len(WHOLE)] @ np.array(list(found["whole"].values()))
    mean = float((share / (1 + np.exp(-(logits + found["intercept"])))).mean())
    assert mean == pytest.approx(45 / 60, abs=1e-3)


def test_an_ablation_leaves_out_every_feature_once() -> None:
    """The groups share no feature and miss none."""
    groups = [[name for name in FEATURES if name.startswith(beginnings)] for beginnings in GROUPS.values()]
    assert sorted(name for group in groups for name in group) == sorted(FEATURES)
