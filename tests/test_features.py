"""Candidates and their features over the small snapshot, expected values worked out by hand."""

from __future__ import annotations

from collections.abc import Sequence
from math import log2

import numpy as np
import pytest
from numpy.typing import NDArray

from index.build import Report
from index.records import CodeSystem, SectionKind
from index.snapshot import Snapshot, open_snapshot
from search.engine import SearchEngine
from search.features import FEATURES, at_hand, candidates, look_closer
from search.query import Query
from search.ranking import Retrieved

NOTHING_SAID = Query("x", ("x",))


@pytest.fixture(scope="module")
def engine(built: Report) -> SearchEngine:
    """An engine over the built snapshot."""
    return SearchEngine(open_snapshot(built.folder))


def _position(snapshot: Snapshot, code: str) -> int:
    position = snapshot.documents.find(CodeSystem.ICD10PCS, code)
    assert position is not None
    return position


def _passages(snapshot: Snapshot, code: str, section: SectionKind) -> list[int]:
    """The passages of a code in a section."""
    position = _position(snapshot, code)
    every = np.arange(len(snapshot.passages))
    documents, starts = snapshot.passages.documents(every)
    held = np.searchsorted(starts, np.flatnonzero(documents == position), side="right") - 1
    return [passage for passage in held.tolist() if snapshot.passages.section_of(passage) is section]


def _retrieved(snapshot: Snapshot, *found: tuple[int, float]) -> Retrieved:
    """Passages with their scores, best first, as a retriever gives them."""
    passages = np.array([passage for passage, _ in found], dtype=np.int64)
    return Retrieved.of(passages, np.array([score for _, score in found], dtype=np.float32), snapshot.passages)


def _features(
    engine: SearchEngine,
    codes: Sequence[str],
    query: Query,
    text: str = "x",
    dense: Retrieved | None = None,
    lexical: Retrieved | None = None,
) -> dict[str, list[float]]:
    """Feature → its values, in the order of the codes, which must ascend; `text` is what is compared by cosine."""
    snapshot = engine.snapshot
    documents = np.array([_position(snapshot, code) for code in codes], dtype=np.int64)
    vector = snapshot.encoder.encode([text])[0]
    table = at_hand(documents, query, dense, lexical, snapshot)
    look_closer(table, documents, query, vector, snapshot)
    assert table.shape == (len(codes), len(FEATURES))
    assert table.dtype == np.float32
    return {name: table[:, number].tolist() for number, name in enumerate(FEATURES)}


def _codes(snapshot: Snapshot, positions: NDArray[np.int64]) -> list[str]:
    return [snapshot.documents.brief(position).code for position in positions.tolist()]


def test_candidates_are_what_was_retrieved_and_what_a_name_means(engine: SearchEngine) -> None:
    """Each once, ascending; “lap chole” names 0FT44ZZ, which no retriever found here."""
    snapshot = engine.snapshot
    titles = {code: _passages(snapshot, code, SectionKind.TITLE)[0] for code in ("0QU13JZ", "0QU10JZ")}
    dense = _retrieved(snapshot, (titles["0QU13JZ"], 0.9), (titles["0QU10JZ"], 0.8))
    lexical = _retrieved(snapshot, (titles["0QU13JZ"], 7.0))
    query = engine.understand("lap chole")
    named = {position for match in query.matches for position in snapshot.phrases.named(match.row)[0].tolist()}
    found = candidates([dense, lexical], query, snapshot)
    assert set(found.tolist()) == named | {_position(snapshot, "0QU10JZ"), _position(snapshot, "0QU13JZ")}
    assert "0FT44ZZ" in _codes(snapshot, found)
    assert found.tolist() == sorted(set(found.tolist()))


def test_without_retrievers_and_names_there_is_no_candidate(engine: SearchEngine) -> None:
    """Nor where the retrievers found nothing."""
    assert candidates([], NOTHING_SAID, engine.snapshot).tolist() == []
    assert candidates([_retrieved(engine.snapshot)], NOTHING_SAID, engine.snapshot).tolist() == []


def test_no_candidates_have_no_features(engine: SearchEngine) -> None:
    """An empty table of the right width."""
    none = np.empty(0, dtype=np.int64)
    table = at_hand(none, NOTHING_SAID, None, None, engine.snapshot)
    assert table.shape == (0, len(FEATURES))
    look_closer(table, none, NOTHING_SAID, engine.snapshot.encoder.encode(["x"])[0], engine.snapshot)


