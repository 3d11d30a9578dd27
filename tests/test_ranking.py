"""Grouping and fusion, expected values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from search.ranking import Retrieved, evidence, fuse, group_by_code


def _retrieved(*found: tuple[int, float, tuple[int, ...]]) -> Retrieved:
    """Passage id, score, documents."""
    return Retrieved(
        np.array([passage for passage, _, _ in found], dtype=np.int64),
        np.array([score for _, score, _ in found], dtype=np.float32),
        np.array([document for _, _, held in found for document in held], dtype=np.int32),
        np.cumsum([0, *(len(held) for _, _, held in found)]),
    )


DENSE = _retrieved((10, 0.9, (1, 2)), (11, 0.9, (3,)), (12, 0.5, (1,)), (13, 0.4, (4,)))
LEXICAL = _retrieved((13, 7.0, (4,)), (12, 6.0, (1,)))


def test_a_code_has_the_rank_of_its_best_passage_and_ties_share_it() -> None:
    """Documents 1, 2 and 3 are found at 0.9 and share rank 1; 4 comes third, as its score is the third."""
    documents, ranks = group_by_code(DENSE)
    assert dict(zip(documents.tolist(), ranks.tolist(), strict=True)) == {1: 1, 2: 1, 3: 1, 4: 3}


def test_fusion_is_the_sum_of_reciprocal_ranks() -> None:
    """Document 1: 1/61 + 1/62; 4: 1/63 + 1/61; 2 and 3: 1/61; the greatest sum there could be is 2/61."""
    documents, scores = fuse([DENSE, LEXICAL])
    assert documents.tolist() == [1, 4, 2, 3]
    assert scores.tolist() == pytest.approx([(1 / 61 + 1 / 62) * 61 / 2, (1 / 63 + 1 / 61) * 61 / 2, 1 / 2, 1 / 2])


def test_nothing_found_fuses_to_nothing() -> None:
    """Two empty retrievers give no code."""
    documents, scores = fuse([_retrieved(), _retrieved()])
    assert (documents.tolist(), scores.tolist()) == ([], [])


def test_evidence_is_fused_the_same_way() -> None:
    """Document 1's passages: 10 is its first in dense (1/61); 12 second there and first in lexical (1/62 + 1/61)."""
    assert evidence([1], [DENSE, LEXICAL], most=3) == [[12, 10]]
    assert evidence([4, 1, 5], [DENSE, LEXICAL], most=1) == [[13], [12], []]
    assert evidence([], [DENSE, LEXICAL], most=1) == []


def test_documents_that_are_not_allowed_leave_no_trace() -> None:
    """Without document 1 the passage 12 is gone and passage 10 speaks for 2 alone."""
    left = DENSE.among(np.array([True, False, True, True, True]))
    assert left.passages.tolist() == [10, 11, 13]
    assert left.documents.tolist() == [2, 3, 4]
    assert left.starts.tolist() == [0, 1, 2, 3]
