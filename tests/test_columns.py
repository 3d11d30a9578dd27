"""The columns that ranking reads, over four small documents; coverage worked out by hand."""

from __future__ import annotations

from dataclasses import replace
from math import log
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from index.attributes import ATTRIBUTES, NAMES
from index.columns import VALUES, Columns, write
from index.passages import MAX_CHARACTERS, character_text, make_passages
from index.records import Character, CodeSystem, Document, Passage, SectionKind

OPEN = (
    Character("Section", "0", "Medical and Surgical"),
    Character("Body System", "F", "Hepatobiliary System and Pancreas"),
    Character("Operation", "T", "Resection", definition="Cutting out all of a body part"),
    Character("Body Part", "4", "Gallbladder"),
    Character("Approach", "0", "Open", definition="Cutting through the skin"),
    Character("Device", "Z", "No Device"),
    Character("Qualifier", "Z", "No Qualifier"),
)
THROUGH = (*OPEN[:4], Character("Approach", "3", "Percutaneous", definition="Entry by puncture"), *OPEN[5:])

# Stems of the titles: resect gallbladd open approach | resect gallbladd percutan approach | none | left walker.
DOCUMENTS = (
    Document(CodeSystem.ICD10PCS, "0FT40ZZ", "Resection of Gallbladder, Open Approach", characters=OPEN),
    Document(CodeSystem.ICD10PCS, "0FT43ZZ", "Resection of Gallbladder, Percutaneous Approach", characters=THROUGH),
    Document(CodeSystem.HCPCS, "A0001", "of the"),
    Document(CodeSystem.HCPCS, "E0143", "Left walker, left"),
)
PASSAGES = make_passages(DOCUMENTS)

# A stem's weight is ln(1 + (N - n + 0.5) / (n + 0.5)), N = 4 titles of which n hold it.
IN_TWO = log(1 + 2.5 / 2.5)
IN_ONE = log(1 + 3.5 / 1.5)
TITLE = 3 * IN_TWO + IN_ONE  # what either of the first two titles weighs


@pytest.fixture(scope="module")
def columns(tmp_path_factory: pytest.TempPathFactory) -> Columns:
    """The columns of `DOCUMENTS`, written and read back."""
    return _columns(tmp_path_factory.mktemp("columns"), DOCUMENTS, PASSAGES)


def _columns(folder: Path, documents: tuple[Document, ...], passages: list[Passage]) -> Columns:
    write(folder, documents, passages)
    return Columns(folder)


def _positions(*positions: int) -> NDArray[np.int64]:
    return np.array(positions, dtype=np.int64)


def _coverage(columns: Columns, documents: tuple[int, ...], *stems: str) -> tuple[list[float], list[float]]:
    [(in_query, in_title)] = columns.coverage(_positions(*documents), stems)
    assert in_query.dtype == in_title.dtype == np.float32
    return in_query.tolist(), in_title.tolist()


def test_coverage_is_the_weight_of_the_stems_that_both_have(columns: Columns) -> None:
    """“Gallbladder open”: the open title holds both stems, the percutaneous one the first, the walker none."""
    query = IN_TWO + IN_ONE
    in_query, in_title = _coverage(columns, (0, 1, 3), "gallbladd", "open")
    assert in_query == pytest.approx([1, IN_TWO / query, 0])
    assert in_title == pytest.approx([query / TITLE, IN_TWO / TITLE, 0])


def test_a_stem_that_no_title_holds_weighs_as_the_rarest(columns: Columns) -> None:
    """“Knee” is in no title, so the query weighs what “gallbladder” and a stem of one title do."""
    in_query, in_title = _coverage(columns, (0,), "gallbladd", "knee")
    assert in_query == pytest.approx([IN_TWO / (IN_TWO + IN_ONE)])
    assert in_title == pytest.approx([IN_TWO / TITLE])


def test_a_stem_counts_once_in_the_query_and_in_the_title(columns: Columns) -> None:
    """“Left walker, left” is two stems, and saying “left” twice is saying it once."""
    in_query, in_title = _coverage(columns, (3,), "left", "left", "walker", "knee", "knee")
    assert in_query == pytest.approx([2 / 3])
    assert in_title == pytest.approx([1])


