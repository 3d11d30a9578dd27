"""Relevance over the real releases, when the folder of them is given; cases are data.

PROCEDURE_SEARCH_RELEASES names a folder with ICD-10-PCS (order file, tables, definitions, index) and HCPCS.
"""

from __future__ import annotations

import os
import random
from datetime import date
from pathlib import Path

import pytest

from index.build import build
from index.records import THESAURUS
from index.snapshot import open_snapshot
from search.engine import SearchEngine
from search.request import SearchRequest
from search.settings import PREFIX

RELEASES = os.environ.get(f"{PREFIX}RELEASES", "")

pytestmark = pytest.mark.skipif(not RELEASES, reason=f"{PREFIX}RELEASES names no folder of real releases")


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> SearchEngine:
    """An engine over the real releases; its home stays beside them if that can be written, for the vector cache."""
    home = Path(os.environ.get(f"{PREFIX}HOME") or tmp_path_factory.mktemp("real"))
    return SearchEngine(open_snapshot(build([Path(RELEASES)], home).folder))


# Label, query, system, the beginning that the first code must have: each says an attribute that a sibling contradicts.
CASES = (
    ("left", "left total hip replacement", "icd10pcs", "0SRB"),
    ("right", "right total knee arthroplasty", "icd10pcs", "0SRC"),
    ("right abbreviated", "R THA", "icd10pcs", "0SR9"),
    ("left abbreviated", "Lt carpal tunnel release", "icd10pcs", "01N5"),
    ("keyhole", "keyhole gallbladder removal", "icd10pcs", "0FT44"),
    ("open", "open cholecystectomy", "icd10pcs", "0FT40"),
    ("laparoscopic", "laparoscopic appendectomy", "icd10pcs", "0DTJ4"),
    ("open appendix", "open appendectomy", "icd10pcs", "0DTJ0"),
    ("drug-eluting", "drug eluting stent in one coronary artery", "icd10pcs", "027034"),
    ("count", "angioplasty of two coronary arteries with two drug eluting stents", "icd10pcs", "02713"),
    ("without contrast", "MR angiography of the abdomen without contrast", "hcpcs", "C8901"),
    ("with contrast", "MR angiography of the abdomen with contrast", "hcpcs", "C8900"),
    ("level", "L5-S1 fusion", "icd10pcs", "0SG3"),
    ("cemented", "cemented left knee replacement", "icd10pcs", "0SRD0J9"),
    ("drain", "chest tube on the right side", "icd10pcs", "0W99"),
)


@pytest.mark.parametrize(
    ("query", "system", "beginning"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_an_attribute_that_is_said_decides(engine: SearchEngine, query: str, system: str, beginning: str) -> None:
    """The first code has it."""
    answer = engine.search(SearchRequest.checked(query, system=system, limit=5))
    assert answer.hits[0].document.code.startswith(beginning), [
        (hit.document.code, hit.document.title) for hit in answer.hits
    ]


# Query, what it must reach, and the word that must be shown as the reason.
REASONS = (
    ("cholecystectomy", "0FT4"),
    ("sacroplasty", "0QU13JZ"),
    ("abdominohysterectomy", "0UT9"),
    ("TURP", "0VB0"),
    ("Whipple", "0FB"),
)


@pytest.mark.parametrize(("query", "beginning"), REASONS)
def test_a_name_reaches_codes_whose_titles_lack_it(engine: SearchEngine, query: str, beginning: str) -> None:
    """Among the first ten, with the name as evidence."""
    answer = engine.search(SearchRequest.checked(query, system="icd10pcs"))
    reached = [hit for hit in answer.hits if hit.document.code.startswith(beginning)]
    assert reached
    assert query.lower() in " ".join(passage.text for hit in reached for passage in hit.passages).lower()


def test_counts_are_those_of_the_releases(engine: SearchEngine) -> None:
    """79,115 valid ICD-10-PCS codes in 914 tables, 8,623 HCPCS codes and 383 modifiers, each with its sections."""
    snapshot = engine.snapshot
    found: dict[str, int] = {}
    for position in range(len(snapshot.documents)):
        document = snapshot.documents[position]
        active = document.terminated is None and (document.system != "icd10pcs" or document.characters)
        if document.system != "cpt" and active:
            key = f"{document.system.value} {document.kind.value}"
            found[key] = found.get(key, 0) + 1
            assert document.sections, document.code
        elif document.kind == "header" and len(document.code) == 3 and document.terminated is None:
            found["tables"] = found.get("tables", 0) + 1
    assert found == {"icd10pcs procedure": 79_115, "hcpcs procedure": 8_623, "hcpcs modifier": 383, "tables": 914}


def test_every_unambiguous_name_finds_a_code_that_it_names(engine: SearchEngine) -> None:
    """Among the first ten, for two hundred entries of the thesaurus drawn by lot."""
    phrases = engine.snapshot.phrases
    listed = [(row, phrase) for row, phrase in phrases if phrase.source == THESAURUS]
    unambiguous = [(row, phrase) for row, phrase in listed if not phrase.other and not phrase.words]
    valid = engine.snapshot.documents.valid(date.today())
    missed = []
    for row, phrase in random.Random(3).sample(unambiguous, 200):
        named = [position for position in phrases.named(row)[0].tolist() if valid[position]]
        codes = {engine.snapshot.documents.brief(position).code for position in named}
        answer = engine.search(SearchRequest.checked(phrase.text, system=phrase.system))
        if codes and not codes & {hit.document.code for hit in answer.hits}:
            missed.append((phrase.text, phrase.system))
    assert missed == []
