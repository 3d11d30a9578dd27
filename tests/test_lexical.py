"""The lexical index against BM25 worked out by hand."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from index.lexical import LexicalIndex, write
from index.passages import MOST_SHARED
from index.records import CodeKind, CodeSystem, Passage, SectionKind
from index.text import tokens

TEXTS = (
    "Resection of gallbladder, open approach",
    "Resection of gallbladder, percutaneous endoscopic approach",
    "Resection of appendix",
    "Left side of the body",
    "Gallbladder gallbladder gallbladder",
)


def _passage(number: int, text: str) -> Passage:
    system = CodeSystem.HCPCS if number == 3 else CodeSystem.ICD10PCS
    kind = CodeKind.MODIFIER if number == 3 else CodeKind.PROCEDURE
    return Passage(system, kind, SectionKind.SYNONYMS if number == 4 else SectionKind.TITLE, text, (number,))


PASSAGES = [_passage(number, text) for number, text in enumerate(TEXTS)]


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> LexicalIndex:
    """An index of the five texts, and one passage that too many codes share."""
    folder = tmp_path_factory.mktemp("lexical")
    broad = Passage(CodeSystem.CPT, CodeKind.PROCEDURE, SectionKind.PURPOSE, "appendix", tuple(range(MOST_SHARED + 1)))
    write(folder, [*PASSAGES, broad])
    return LexicalIndex(folder)


def _bm25(query: str) -> dict[int, float]:
    """Returns Okapi BM25 as Lucene and Tantivy define it: k1 = 1.2, b = 0.75, idf = ln(1 + (N - n + .5) / (n + .5))."""
    stems = [tokens(text) for text in [*TEXTS, "appendix"]]
    average = sum(map(len, stems)) / len(stems)
    scores: dict[int, float] = {}
    for stem in dict.fromkeys(tokens(query)):
        holding = sum(stem in words for words in stems)
        idf = math.log(1 + (len(stems) - holding + 0.5) / (holding + 0.5))
        for number, words in enumerate(stems):
            if frequency := words.count(stem):
                norm = 1.2 * (1 - 0.75 + 0.75 * len(words) / average)
                scores[number] = scores.get(number, 0.0) + idf * frequency * 2.2 / (frequency + norm)
    return scores


@pytest.mark.parametrize("query", ["gallbladder", "resection open", "endoscopic resections of the gallbladder"])
def test_scores_are_those_of_bm25(index: LexicalIndex, query: str) -> None:
    """Ids and scores equal the formula's, best first."""
    expected = _bm25(query)
    ids, scores = index.search(tokens(query), 10)
    assert ids.tolist() == sorted(expected, key=lambda number: (-expected[number], number))
    assert scores.tolist() == pytest.approx([expected[number] for number in ids.tolist()], rel=1e-3)


def test_filters_work_inside_the_search(index: LexicalIndex) -> None:
    """One hit is wanted and the best of the filtered ones is given."""
    stems = tokens("gallbladder resection")
    assert index.search(stems, 1, section=SectionKind.SYNONYMS)[0].tolist() == [4]
    assert index.search(tokens("left"), 1, CodeSystem.HCPCS, CodeKind.MODIFIER)[0].tolist() == [3]
    assert index.search(tokens("left"), 1, CodeSystem.HCPCS, CodeKind.PROCEDURE)[0].tolist() == []


def test_a_filter_changes_no_score(index: LexicalIndex) -> None:
    """The same passage has the same score with and without a filter."""
    plain = dict(zip(*index.search(tokens("resection"), 10), strict=True))
    filtered = dict(zip(*index.search(tokens("resection"), 10, CodeSystem.ICD10PCS), strict=True))
    assert filtered == pytest.approx(plain)


def test_what_too_many_codes_share_is_found_only_by_its_section(index: LexicalIndex) -> None:
    """A broad passage answers when its section is asked for."""
    assert 5 not in index.search(tokens("appendix"), 10)[0].tolist()
    assert index.search(tokens("appendix"), 10, section=SectionKind.PURPOSE)[0].tolist() == [5]


def test_no_word_finds_nothing(index: LexicalIndex) -> None:
    """A query of stop words only is empty."""
    assert index.search(tokens("of the"), 10)[0].tolist() == []


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    """What is no index is an error, not an empty index."""
    with pytest.raises(ValueError, match=r"meta\.json"):
        LexicalIndex(tmp_path)
