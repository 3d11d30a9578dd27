"""The dense index against brute force."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

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
    path = tmp_path_factory.mktemp("dense") / "vectors.faiss"
    write(path, vectors)
    return DenseIndex(path)


def _brute_force(
    vectors: NDArray[np.float32], query: NDArray[np.float32], k: int, allowed: NDArray[np.bool_]
) -> tuple[list[int], list[float]]:
    cosines = vectors @ query
    order = sorted(np.flatnonzero(allowed).tolist(), key=lambda row: (-cosines[row], row))[:k]
    return order, cosines[order].tolist()


@pytest.mark.parametrize("share", [1.0, 0.5, 0.02])
def test_search_finds_what_brute_force_finds(index: DenseIndex, vectors: NDArray[np.float32], share: float) -> None:
    """Ids and cosines equal those of a full comparison, with and without a filter."""
    for row in (7, 0, 299):
        allowed = RANDOM.random(300) < share
        ids, scores = index.search(vectors[row], 10, None if share == 1.0 else allowed)
        expected_ids, expected = _brute_force(vectors, vectors[row], 10, allowed if share < 1 else np.ones(300, bool))
        assert ids.tolist() == expected_ids
        assert scores.tolist() == pytest.approx(expected, abs=1e-6)


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
    assert np.array_equal(index.vectors(np.array([4, 2])), vectors[[4, 2]])
