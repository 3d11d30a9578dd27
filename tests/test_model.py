"""The ranking model that goes with the project: its shortlist, its scores, and how sure it is."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from index.build import Report
from index.snapshot import open_snapshot
from search.confidence import TOLD, Confidence, told_of
from search.engine import FITS, SearchEngine
from search.features import FEATURES
from search.model import ROUGH_WEIGHTS, SHORTLIST, Model, adjusted, shortlist
from search.request import SearchRequest


@pytest.fixture(scope="module")
def engine(built: Report) -> SearchEngine:
    """An engine over the built snapshot."""
    return SearchEngine(open_snapshot(built.folder))


@pytest.fixture(scope="module")
def model() -> Model:
    """The model."""
    return Model()


def _random(rows: int) -> NDArray[np.float32]:
    """So many rows of features, each from 0 to 1."""
    return np.random.default_rng(3).random((rows, len(FEATURES)), dtype=np.float32)


def _weighed(engine: SearchEngine, q: str) -> NDArray[np.float32]:
    """The features of a query's candidates."""
    _, weighed, _ = engine.weigh(engine.understand(q, codes=False), SearchRequest.checked(q), None)
    return weighed


def test_the_shortlist_holds_the_best_by_the_rough_weights() -> None:
    """The same rows as sorting all of them gives, ascending."""
    features = _random(3 * SHORTLIST)
    rough = [float(sum(row * ROUGH_WEIGHTS)) for row in features]
    best = sorted(range(len(rough)), key=lambda row: -rough[row])[:SHORTLIST]
    assert shortlist(features, SHORTLIST).tolist() == sorted(best)


@pytest.mark.parametrize("rows", [0, 1, SHORTLIST])
def test_a_few_candidates_are_all_on_the_shortlist(rows: int) -> None:
    """Up to its length there is nothing to choose."""
    assert shortlist(_random(rows), SHORTLIST).tolist() == list(range(rows))


def test_rough_weights_speak_for_agreement_and_against_contradiction() -> None:
    """One for each feature, and no feature but a contradiction counts against a code."""
    assert ROUGH_WEIGHTS.shape == (len(FEATURES),)
    assert [FEATURES[place] for place in np.flatnonzero(ROUGH_WEIGHTS < 0)] == ["attributes that contradict"]
    assert ROUGH_WEIGHTS[FEATURES.index("attributes that agree")] > 0


def test_exact_names_come_first() -> None:
    """Of what trees score alike, a name's best pattern leads, by more than a contradiction, and then its second."""
    features = np.zeros((3, len(FEATURES)), dtype=np.float32)
    features[1:, FEATURES.index("whole query is a name")] = 1
    features[1:, FEATURES.index("rank of the name's pattern")] = [1, 0.5]
    neither, best, second = adjusted(np.full(3, 0.5), features).tolist()
    assert best > second > neither
    features[1, FEATURES.index("attributes that contradict")] = 1
    assert adjusted(np.full(3, 0.5), features)[1] > neither


@pytest.mark.parametrize("q", ["cholecystectomy", "cheap flights to Denver", "the", "left hip replacement, cemented"])
def test_scores_are_finite_and_one_for_each_candidate(engine: SearchEngine, model: Model, q: str) -> None:
    """Whatever the query."""
    weighed = _weighed(engine, q)
    scores = model.scores(weighed)
    assert scores.shape == (len(weighed),)
    assert np.isfinite(scores).all()


def test_scores_do_not_depend_on_the_other_candidates(model: Model) -> None:
    """A row scores alone as it does among others."""
    features = _random(20)
    alone = np.concatenate([model.scores(features[row : row + 1]) for row in range(20)])
    assert model.scores(features) == pytest.approx(alone, abs=1e-6)


def test_no_candidates_have_no_scores(model: Model) -> None:
    """And no confidence."""
    scores = model.scores(_random(0))
    assert scores.tolist() == []
    assert Confidence().of(scores, _random(0)).tolist() == []


@pytest.mark.parametrize("q", ["cholecystectomy", "cheap flights to Denver", "left hip replacement, cemented"])
def test_confidence_is_a_probability_that_falls_with_the_score(engine: SearchEngine, model: Model, q: str) -> None:
    """Above 0, below 1, and in the order of the scores."""
    weighed = _weighed(engine, q)
    scores = model.scores(weighed)
    confidence = Confidence().of(scores, weighed)
    assert ((confidence > 0) & (confidence < 1)).all()
    ordered = confidence[np.argsort(-scores)]
    assert (np.diff(ordered) <= 0).all()
    assert ordered[0] > ordered[-1]


def test_what_is_told_of_a_query_is_read_off_its_candidates() -> None:
    """The first is the best by score; of the rest, each feature's greatest value counts, whichever candidate has it."""
    features = _random(30)
    scores = np.arange(30, dtype=np.float64)
    told = dict(zip(TOLD, told_of(scores, features).tolist(), strict=True))
    title, site = FEATURES.index("cosine of title"), FEATURES.index("cosine of site")
    assert told["score"] == 29
    assert told["lead over the tenth"] == 9
    assert told["candidates"] == 30
    assert told["cosine of the first ten"] == pytest.approx(features[20:, title].mean())
    assert told["greatest cosine of site"] == pytest.approx(features[:, site].max())
    assert told["first hit's cosine of title"] == pytest.approx(features[29, title])


def test_hits_have_the_confidence_of_the_model(engine: SearchEngine) -> None:
    """From 0 to 1, falling; what fits is told by the first."""
    answer = engine.search(SearchRequest.checked("gallbladder removal", limit=50))
    shown = [hit.score for hit in answer.hits]
    assert shown == sorted(shown, reverse=True)
    assert all(0 < score < 1 for score in shown)
    assert answer.fits == (shown[0] >= FITS)


@pytest.mark.parametrize("q", ["cholecystectomy", "sacroplasty", "total hip replacement"])
def test_a_procedure_of_the_index_fits(engine: SearchEngine, q: str) -> None:
    """The first code is likely right."""
    assert engine.search(SearchRequest.checked(q)).fits


@pytest.mark.parametrize("q", ["cheap flights to Denver", "who won the football game", "chocolate cake recipe"])
def test_what_is_no_procedure_does_not_fit(engine: SearchEngine, q: str) -> None:
    """There are hits, as always, and the answer says that none of them is likely."""
    answer = engine.search(SearchRequest.checked(q))
    assert answer.hits
    assert not answer.fits
