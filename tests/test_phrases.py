"""The phrase book over a handful of documents: which codes an entry names, and what comes back from disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from index.phrases import LONGEST, CodeLists, Named, Phrase, PhraseBook, collect, expand, is_exact, with_names, write
from index.records import THESAURUS, CodeKind, CodeSystem, Document, Synonym
from index.sources.thesaurus import Entry, EntryKind, Thesaurus

CPT, HCPCS, PCS = CodeSystem.CPT, CodeSystem.HCPCS, CodeSystem.ICD10PCS

# In no order, as a build may hand them over: positions 0 to 7.
DOCUMENTS = (
    Document(PCS, "0FT44ZZ", "Resection of Gallbladder, Percutaneous Endoscopic Approach"),
    Document(PCS, "0FT40ZZ", "Resection of Gallbladder, Open Approach"),
    Document(PCS, "0QU13JZ", "Supplement Sacrum with Synthetic Substitute, Percutaneous Approach"),
    Document(PCS, "0FT", "Hepatobiliary System and Pancreas, Resection", CodeKind.HEADER),
    Document(HCPCS, "E0470", "Respiratory assist device, without backup rate"),
    Document(HCPCS, "E0472", "Respiratory assist device, invasive"),
    Document(HCPCS, "E0471", "Respiratory assist device, with backup rate"),
    Document(HCPCS, "LT", "Left side", CodeKind.MODIFIER),
)


def _entry(
    phrase: str,
    *groups: str,
    kind: EntryKind = EntryKind.LAY,
    system: CodeSystem | None = PCS,
    words: str = "",
    other: str = "",
) -> Entry:
    return Entry(2, phrase, kind, system, tuple(tuple(group.split()) for group in groups), words, other)


def _collect(*entries: Entry, documents: tuple[Document, ...] = DOCUMENTS) -> list[tuple[Phrase, Named]]:
    return collect(documents, [Thesaurus("words.txt", entries)])[0]


@pytest.mark.parametrize(
    ("system", "pattern", "expected"),
    [
        (PCS, "0FT44ZZ", [0]),
        (PCS, "0FT4", [1, 0]),  # in code order: 0FT40ZZ, 0FT44ZZ
        (PCS, "0FT4[48]ZZ", [0]),
        (PCS, "0FT4[04]ZZ", [1, 0]),
        (PCS, "[01]FT4", [1, 0]),
        (PCS, "0FT4.ZZ", [1, 0]),
        (PCS, "0..4", [1, 0]),
        (PCS, "0.....Z", [1, 0, 2]),
        (PCS, "0FT4[38]", []),
        (PCS, "0FT9", []),
        (HCPCS, "E0470-E0472", [4, 6, 5]),
        (HCPCS, "E0471-E0471", [6]),
        (HCPCS, "E0472-E0470", []),
        (HCPCS, "E047", [4, 6, 5]),
        (HCPCS, "0FT44ZZ", []),
        (HCPCS, "LT", []),
        (CPT, "27447", []),
    ],
)
def test_a_pattern_stands_for_the_procedures_of_its_system(
    system: CodeSystem, pattern: str, expected: list[int]
) -> None:
    """Positions in code order; headers, modifiers and other systems' codes never."""
    assert CodeLists(DOCUMENTS).matching(system, pattern) == expected


def test_a_system_without_procedures_holds_nothing() -> None:
    """Neither one without documents nor one with a modifier alone."""
    codes = CodeLists(DOCUMENTS)
    assert [codes.holds(system) for system in (PCS, HCPCS, CPT)] == [True, True, False]
    assert not CodeLists(DOCUMENTS[7:]).holds(HCPCS)


def test_the_rank_is_that_of_the_first_pattern_that_names_a_code() -> None:
    """0FT44ZZ by the first pattern, 0FT40ZZ by the second, which names both."""
    assert expand(_entry("chole", "0FT44ZZ 0FT4"), CodeLists(DOCUMENTS)) == [(0, 0, 0), (1, 0, 1)]


