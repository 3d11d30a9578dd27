"""Why a hit stands where it does."""

from __future__ import annotations

import numpy as np
import pytest
from fastapi.testclient import TestClient

from index.build import Report
from index.snapshot import open_snapshot
from search.engine import SearchEngine
from search.explain import Explanation, Place, explain
from search.features import FEATURES
from search.model import Model
from search.ranking import Retrieved
from search.request import SearchRequest


@pytest.fixture(scope="module")
def engine(built: Report) -> SearchEngine:
    """An engine over the built snapshot."""
    return SearchEngine(open_snapshot(built.folder))


def _told(engine: SearchEngine, q: str) -> list[Explanation]:
    hits = engine.search(SearchRequest.checked(q, system="cpt", explain=True)).hits
    return [hit.explanation for hit in hits if hit.explanation is not None]


def test_ranks_and_scores_are_the_retrievers_own() -> None:
    """By hand: passage 7 (of documents 1 and 2) before passage 3 (of document 1); document 2 shares rank 1."""
    held = Retrieved(
        np.array([7, 3]), np.array([0.9, 0.4], np.float32), np.array([1, 2, 1], np.int32), np.array([0, 2, 3])
    )
    rows = np.zeros((2, len(FEATURES)), np.float32)
    found = explain([1, 2], rows, {"dense": held}, rows, Model())
    best = float(np.float32(0.9))
    assert [one.retrievers for one in found] == [(Place("dense", 1, best),)] * 2
    assert [one.features for one in found] == [(), ()]  # nothing differs from the usual


def test_a_share_is_what_the_score_loses_without_the_feature(engine: SearchEngine) -> None:
    """Worked out again for one hit and one feature."""
    request = SearchRequest.checked("bilateral sacroplasty with balloon", system="cpt", explain=True)
    hit = engine.search(request).hits[0]
    assert hit.explanation is not None
    documents, weighed, _ = engine.weigh(engine.understand(request.q, request.system), request, None)
    row = weighed[documents == engine.snapshot.documents.find(hit.document.system, hit.document.code)]
    told = hit.explanation.features[0]
    without = row.copy()
    place = FEATURES.index(told.feature)
    without[0, place] = np.median(weighed, axis=0)[place]
    assert told.value == pytest.approx(float(row[0, place]))
    assert told.share == pytest.approx(float((engine.model.scores(row) - engine.model.scores(without))[0]), abs=1e-5)
    assert hit.explanation.score == pytest.approx(float(engine.model.scores(row)[0]), abs=1e-5)


def test_every_hit_is_explained_and_greatest_shares_come_first(engine: SearchEngine) -> None:
    """In order of what they do, whichever way."""
    told = _told(engine, "cement injection for sacral fracture")
    assert len(told) == 10
    for explanation in told:
        shares = [abs(share.share) for share in explanation.features]
        assert shares == sorted(shares, reverse=True)
        assert {place.retriever for place in explanation.retrievers} <= {"dense", "lexical"}
    assert {place.retriever for place in told[0].retrievers} == {"dense", "lexical"}


def test_nothing_is_explained_unless_asked(engine: SearchEngine, client: TestClient) -> None:
    """And over HTTP explain=true does ask."""
    assert all(hit.explanation is None for hit in engine.search(SearchRequest.checked("knee replacement")).hits)
    hit = client.get("/api/search", params={"q": "knee replacement", "explain": "true"}).json()["hits"][0]
    assert hit["explanation"]["retrievers"][0]["rank"] >= 1
    assert hit["explanation"]["features"][0]["share"] != 0
    assert client.get("/api/search", params={"q": "knee replacement"}).json()["hits"][0]["explanation"] is None


def test_a_typed_code_needs_no_explanation(engine: SearchEngine) -> None:
    """It was not weighed."""
    hits = engine.search(SearchRequest.checked("27447", explain=True)).hits
    assert [hit.explanation for hit in hits] == [None]
