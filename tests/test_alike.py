"""Codes of a hit's table that answer as well."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from index.build import Report
from index.records import CodeSystem
from index.snapshot import Snapshot, open_snapshot
from search.alike import Alike, alike


@pytest.fixture(scope="module")
def snapshot(built: Report) -> Snapshot:
    """The built snapshot."""
    return open_snapshot(built.folder)


def _positions(snapshot: Snapshot, *codes: str) -> NDArray[np.int64]:
    found = [snapshot.documents.find(CodeSystem.ICD10PCS, code) for code in codes]
    return np.array(found, dtype=np.int64)


def test_codes_of_a_table_that_score_alike_are_counted_with_what_differs(snapshot: Snapshot) -> None:
    """0FT40ZZ and 0FT44ZZ differ in the approach; 0QU13JZ is of another table, however well it scores."""
    documents = _positions(snapshot, "0FT44ZZ", "0FT40ZZ", "0QU13JZ")
    found = alike(snapshot, documents, np.array([0.8, 0.6, 0.8]), slice(0, 10))
    assert found == [Alike(1, ("Approach",)), Alike(1, ("Approach",)), None]


def test_a_code_that_answers_much_worse_is_not_alike(snapshot: Snapshot) -> None:
    """0.5 is less than seven tenths of 0.8."""
    documents = _positions(snapshot, "0FT44ZZ", "0FT40ZZ")
    assert alike(snapshot, documents, np.array([0.8, 0.5]), slice(0, 10)) == [None, None]


def test_only_composed_codes_have_tables(snapshot: Snapshot) -> None:
    """Two CPT codes that begin alike are not of one table."""
    documents = np.array([snapshot.documents.find(CodeSystem.CPT, code) for code in ("0200T", "0201T")], dtype=np.int64)
    assert alike(snapshot, documents, np.array([0.9, 0.9]), slice(0, 10)) == [None, None]


def test_only_the_page_that_is_shown_is_told_of(snapshot: Snapshot) -> None:
    """The second of three, which the first is alike; nothing of a page behind the last."""
    documents, scores = _positions(snapshot, "0FT44ZZ", "0FT40ZZ", "0QU13JZ"), np.array([0.8, 0.6, 0.8])
    assert alike(snapshot, documents, scores, slice(1, 2)) == [Alike(1, ("Approach",))]
    assert alike(snapshot, documents, scores, slice(3, 13)) == []