def test_what_is_at_hand_is_what_a_closer_look_leaves(engine: SearchEngine) -> None:
    """A closer look adds the other features and changes none of the first: the cut in between is by final figures."""
    query = engine.understand("gallbladder removal")
    snapshot = engine.snapshot
    title = _passages(snapshot, "0FT44ZZ", SectionKind.SYNONYMS)[0]
    documents = np.array([_position(snapshot, code) for code in ("0FT40ZZ", "0FT44ZZ")], dtype=np.int64)
    first = at_hand(documents, query, _retrieved(snapshot, (title, 0.5)), None, snapshot)
    whole = first.copy()
    look_closer(whole, documents, query, snapshot.encoder.encode([query.core])[0], snapshot)
    assert first.any()
    assert (whole[first != 0] == first[first != 0]).all()
    assert (whole != 0).sum() > (first != 0).sum()


def test_features_have_names_of_their_own() -> None:
    """No two columns are called alike."""
    assert len(set(FEATURES)) == len(FEATURES)


def test_a_name_covers_its_share_of_the_query(engine: SearchEngine) -> None:
    """“Emergency cholecystectomy” is two stems, one of them a name of both gallbladder codes, of none for bone."""
    found = _features(engine, ["0FT40ZZ", "0FT44ZZ", "0QU13JZ"], engine.understand("emergency cholecystectomy"))
    assert found["query covered by a name"] == [0.5, 0.5, 0]
    assert found["whole query is a name"] == [0, 0, 0]


def test_a_name_that_is_the_whole_query_says_so(engine: SearchEngine) -> None:
    """The index and the thesaurus each name both codes so: two names, each all of the query."""
    query = engine.understand("cholecystectomy")
    assert len(query.matches) == 2
    found = _features(engine, ["0FT40ZZ", "0FT44ZZ", "0QU13JZ"], query)
    assert found["query covered by a name"] == [1, 1, 0]
    assert found["whole query is a name"] == [1, 1, 0]
    assert found["names that match"] == [2, 2, 0]
    assert found["codes of the name"] == pytest.approx([1 / log2(3), 1 / log2(3), 0])


def test_words_for_a_side_do_not_keep_a_name_from_covering_the_query(engine: SearchEngine) -> None:
    """What the query is but for its side is the whole name; a word for something else is not covered."""
    for text, whole in (("left cholecystectomy", 1), ("cholecystectomy both", 1), ("emergency cholecystectomy", 0)):
        found = _features(engine, ["0FT44ZZ"], engine.understand(text))
        assert found["whole query is a name"] == [whole], text


def test_the_longest_name_counts_with_the_rank_of_its_pattern(engine: SearchEngine) -> None:
    """“Kyphoplasty” means 0PU43JZ before 0QU03JZ: ranks 0 and 1 give 1 and 1/2; it names two codes here."""
    found = _features(engine, ["0PU43JZ", "0QU03JZ", "0QU13JZ"], engine.understand("kyphoplasty"))
    assert found["rank of the name's pattern"] == [1, 0.5, 0]
    assert found["codes of the name"] == pytest.approx([1 / log2(3), 1 / log2(3), 0])


def test_attributes_agree_or_contradict(engine: SearchEngine) -> None:
    """Asked for left and open: the left hip is both, the right hip one; keyhole contradicts, and has no side."""
    said = {"laterality": frozenset({"left"}), "approach": frozenset({"open"})}
    query = Query("x", ("x",), attributes=said)
    found = _features(engine, ["0FT44ZZ", "0SR90JA", "0SRB0JA"], query)
    assert found["attributes that agree"] == [0, 1, 2]
    assert found["attributes that contradict"] == [1, 1, 0]
    assert found["unsaid material"] == [0, 1, 1]
    assert found["unsaid laterality"] == [0, 0, 0]


def test_any_of_several_values_agrees(engine: SearchEngine) -> None:
    """Keyhole is one of the two approaches that “laparoscopic” may be."""
    query = engine.understand("laparoscopic")
    assert len(query.attributes["approach"]) == 2
    found = _features(engine, ["0FT40ZZ", "0FT44ZZ"], query)
    assert found["attributes that agree"] == [0, 1]
    assert found["attributes that contradict"] == [1, 0]


