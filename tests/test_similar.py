"""The codes most like one code, over the bundled corpus and the small releases."""

from __future__ import annotations

import numpy as np
import pytest

from index.build import Report
from index.records import CodeSystem
from index.snapshot import Snapshot, open_snapshot
from search.similar import SimilarCodes, differences, similar_codes


@pytest.fixture(scope="module")
def snapshot(built: Report) -> Snapshot:
    """The built snapshot."""
    return open_snapshot(built.folder)


def _similar(snapshot: Snapshot, system: CodeSystem, code: str, limit: int = 10) -> SimilarCodes:
    position = snapshot.documents.find(system, code)
    assert position is not None
    return similar_codes(snapshot, position, limit)


def test_a_sibling_differs_in_one_attribute(snapshot: Snapshot) -> None:
    """0201T and 0200T are the same but for the side; vertebroplasty is another thing, though of the same kind."""
    found = _similar(snapshot, CodeSystem.CPT, "0201T")
    assert [similar.document.code for similar in found.siblings] == ["0200T"]
    assert [str(difference) for difference in found.siblings[0].differs] == ["unilateral instead of bilateral"]
    assert {"22510", "22511", "22513", "22514"} <= {similar.document.code for similar in found.related}
    assert found.hits[0] == found.siblings[0]


def test_siblings_of_composed_codes_differ_in_one_character(snapshot: Snapshot) -> None:
    """The open twin of the percutaneous supplement of the sacrum, told by its character."""
    found = _similar(snapshot, CodeSystem.ICD10PCS, "0QU13JZ")
    assert "0QU10JZ" in [similar.document.code for similar in found.siblings]
    for similar in found.siblings:
        assert sum(a != b for a, b in zip(similar.document.code, "0QU13JZ", strict=True)) == 1
    twin = next(similar for similar in found.siblings if similar.document.code == "0QU10JZ")
    assert [(one.attribute, str(one)) for one in twin.differs] == [("approach", "Open instead of Percutaneous")]


def test_related_codes_are_no_siblings_and_one_of_each_kind(snapshot: Snapshot) -> None:
    """No two share operation and body part, and none is of the code's own."""
    for code in ("0QU13JZ", "0FT44ZZ"):
        related = [similar.document.code for similar in _similar(snapshot, CodeSystem.ICD10PCS, code).related]
        kinds = [other[:4] for other in related]
        assert len(set(kinds)) == len(kinds)
        assert code[:4] not in kinds


def test_scores_are_what_their_formula_says(snapshot: Snapshot) -> None:
    """0QU10JZ: all characters equal but the approach (1 - 0.05), and the cosine of the titles, one part to three."""
    twin = next(
        similar
        for similar in _similar(snapshot, CodeSystem.ICD10PCS, "0QU13JZ").siblings
        if similar.document.code == "0QU10JZ"
    )
    found = [snapshot.documents.find(CodeSystem.ICD10PCS, code) for code in ("0QU13JZ", "0QU10JZ")]
    positions = np.array(found, dtype=np.int64)
    one, other = snapshot.dense.vectors(snapshot.passages.titles[positions].astype(np.int64))
    assert twin.score == pytest.approx(0.25 * 0.95 + 0.75 * float(one @ other))


def test_hits_hold_both_best_first_and_no_more_than_asked(snapshot: Snapshot) -> None:
    """The limit holds for each list."""
    found = _similar(snapshot, CodeSystem.CPT, "0201T", limit=3)
    assert len(found.hits) == len(found.related) == 3
    assert len(found.siblings) == 1
    assert sorted(found.hits, key=lambda similar: -similar.score) == list(found.hits)


def test_a_modifier_is_only_like_modifiers(snapshot: Snapshot) -> None:
    """There is only one here, so there is none."""
    assert _similar(snapshot, CodeSystem.HCPCS, "LT") == SimilarCodes((), (), ())


def test_codes_that_have_nothing_in_common_are_left_out(snapshot: Snapshot) -> None:
    """A breathing device has no relative here: colonoscopies are no other way to treat the same thing."""
    found = _similar(snapshot, CodeSystem.HCPCS, "E0601")
    assert all(similar.score >= 0.3 for similar in found.hits)
    assert "G0105" not in [similar.document.code for similar in found.hits]


def test_a_paraphrase_is_not_told_word_by_word() -> None:
    """Where all the wording differs, only attributes are told, or nothing."""
    this = "Colonoscopy with polyps cut off by a wire loop"
    assert differences(this, "Keyhole removal of the appendix, in several steps that take an hour or more") == ()
    told = differences(f"{this}, left", "Keyhole removal of the appendix, in several steps that take an hour, right")
    assert [difference.attribute for difference in told] == ["laterality"]