def test_a_code_is_named_once_for_each_group() -> None:
    """0FT44ZZ is in both groups; 0QU13JZ is the second choice of the second."""
    named = expand(_entry("both", "0FT44ZZ", "0FT44ZZ 0QU1"), CodeLists(DOCUMENTS))
    assert named == [(0, 0, 0), (0, 1, 0), (2, 1, 1)]


def test_an_entry_of_words_names_no_document() -> None:
    """With a system or without."""
    codes = CodeLists(DOCUMENTS)
    assert expand(_entry("tailbone", words="sacrum", system=None), codes) == []
    assert expand(_entry("tailbone", words="sacrum"), codes) == []


@pytest.mark.parametrize(
    ("phrase", "kind", "expected"),
    [
        ("US", EntryKind.ABBREVIATION, True),
        ("CABG", EntryKind.ABBREVIATION, True),
        ("MRCP2", EntryKind.ABBREVIATION, False),  # longer than four
        ("lap", EntryKind.ABBREVIATION, False),  # no capital that could matter
        ("US", EntryKind.LAY, False),
        ("IT hip", EntryKind.ABBREVIATION, True),  # without the stop word it would be any hip
        ("triple A repair", EntryKind.LAY, True),
        ("removal of the hip", EntryKind.LAY, False),
    ],
)
def test_short_abbreviations_and_capital_stop_words_are_looked_up_as_written(
    phrase: str, kind: EntryKind, expected: bool
) -> None:
    """Everything else in any case of letters."""
    assert is_exact(_entry(phrase, "0FT4", kind=kind)) is expected


def test_a_phrase_carries_what_its_entry_says() -> None:
    """Stems, kind, source, system, the other meaning, how many codes are needed together, and that its case matters."""
    ((phrase, named),) = _collect(_entry("T&A", "0FT44ZZ", "0QU1", kind=EntryKind.ABBREVIATION, other="something else"))
    assert phrase == Phrase(
        "t", "T&A", "abbreviation", THESAURUS, system="icd10pcs", other="something else", groups=2, exact=True
    )
    assert named == [(0, 0, 0), (2, 1, 0)]


def test_an_entry_that_names_no_code_of_a_system_that_is_there_is_told() -> None:
    """ICD-10-PCS is there and has no 0DTJ; CPT is not there, so nothing is said of it; words need no code."""
    found, problems = collect(
        DOCUMENTS,
        [
            Thesaurus(
                "words.txt",
                (
                    _entry("appendectomy", "0DTJ"),
                    _entry("knee replacement", "27447", system=CPT),
                    _entry("tailbone", words="sacrum", system=None),
                ),
            )
        ],
    )
    assert [phrase.text for phrase, _ in found] == ["tailbone"]
    assert [str(problem) for problem in problems] == ["words.txt:2: “appendectomy” names no code of this index"]


def test_synonyms_of_procedures_are_phrases() -> None:
    """One that two codes share is one phrase; a source of its own makes another; modifiers and sentences give none."""
    shared, sentence = Synonym("Cholecystectomies", "page"), Synonym("word " * (LONGEST + 1), "page")
    documents = (
        Document(PCS, "0FT40ZZ", "x", synonyms=(shared, sentence)),
        Document(PCS, "0FT44ZZ", "x", synonyms=(Synonym("Cholecystectomies", "index 2025"), shared)),
        Document(HCPCS, "LT", "x", CodeKind.MODIFIER, synonyms=(Synonym("left", "page"),)),
        Document(PCS, "0QU13JZ", "x", synonyms=(Synonym("the", "page"),)),
    )
    assert _collect(documents=documents) == [
        (Phrase("cholecystectomi", "Cholecystectomies", "synonym", "page"), [(0, 0, 0), (1, 0, 0)]),
        (Phrase("cholecystectomi", "Cholecystectomies", "synonym", "index 2025"), [(1, 0, 0)]),
    ]


