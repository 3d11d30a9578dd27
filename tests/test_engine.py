"""Answers over the bundled corpus and the small releases, with the real model."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from index.build import Report, build
from index.records import CodeKind, CodeSystem, SectionKind
from index.snapshot import open_snapshot
from search.engine import SearchEngine
from search.errors import EmptyQuery, OutOfRange, RequestError, UnknownCode, UnknownRelease
from search.request import SearchRequest


@pytest.fixture(scope="module")
def engine(built: Report) -> SearchEngine:
    """An engine over the built snapshot."""
    return SearchEngine(open_snapshot(built.folder))


def _codes(engine: SearchEngine, q: str, **fields: object) -> list[str]:
    answer = engine.search(SearchRequest.checked(q, **fields))  # type: ignore[arg-type]
    return [hit.document.code for hit in answer.hits]


# Query → the codes that must come first, in any order among themselves.
FIRST = {
    "cement injection for sacral fracture": {"0200T", "0201T"},
    "bilateral sacroplasty with balloon": {"0201T"},
    "knee replacement": {"27447"},
    "ear tubes under general anesthesia": {"69436"},
}


@pytest.mark.parametrize("query", FIRST)
def test_the_right_codes_come_first(engine: SearchEngine, query: str) -> None:
    """Within CPT, where the bundled pages have one answer."""
    expected = FIRST[query]
    assert set(_codes(engine, query, system="cpt")[: len(expected)]) == expected


def test_sacral_cement_comes_first_over_all_systems(engine: SearchEngine) -> None:
    """Without a filter the two sacroplasty codes lead, with their counterpart in ICD-10-PCS among them."""
    assert set(_codes(engine, "cement injection for sacral fracture")[:3]) == {"0200T", "0201T", "0QU13JZ"}


def test_a_filtered_answer_is_as_full_as_an_unfiltered_one(engine: SearchEngine) -> None:
    """All four small ICD-10-PCS codes and the bundled ones are ranked, though CPT pages fit better."""
    answer = engine.search(SearchRequest.checked("sacral cement", system="icd10pcs", limit=100))
    held = engine.snapshot.manifest.counts["icd10pcs"]["procedure"]
    assert answer.total == held
    assert {hit.document.system for hit in answer.hits} == {CodeSystem.ICD10PCS}


def test_a_section_filter_shows_passages_of_that_section(engine: SearchEngine) -> None:
    """Evidence is from the section asked for."""
    answer = engine.search(SearchRequest.checked("cement leaks out", section="risks"))
    assert {passage.section for hit in answer.hits for passage in hit.passages} == {SectionKind.RISKS}


@pytest.mark.parametrize("typed", ["0201T", "0201t", " 0201 t", "0201-T"])
def test_a_code_typed_alone_is_the_answer(engine: SearchEngine, typed: str) -> None:
    """In any case, with stray spaces and hyphens."""
    assert _codes(engine, typed) == ["0201T"]


def test_the_beginning_of_a_code_finds_all_that_begin_so(engine: SearchEngine) -> None:
    """In the order of codes."""
    assert _codes(engine, "0QU1") == ["0QU10JZ", "0QU13JZ"]
    assert _codes(engine, "2251") == ["22510", "22511", "22512", "22513", "22514", "22515"]


def test_a_code_in_a_sentence_comes_first(engine: SearchEngine) -> None:
    """What the sentence describes follows."""
    codes = _codes(engine, "is 0200T right for cement into the sacrum?")
    assert codes[0] == "0200T"
    assert "0201T" in codes[:4]


def test_modifiers_are_a_kind_of_their_own(engine: SearchEngine) -> None:
    """They are found when asked for, and only then."""
    assert _codes(engine, "left side of the body", kind="modifier") == ["LT"]
    assert "LT" not in _codes(engine, "left side of the body", limit=100)
    assert "LT" in _codes(engine, "left side of the body", kind="any", limit=100)


def test_synonyms_reach_codes_whose_title_lacks_the_word(engine: SearchEngine) -> None:
    """Cholecystectomy is in the index, and is shown as the reason."""
    answer = engine.search(SearchRequest.checked("cholecystectomy", system="icd10pcs"))
    assert {hit.document.code for hit in answer.hits[:2]} == {"0FT40ZZ", "0FT44ZZ"}
    assert "cholecystectomy" in " ".join(passage.text for passage in answer.hits[0].passages).lower()


def test_highlights_mark_the_words_of_the_query(engine: SearchEngine) -> None:
    """Each span, cut out of its passage, is a form of a word that was typed."""
    answer = engine.search(SearchRequest.checked("sacral fractures"))
    marked = {
        passage.text[start:end].lower()
        for hit in answer.hits
        for passage in hit.passages
        for start, end in passage.highlights
    }
    assert marked <= {"sacral", "sacrum", "fracture", "fractures", "fractured"}
    assert {"sacral", "fracture"} <= marked


def test_pages_of_an_answer_join_without_gap_or_overlap(engine: SearchEngine) -> None:
    """Ten hits are the first five and the next five."""
    whole = _codes(engine, "knee pain injection", limit=10)
    assert whole == _codes(engine, "knee pain injection", limit=5) + _codes(
        engine, "knee pain injection", limit=5, offset=5
    )


def test_an_answer_is_repeatable(engine: SearchEngine) -> None:
    """The same query gives the same order and scores."""
    request = SearchRequest.checked("endoscopic resection", limit=50)
    first, second = engine.search(request), engine.search(request)
    assert first.hits == second.hits
    assert sorted(first.hits, key=lambda hit: -hit.score) == list(first.hits)


def test_headers_lead_down_to_codes(engine: SearchEngine) -> None:
    """Section, body system, table, codes; and back up."""
    assert [child.code for child in engine.catalogue.children(engine.catalogue.document("icd10pcs", "0"))] == [
        "0F",
        "0Q",
    ]
    assert [child.code for child in engine.catalogue.children(engine.catalogue.document("icd10pcs", "0Q"))] == ["0QU"]
    table = [child.code for child in engine.catalogue.children(engine.catalogue.document("icd10pcs", "0QU"))]
    assert {"0QU10JZ", "0QU13JZ"} <= set(table)
    assert [above.code for above in engine.catalogue.hierarchy(engine.catalogue.document("icd10pcs", "0QU13JZ"))] == [
        "0",
        "0Q",
        "0QU",
    ]
    assert engine.catalogue.hierarchy(engine.catalogue.document("cpt", "0201T")) == []


@pytest.mark.parametrize("q", ["", "   ", "\x00\x07", "\ud800", "\u2028"])
def test_nothing_typed_is_an_empty_query(q: str) -> None:
    """Blanks, control characters and lone surrogates are nothing."""
    with pytest.raises(EmptyQuery):
        SearchRequest.checked(q)


@pytest.mark.parametrize(
    "q", ["AA¹AA", "🫀🩺", "…!?", "心臓の手術", "оперция на колене", "'; DROP TABLE codes; --", "a" * 1000]
)
def test_any_text_has_an_answer(engine: SearchEngine, q: str) -> None:
    """Other scripts, emoji, signs and one very long word are no error."""
    engine.search(SearchRequest.checked(q))


@given(st.text(st.characters(), min_size=1, max_size=60))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_text_breaks_the_search(engine: SearchEngine, q: str) -> None:
    """Any text is answered or refused with an error of ours."""
    try:
        answer = engine.search(SearchRequest.checked(q))
    except RequestError:
        return
    assert all(0 <= hit.score <= 1 for hit in answer.hits)


@pytest.mark.parametrize(("limit", "offset"), [(0, 0), (101, 0), (-1, 0), (10, -1), (10, 991)])
def test_limits_are_checked(limit: int, offset: int) -> None:
    """The message says what was got and expected."""
    with pytest.raises(OutOfRange, match=r"got -?[0-9]+, expected"):
        SearchRequest.checked("knee", limit=limit, offset=offset)


def test_an_unknown_code_is_told(engine: SearchEngine) -> None:
    """Of any length and with any sign."""
    for code in ("99998", "", "0QU1", "x" * 500, "\x00"):
        with pytest.raises(UnknownCode):
            engine.catalogue.document("cpt", code)


# A code of two releases, one of the first only, and one of the second only.
OLD = "00001 0QU10JZ 1 {0:60} Supplement Sacrum with Synth Sub, Open\n00002 0QU17JZ 1 {0:60} Gone\n"
NEW = "00001 0QU10JZ 1 {0:60} Supplement Sacrum with Synthetic Substitute, Open\n00002 0QU13JZ 1 {0:60} Come\n"


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> SearchEngine:
    """An engine over two releases of ICD-10-PCS."""
    folder = tmp_path_factory.mktemp("two")
    (folder / "icd10pcs_order_2025.txt").write_text(OLD.format("x"))
    (folder / "icd10pcs_order_2026.txt").write_text(NEW.format("x"))
    return SearchEngine(open_snapshot(build([folder], tmp_path_factory.mktemp("two-home")).folder))


def test_deleted_codes_are_left_out_unless_asked(history: SearchEngine) -> None:
    """With status=all, on a day when it was valid, or typed whole, the deleted code is found and says so."""
    assert "0QU17JZ" not in _codes(history, "gone", system="icd10pcs", limit=100)
    assert _codes(history, "gone", system="icd10pcs", status="all")[0] == "0QU17JZ"
    assert _codes(history, "gone", system="icd10pcs", on="2025-09-30")[0] == "0QU17JZ"
    assert "0QU17JZ" not in _codes(history, "gone", system="icd10pcs", on="2025-10-01", limit=100)
    assert "0QU13JZ" not in _codes(history, "come", system="icd10pcs", on="2025-09-30", limit=100)
    (hit,) = history.search(SearchRequest.checked("0QU17JZ")).hits
    assert hit.document.terminated == date(2025, 9, 30)


def test_changes_between_releases_are_listed(history: SearchEngine) -> None:
    """Revised with the old title, added, deleted; nothing from a release to itself."""
    found = [
        (document.code, change.action, change.title_before)
        for document, change in history.catalogue.changes("icd10pcs", "2025", "2026")
        if document.kind is CodeKind.PROCEDURE
    ]
    assert found == [
        ("0QU10JZ", "revised", "Supplement Sacrum with Synth Sub, Open"),
        ("0QU13JZ", "added", ""),
        ("0QU17JZ", "deleted", "Gone"),
    ]
    assert history.catalogue.changes("icd10pcs", "2026", "2026") == []
    with pytest.raises(UnknownRelease, match="no release '2024' in this index, only 2025, 2026"):
        history.catalogue.changes("icd10pcs", "2024", "2026")


def test_corpus_is_where_the_build_looks() -> None:
    """At least forty pages are bundled."""
    assert len(list((Path(__file__).parent.parent / "index" / "corpus").glob("*.md"))) >= 40


def test_the_same_question_is_computed_once_a_day_and_never_over_a_change_of_snapshot(
    engine: SearchEngine, built: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An equal request is answered from memory; another day, page or engine computes its own."""
    asked = SearchRequest.checked("removal of tonsils", system="cpt")
    fresh = SearchEngine(engine.snapshot)
    first = fresh.search(asked)

    def never(self: SearchEngine, *rest: object, **named: object) -> None:
        raise AssertionError("computed")

    monkeypatch.setattr(SearchEngine, "understand", never)
    again = fresh.search(asked)
    assert (again.hits, again.total, again.request) == (first.hits, first.total, first.request)
    assert fresh.search(replace(asked, on=date.today())).hits == first.hits
    for other in (replace(asked, on=date(2020, 1, 1)), replace(asked, offset=1), replace(asked, q="tonsils")):
        with pytest.raises(AssertionError, match="computed"):
            fresh.search(other)
    with pytest.raises(AssertionError, match="computed"):
        SearchEngine(engine.snapshot).search(asked)