def test_what_a_title_says_and_the_query_does_not_is_unsaid(engine: SearchEngine) -> None:
    """The left hip's title says a side, a material and an approach; neither has a device."""
    found = _features(engine, ["0FT44ZZ", "0SRB0JA"], NOTHING_SAID)
    assert found["unsaid laterality"] == [0, 1]
    assert found["unsaid material"] == [0, 1]
    assert found["unsaid approach"] == [1, 1]
    assert found["unsaid device"] == [0, 0]
    assert found["attributes that agree"] == found["attributes that contradict"] == [0, 0]


def test_characters_are_told_of_codes_that_have_them(engine: SearchEngine) -> None:
    """No device and no qualifier, or no qualifier alone; 0SR90JA is a page's here, without characters."""
    found = _features(engine, ["0FT40ZZ", "0QU13JZ", "0SR90JA"], NOTHING_SAID, text="Gallbladder")
    assert found["is ICD-10-PCS"] == [1, 1, 0]
    assert found["characters that say nothing"] == [2, 1, 0]
    assert found["open approach"] == [1, 0, 0]
    assert found["percutaneous approach"] == [0, 1, 0]
    assert found["cosine of site"][0] == pytest.approx(1, abs=0.05)  # its body part is the query, word for word
    assert found["cosine of site"][1] < 0.9
    assert found["cosine of site"][2] == found["cosine of operation"][2] == 0


def test_the_title_is_compared_whether_it_was_retrieved_or_not(engine: SearchEngine) -> None:
    """Asked in its own words, its cosine is 1, and it covers the query and the query it."""
    title = "Resection of Gallbladder, Open Approach"
    found = _features(engine, ["0FT40ZZ", "0FT44ZZ"], engine.understand(title), text=title)
    assert found["cosine of title"][0] == pytest.approx(1, abs=0.05)  # queries have an encoder of their own
    assert found["cosine of title"][1] < found["cosine of title"][0]
    assert found["query covered by title"][0] == found["title covered by query"][0] == pytest.approx(1)
    assert found["query covered by title"][1] < 1


def test_each_group_of_sections_has_its_best_score(engine: SearchEngine) -> None:
    """Synonyms, thesaurus, and the better of two other sections; BM25 as a share of the best of all."""
    snapshot, code = engine.snapshot, "0QU13JZ"
    synonym, named, risk, summary = (
        _passages(snapshot, code, section)[0]
        for section in (SectionKind.SYNONYMS, SectionKind.THESAURUS, SectionKind.RISKS, SectionKind.SUMMARY)
    )
    dense = _retrieved(snapshot, (synonym, 0.75), (summary, 0.5), (named, 0.25), (risk, 0.125))
    lexical = _retrieved(snapshot, (named, 8.0), (risk, 4.0), (synonym, 2.0))
    found = _features(engine, ["0FT40ZZ", code], NOTHING_SAID, dense=dense, lexical=lexical)
    measured = {
        name: values[1] for name, values in found.items() if name.startswith(("cosine of s", "cosine of th", "BM25"))
    }
    assert {name: value for name, value in measured.items() if name != "cosine of site"} == {
        "cosine of synonyms": 0.75,
        "cosine of thesaurus": 0.25,
        "cosine of sections": 0.5,
        "BM25 of title": 0,
        "BM25 of synonyms": 0.25,
        "BM25 of thesaurus": 1,
        "BM25 of sections": 0.5,
    }
    assert [found[name][0] for name in ("cosine of synonyms", "cosine of sections", "BM25 of sections")] == [0, 0, 0]


def test_what_was_retrieved_and_is_no_candidate_leaves_no_trace(engine: SearchEngine) -> None:
    """Filters take candidates out after retrieval; the others' features stay theirs."""
    snapshot = engine.snapshot
    dense = _retrieved(snapshot, *((_passages(snapshot, "0SRD0J9", SectionKind.RISKS)[0], 0.9),))
    found = _features(engine, ["0FT40ZZ", "0FT44ZZ"], NOTHING_SAID, dense=dense)
    assert found["cosine of sections"] == [0, 0]


def test_votes_are_shares_of_the_nearest(engine: SearchEngine) -> None:
    """Both gallbladder codes are of one table and body part; the three votes of all tables make one."""
    found = _features(engine, ["0FT40ZZ", "0FT44ZZ", "0QU13JZ"], NOTHING_SAID, text="Resection of Gallbladder")
    table = found["votes for the table"]
    assert table[0] == table[1] == found["votes for the body part"][0]
    assert table[0] + table[2] == pytest.approx(1)
    assert table[0] > 0.9
    assert found["cosine behind the best"][0] >= 0