def test_names_of_the_thesaurus_become_synonyms_behind_the_others() -> None:
    """Each once, however many groups and patterns name the code; words and the codes' own synonyms add none."""
    page = Synonym("keyhole gallbladder removal", "page")
    documents = (Document(PCS, "0FT44ZZ", "x", synonyms=(page,)), Document(PCS, "0QU13JZ", "x"))
    phrases = _collect(
        _entry("lap chole", "0FT44ZZ", "0FT4"),
        _entry("gallbladder surgery", "0FT4"),
        _entry("tailbone", words="sacrum", system=None),
        documents=documents,
    )
    named, unnamed = with_names(documents, phrases)
    assert named.synonyms == (page, Synonym("lap chole", THESAURUS), Synonym("gallbladder surgery", THESAURUS))
    assert unnamed is documents[1]


def test_names_from_the_thesaurus_are_not_collected_again() -> None:
    """A document that has its names already gives no phrase for them."""
    document = Document(PCS, "0FT44ZZ", "x", synonyms=(Synonym("lap chole", THESAURUS),))
    assert _collect(documents=(document,)) == []


def test_what_was_written_is_read_back(tmp_path: Path) -> None:
    """By stems, whatever the form of the words; each phrase with its own documents, groups and ranks."""
    write(
        tmp_path,
        _collect(
            _entry("lap chole", "0FT44ZZ 0FT4"),
            _entry("gallbladder removal", "0FT4"),
            _entry("two together", "0FT40ZZ", "0FT44ZZ 0QU1"),
            _entry("tailbone", words="sacrum", system=None),
        ),
    )
    book = PhraseBook(tmp_path)
    assert len(book) == 4
    ((row, phrase),) = book.find(["lap", "chole"])
    assert phrase == Phrase("lap chole", "lap chole", "lay", THESAURUS, "icd10pcs")
    assert [array.tolist() for array in book.named(row)] == [[0, 1], [0, 0], [0, 1]]
    ((row, phrase),) = book.find(["two", "togeth"])
    assert phrase.groups == 2
    assert [array.tolist() for array in book.named(row)] == [[1, 0, 2], [0, 1, 1], [0, 0, 1]]
    ((row, phrase),) = book.find(["tailbon"])
    assert (phrase.system, phrase.words) == ("", "sacrum")
    assert [array.tolist() for array in book.named(row)] == [[], [], []]


def test_a_phrase_is_found_by_exactly_its_stems(tmp_path: Path) -> None:
    """Not by more, fewer, or others in another order."""
    write(tmp_path, _collect(_entry("gallbladder removal", "0FT4")))
    book = PhraseBook(tmp_path)
    assert [phrase.text for _, phrase in book.find(["gallbladd", "remov"])] == ["gallbladder removal"]
    for stems in ([], ["gallbladd"], ["remov", "gallbladd"], ["gallbladd", "remov", "today"]):
        assert book.find(stems) == []


def test_phrases_of_the_same_stems_are_all_found(tmp_path: Path) -> None:
    """In the order of source, then text; each with its own documents."""
    documents = (*DOCUMENTS[:3], Document(PCS, "0FT47ZZ", "x", synonyms=(Synonym("removed gallbladders", "page"),)))
    entries = (_entry("removing gallbladder", "0FT44ZZ"), _entry("remove gallbladder", "0FT40ZZ"))
    write(tmp_path, _collect(*entries, documents=documents))
    book = PhraseBook(tmp_path)
    found = book.find(["remov", "gallbladd"])
    assert [phrase.text for _, phrase in found] == [
        "removed gallbladders",
        "remove gallbladder",
        "removing gallbladder",
    ]
    assert [book.named(row)[0].tolist() for row, _ in found] == [[3], [1], [0]]


def test_an_empty_book_finds_nothing(tmp_path: Path) -> None:
    """It is written and read like any other."""
    write(tmp_path, [])
    book = PhraseBook(tmp_path)
    assert (len(book), book.find(["knee"])) == (0, [])