def test_a_title_without_words_covers_nothing(columns: Columns) -> None:
    """Wherever it stands among the documents, and the others keep theirs."""
    in_query, in_title = _coverage(columns, (2, 3, 2), "walker")
    assert (in_query, in_title) == ([0, 1, 0], [0, 0.5, 0])
    assert _coverage(columns, (2,), "walker") == ([0], [0])


def test_coverage_follows_the_order_of_the_documents_asked_for(columns: Columns) -> None:
    """Any order, with repetitions."""
    in_query, _ = _coverage(columns, (1, 0, 3, 1), "percutan")
    assert in_query == pytest.approx([1, 0, 0, 1])


def test_a_query_without_stems_covers_nothing(columns: Columns) -> None:
    """And nothing is divided by zero."""
    assert _coverage(columns, (0, 3)) == ([0, 0], [0, 0])


def test_no_documents_have_no_coverage(columns: Columns) -> None:
    """Two empty arrays."""
    assert _coverage(columns, (), "knee") == ([], [])


def test_several_queries_are_covered_as_each_alone(columns: Columns) -> None:
    """In one call, in their order."""
    queries: list[list[str]] = [["gallbladd", "open"], ["walker", "knee"], []]
    together = columns.coverage(_positions(0, 1, 2, 3), *queries)
    for (in_query, in_title), stems in zip(together, queries, strict=True):
        assert (in_query.tolist(), in_title.tolist()) == _coverage(columns, (0, 1, 2, 3), *stems)


def test_attributes_are_the_places_of_their_values_from_one(columns: Columns) -> None:
    """Open, percutaneous, and no biopsy for the codes with characters; left for the walker; all else 0."""
    expected = np.zeros((4, len(NAMES)), dtype=np.uint8)
    for row, name, value in (
        (0, "approach", "open"),
        (0, "biopsy", "without biopsy"),
        (1, "approach", "percutaneous"),
        (1, "biopsy", "without biopsy"),
        (3, "laterality", "left"),
    ):
        expected[row, NAMES.index(name)] = list(ATTRIBUTES[name]).index(value) + 1
    assert columns.attributes.tolist() == expected.tolist()


def test_characters_are_the_passages_that_tell_of_them(columns: Columns) -> None:
    """Codes that share a value share its passage; a code without characters has none."""
    for row, characters in ((0, OPEN), (1, THROUGH)):
        told = [PASSAGES[number] for number in columns.characters[row].tolist()]
        assert [passage.text for passage in told] == [character_text(character) for character in characters]
        assert {passage.section for passage in told} == {SectionKind.CHARACTERS}
    assert columns.characters[2:].tolist() == [[-1] * 7, [-1] * 7]


def test_a_long_character_is_told_by_its_first_piece(tmp_path: Path) -> None:
    """What a passage can't hold stands in the next one."""
    many = tuple(f"term number {number}" for number in range(100))
    document = replace(DOCUMENTS[0], characters=(*OPEN[:3], replace(OPEN[3], includes=many), *OPEN[4:]))
    passages = make_passages([document])
    told = passages[_columns(tmp_path, (document,), passages).characters[0, 3]]
    assert told.text.startswith("Gallbladder: term number 0;")
    assert len(told.text) <= MAX_CHARACTERS


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("nothing", ["No Device", "No Qualifier"]),
        ("open", ["Open: Cutting through the skin"]),
        ("percutaneous", ["Percutaneous: Entry by puncture"]),
    ],
)
def test_values_that_ranking_tells_apart_are_known_by_their_label(
    columns: Columns, value: str, expected: list[str]
) -> None:
    """Among characters only: titles and other texts have none."""
    every = np.arange(len(PASSAGES))
    marked = columns.is_value(value, every)
    assert [PASSAGES[number].text for number in np.flatnonzero(marked).tolist()] == expected
    assert columns.is_value(value, every[::-1]).tolist() == marked[::-1].tolist()
    assert value in VALUES


def test_no_documents_are_columns_too(tmp_path: Path) -> None:
    """Written and read like any other."""
    columns = _columns(tmp_path, (), [])
    assert (columns.attributes.shape, columns.characters.shape) == ((0, len(NAMES)), (0, 7))
    assert _coverage(columns, (), "knee") == ([], [])
