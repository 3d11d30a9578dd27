"""Documents and passages come back from disk as they went in."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pytest

from index.passages import make_passages
from index.records import (
    Action,
    Attribute,
    Change,
    Character,
    CodeKind,
    CodeSystem,
    Document,
    Policy,
    Section,
    SectionKind,
    Synonym,
)
from index.store import DocumentStore, PassageStore, write_documents, write_passages

SHARED = Section(SectionKind.RISKS, "Risks and Complications", "- Bleeding\n- Ménière’s disease")
FULL = Document(
    CodeSystem.CPT,
    "0200T",
    "Sacroplasty, unilateral",
    short_title="Sacroplasty",
    sections=(SHARED, Section(SectionKind.OTHER, "Pearls", "One")),
    synonyms=(Synonym("cementing", "page"),),
    characters=(Character("Approach", "3", "Percutaneous", "Through the skin", "", ("needle",)),),
    attributes=(Attribute("Coverage", "D", "Special"),),
    policies=(Policy("A policy", "Medicare", "NCD 1.1", "", date(2020, 1, 2)),),
    similar=("0201T",),
    history=(Change(Action.REVISED, "2026", date(2026, 1, 1), "Old title"),),
    effective=date(2009, 7, 1),
    terminated=date(2026, 12, 31),
    sources=("A source",),
)
BARE = Document(CodeSystem.CPT, "0201T", "Sacroplasty, bilateral", sections=(SHARED,))
HEADER = Document(CodeSystem.ICD10PCS, "0QU", "Lower Bones, Supplement", CodeKind.HEADER)
CODE = Document(CodeSystem.ICD10PCS, "0QU13JZ", "Supplement Sacrum")
DOCUMENTS = [FULL, BARE, HEADER, CODE]


@pytest.fixture(scope="module")
def documents(tmp_path_factory: pytest.TempPathFactory) -> DocumentStore:
    """The four documents, read back."""
    folder = tmp_path_factory.mktemp("documents")
    write_documents(folder, DOCUMENTS)
    return DocumentStore(folder)


@pytest.fixture(scope="module")
def passages(tmp_path_factory: pytest.TempPathFactory) -> PassageStore:
    """Their passages, read back."""
    folder = tmp_path_factory.mktemp("passages")
    write_passages(folder, make_passages(DOCUMENTS))
    return PassageStore(folder)


def test_documents_come_back_whole(documents: DocumentStore) -> None:
    """Every field of every document is as it was."""
    assert [documents[position] for position in range(len(documents))] == DOCUMENTS


def test_a_brief_document_lacks_only_what_is_shared(documents: DocumentStore) -> None:
    """Titles, policies, dates and history are there without the shared records."""
    brief = documents.brief(0)
    assert (brief.title, brief.policies, brief.history) == (FULL.title, FULL.policies, FULL.history)
    assert (brief.sections, brief.synonyms, brief.characters) == ((), (), ())


def test_codes_are_found_whole_and_by_their_beginning(documents: DocumentStore) -> None:
    """0QU finds the header itself; what begins so is header and code, of that system only."""
    assert documents.find(CodeSystem.ICD10PCS, "0QU") == 2
    assert documents.find(CodeSystem.ICD10PCS, "0Q") is None
    assert documents.find(CodeSystem.CPT, "0QU") is None
    assert list(documents.starting_with(CodeSystem.ICD10PCS, "0QU")) == [2, 3]
    assert list(documents.starting_with(CodeSystem.CPT, "020")) == [0, 1]
    assert list(documents.starting_with(CodeSystem.HCPCS, "")) == []


@pytest.mark.parametrize(
    ("day", "valid"),
    [(date(2009, 6, 30), False), (date(2009, 7, 1), True), (date(2026, 12, 31), True), (date(2027, 1, 1), False)],
)
def test_a_code_is_valid_from_its_first_to_its_last_day(documents: DocumentStore, day: date, valid: bool) -> None:
    """Both days are included; a code without dates is always valid."""
    assert documents.valid(day).tolist() == [valid, True, True, True]


def test_documents_with_a_history_are_listed(documents: DocumentStore) -> None:
    """Only the first has one."""
    assert documents.changed.tolist() == [0]


def test_a_passage_names_the_codes_that_share_it(passages: PassageStore) -> None:
    """The documents of several passages come one after the other, with the start of each."""
    shared = next(number for number in range(len(passages)) if passages.text(number) == SHARED.text)
    title = int(passages.titles[3])
    found, starts = passages.documents(np.array([shared, title]))
    assert (found.tolist(), starts.tolist()) == ([0, 1, 3], [0, 2, 3])
    assert passages.text(title) == CODE.title
    assert passages.section_of(shared) is SectionKind.RISKS


def test_filters_combine(passages: PassageStore) -> None:
    """System, kind and section each narrow what passes."""
    allowed = passages.allowed(CodeSystem.ICD10PCS, CodeKind.HEADER, None)
    assert [passages.text(number) for number in np.flatnonzero(allowed).tolist()] == [HEADER.title]
    allowed = passages.allowed(CodeSystem.CPT, None, SectionKind.SYNONYMS)
    assert [passages.text(number) for number in np.flatnonzero(allowed).tolist()] == ["cementing"]
    assert passages.allowed(None, None, None).all()


def test_an_empty_store_opens(tmp_path: Path) -> None:
    """No document and no passage is not an error."""
    write_documents(tmp_path, [])
    write_passages(tmp_path, [])
    assert (len(DocumentStore(tmp_path)), len(PassageStore(tmp_path))) == (0, 0)
