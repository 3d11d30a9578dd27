"""The dense index against brute force."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from index import dense
from index.dense import DenseIndex, write

RANDOM = np.random.default_rng(7)


@pytest.fixture(scope="module")
def vectors() -> NDArray[np.float32]:
    """300 random unit vectors, two of them equal."""
    drawn = RANDOM.standard_normal((300, 24)).astype(np.float32)
    drawn[7] = drawn[250]
    unit: NDArray[np.float32] = drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
    return unit


@pytest.fixture(scope="module")
def index(vectors: NDArray[np.float32], tmp_path_factory: pytest.TempPathFactory) -> DenseIndex:
    """The index of those vectors, read back from disk."""
    folder = tmp_path_factory.mktemp("dense")
    write(folder, vectors)
    return DenseIndex(folder)


@pytest.fixture(scope="module")
def many() -> NDArray[np.float32]:
    """20,000 unit vectors in 500 clusters, as titles are: more than are compared exactly."""
    drawn = RANDOM.standard_normal((500, 96)).repeat(40, axis=0) + 0.7 * RANDOM.standard_normal((20_000, 96))
    unit: NDArray[np.float32] = (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)
    return unit


@pytest.fixture(scope="module")
def coded(many: NDArray[np.float32], tmp_path_factory: pytest.TempPathFactory) -> DenseIndex:
    """The index of those vectors, which scans codes first."""
    folder = tmp_path_factory.mktemp("coded")
    write(folder, many)
    return DenseIndex(folder)


def _brute_force(
    vectors: NDArray[np.float32], query: NDArray[np.float32], k: int, allowed: NDArray[np.bool_]
) -> tuple[list[int], list[float]]:
    cosines = vectors @ query
    order = sorted(np.flatnonzero(allowed).tolist(), key=lambda row: (-cosines[row], row))[:k]
    return order, cosines[order].tolist()


@pytest.mark.parametrize("share", [1.0, 0.5, 0.02])
def test_search_finds_what_brute_force_finds(index: DenseIndex, vectors: NDArray[np.float32], share: float) -> None:
    """What is found has the cosines of a full comparison, but for the steps, with and without a filter."""
    for row in (7, 0, 299):
        allowed = RANDOM.random(300) < share
        ids, scores = index.search(vectors[row], 10, None if share == 1.0 else allowed)
        _, expected = _brute_force(vectors, vectors[row], 10, allowed if share < 1 else np.ones(300, bool))
        assert scores.tolist() == pytest.approx(expected, abs=3e-3)  # steps of 24 long elements
        assert (vectors[ids] @ vectors[row]).tolist() == pytest.approx(expected, abs=3e-3)


@pytest.mark.parametrize("share", [1.0, 0.5, 0.1])
def test_codes_find_nearly_all_of_the_first_ten(coded: DenseIndex, many: NDArray[np.float32], share: float) -> None:
    """At least 99 % of the exact first ten of 50 queries, with exact cosines, with and without a filter."""
    allowed = RANDOM.random(len(many)) < share
    found = 0
    for row in range(0, len(many), 400):
        query = many[row] + 0.05 * RANDOM.standard_normal(96).astype(np.float32)
        query /= np.linalg.norm(query)
        ids, scores = coded.search(query, 100, None if share == 1.0 else allowed)
        assert allowed[ids].all() or share == 1.0
        assert len(ids) == 100
        assert scores.tolist() == pytest.approx((many[ids] @ query).tolist(), abs=4e-3)
        assert (np.diff(scores) <= 0).all()
        expected, _ = _brute_force(many, query, 10, allowed if share < 1 else np.ones(len(many), bool))
        found += len({*expected} & {*ids[:10].tolist()})
    assert found >= 495


def test_cosines_of_chosen_passages_are_those_of_a_search(coded: DenseIndex, many: NDArray[np.float32]) -> None:
    """More of them than are widened at a time."""
    ids, scores = coded.search(many[5], 1200)
    assert ids[0] == 5
    assert coded.cosines(ids, many[5]).tolist() == pytest.approx(scores.tolist(), abs=1e-6)


def test_filters_that_are_not_used_make_room(coded: DenseIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many filters are asked for, what is kept ready stays within its bound, and answers stay right."""
    monkeypatch.setattr(dense, "_KEPT", 1)
    for begin in (0, 5000, 10_000, 0):
        allowed = np.zeros(len(coded), dtype=bool)
        allowed[begin : begin + 9000] = True
        ids, _ = coded.search(coded.vectors(np.array([begin]))[0], 10, allowed)
        assert ids[0] == begin
        assert allowed[ids].all()
        assert sum(len(rows) for rows, _ in coded._ready.values()) <= len(coded)


def test_equal_vectors_come_in_order_of_their_ids(index: DenseIndex, vectors: NDArray[np.float32]) -> None:
    """A tie is broken by the smaller id."""
    assert index.search(vectors[250], 2)[0].tolist() == [7, 250]


def test_a_filter_that_lets_nothing_pass_finds_nothing(index: DenseIndex, vectors: NDArray[np.float32]) -> None:
    """No id is made up to fill the answer."""
    assert index.search(vectors[0], 10, np.zeros(300, dtype=bool))[0].tolist() == []


def test_more_is_asked_for_than_there_is(index: DenseIndex, vectors: NDArray[np.float32]) -> None:
    """The answer has as many as pass."""
    allowed = np.zeros(300, dtype=bool)
    allowed[[3, 5]] = True
    assert sorted(index.search(vectors[0], 10, allowed)[0].tolist()) == [3, 5]


def test_stored_vectors_come_back(index: DenseIndex, vectors: NDArray[np.float32]) -> None:
    """The vectors of chosen ids are those that were written."""
    assert np.allclose(index.vectors(np.array([4, 2])), vectors[[4, 2]], atol=2.5e-3)
