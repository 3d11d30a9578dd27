"""Documents composed from what several files of a release say of them."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from index.compose import compose
from index.records import Attribute, Character, CodeKind, CodeSystem, Document, Section, SectionKind, Synonym
from index.sources import Reading, read
from index.sources.hcpcs_layout import Meanings
from index.sources.icd10pcs_definitions import Definitions
from index.sources.icd10pcs_index import Index, IndexTerm, Use
from index.sources.icd10pcs_tables import Tables

SECTION = Character("Section", "0", "Medical and Surgical")
LOWER_BONES = Character("Body System", "Q", "Lower Bones")
SUPPLEMENT = Character("Operation", "U", "Supplement", "Putting in material that reinforces a body part")
SACRUM = Character("Body Part", "1", "Sacrum", includes=("Sacral ala", "Os sacrum"))
PERCUTANEOUS = Character("Approach", "3", "Percutaneous", "Entry, by puncture, of instrumentation")
SUBSTITUTE = Character("Device", "J", "Synthetic Substitute", includes=("Bone cement",))
NO_QUALIFIER = Character("Qualifier", "Z", "No Qualifier")

MEANINGS = Meanings(
    "HCPC2026_recordlayout.txt",
    {
        "Coverage": {"D": "Special instructions"},
        "Pricing indicator": {"32": "Rented", "00": "Not priced by itself"},
        "BETOS": {"D1E": "Other equipment"},
    },
)


@pytest.fixture(scope="module")
def readings(releases: Path) -> list[Reading]:
    """The readings of all ICD-10-PCS files of the small release."""
    return [read(path, strict=False) for path in sorted(releases.iterdir()) if "HCPC" not in path.name]


@pytest.fixture(scope="module")
def documents(readings: list[Reading]) -> list[Document]:
    """The six rows of the small order file."""
    return [document for reading in readings for document in reading.documents]


@pytest.fixture(scope="module")
def facts(readings: list[Reading]) -> list[object]:
    """Definitions, index and tables of the small release."""
    told = [reading.facts for reading in readings if reading.facts is not None]
    assert [type(fact) for fact in told] == [Definitions, Index, Tables]
    return told


def _composed(documents: list[Document], facts: list[object]) -> dict[str, Document]:
    composed, problems = compose(documents, facts)
    assert problems == []
    return {document.code: document for document in composed}


def _without(facts: list[object], left_out: type) -> list[object]:
    return [fact for fact in facts if not isinstance(fact, left_out)]


def _titles(synonyms: tuple[Synonym, ...]) -> list[str]:
    return [synonym.text for synonym in synonyms]


def test_a_code_gets_the_seven_characters_it_is_made_of(documents: list[Document], facts: list[object]) -> None:
    """Labels come from the tables, what they stand for from definitions and index, else from the table."""
    assert _composed(documents, facts)["0QU13JZ"].characters == (
        SECTION,
        LOWER_BONES,
        SUPPLEMENT,
        SACRUM,
        PERCUTANEOUS,
        SUBSTITUTE,
        NO_QUALIFIER,
    )


def test_a_code_gets_sections_made_of_its_characters(documents: list[Document], facts: list[object]) -> None:
    """Summary, purpose and description tell the characters, and not that there is no qualifier or device."""
    composed = _composed(documents, facts)
    assert composed["0QU13JZ"].sections == (
        Section(
            SectionKind.SUMMARY,
            "Summary",
            "Supplement – Sacrum. A procedure of the ICD-10-PCS section Medical and Surgical, in the group Lower Bones."
            " Sacrum also stands for Sacral ala, Os sacrum.",
        ),
        Section(
            SectionKind.PURPOSE,
            "Purpose",
            "Supplement means: putting in material that reinforces a body part.",
        ),
        Section(
            SectionKind.DESCRIPTION,
            "Procedure Description",
            "- Approach: Percutaneous, that is, entry, by puncture, of instrumentation\n"
            "- Device: Synthetic Substitute; for example Bone cement",
        ),
    )
    assert [section.text for section in composed["0FT40ZZ"].sections] == [
        "Resection – Gallbladder. A procedure of the ICD-10-PCS section Medical and Surgical, in the group"
        " Hepatobiliary System and Pancreas.",
        "Resection means: cutting out or off, without replacement, all of a body part."
        " Examples: Total nephrectomy, total lobectomy of lung.",
        "- Approach: Open",
    ]


def test_index_terms_are_synonyms_of_all_codes_they_lead_to(documents: list[Document], facts: list[object]) -> None:
    """A beginning of codes leads to every code and header that begins so, and to no other."""
    composed = _composed(documents, facts)
    assert {code: _titles(document.synonyms) for code, document in composed.items() if document.synonyms} == {
        "0FT40ZZ": ["Cholecystectomy", "Gallbladder removal"],
        "0FT44ZZ": ["Cholecystectomy", "Gallbladder removal"],
        "0QU": ["Reinforcement, Bone"],
        "0QU10JZ": ["Reinforcement, Bone"],
        "0QU13JZ": ["Reinforcement, Bone"],
    }
    assert composed["0QU"].synonyms == (Synonym("Reinforcement, Bone", "ICD-10-PCS index 2025, for the table 0QU"),)


def test_headers_tell_their_tables_and_those_above_tables_are_added(
    documents: list[Document], facts: list[object]
) -> None:
    """A table's header lists the values of its axes; section and body system get headers of their own."""
    composed = _composed(documents, facts)
    headers = {code: document.title for code, document in composed.items() if document.kind is CodeKind.HEADER}
    assert headers == {
        "0": "Medical and Surgical",
        "0F": "Medical and Surgical, Hepatobiliary System and Pancreas",
        "0FT": "Hepatobiliary System and Pancreas, Resection",
        "0Q": "Medical and Surgical, Lower Bones",
        "0QU": "Lower Bones, Supplement",
    }
    assert composed["0QU"].sections == (
        Section(
            SectionKind.SUMMARY,
            "Summary",
            "Codes that begin with 0QU: Supplement in the group Lower Bones, section Medical and Surgical.\n"
            "- Body Part: Sacrum\n"
            "- Approach: Open, Percutaneous\n"
            "- Device: Synthetic Substitute\n"
            "- Qualifier: No Qualifier",
        ),
    )
    assert composed["0Q"].sections == ()


def test_a_table_that_the_order_file_has_no_header_for_gets_one(documents: list[Document], facts: list[object]) -> None:
    """Its title is put together from body system and operation."""
    composed = _composed([document for document in documents if document.code != "0QU"], facts)
    assert (composed["0QU"].kind, composed["0QU"].title) == (CodeKind.HEADER, "Lower Bones, Supplement")


def test_without_tables_there_are_synonyms_alone(documents: list[Document], facts: list[object]) -> None:
    """The order file and the index give titles and synonyms, without characters, sections or added headers."""
    composed = _composed(documents, _without(facts, Tables))
    assert list(composed) == ["0FT", "0FT40ZZ", "0FT44ZZ", "0QU", "0QU10JZ", "0QU13JZ"]
    assert all((document.characters, document.sections) == ((), ()) for document in composed.values())
    assert _titles(composed["0FT40ZZ"].synonyms) == ["Cholecystectomy", "Gallbladder removal"]


def test_without_definitions_the_tables_and_the_index_tell_what_they_can(
    documents: list[Document], facts: list[object]
) -> None:
    """An operation has its table's definition, and a body part the terms that the index has for it."""
    composed = _composed(documents, _without(facts, Definitions))
    assert composed["0QU13JZ"].characters == (
        SECTION,
        LOWER_BONES,
        SUPPLEMENT,
        Character("Body Part", "1", "Sacrum", includes=("Os sacrum",)),
        Character("Approach", "3", "Percutaneous"),
        Character("Device", "J", "Synthetic Substitute"),
        NO_QUALIFIER,
    )


def test_without_an_index_there_are_no_synonyms(documents: list[Document], facts: list[object]) -> None:
    """Characters then have the terms of the definitions alone."""
    composed = _composed(documents, _without(facts, Index))
    assert all(document.synonyms == () for document in composed.values())
    assert composed["0QU13JZ"].characters[3] == Character("Body Part", "1", "Sacrum", includes=("Sacral ala",))


def test_without_any_fact_documents_stay_as_they_are(documents: list[Document]) -> None:
    """An order file alone is an index of its titles."""
    assert compose(documents, []) == (documents, [])


def test_tables_that_contradict_the_order_file_are_reported_both_ways(
    documents: list[Document], facts: list[object]
) -> None:
    """Codes that only one of the two has are counted and named; a code that is no longer valid is none of them."""
    listed = [document for document in documents if document.code != "0FT44ZZ"]
    listed += [
        Document(CodeSystem.ICD10PCS, "0FT4FZZ", "Resection of Gallbladder, Percutaneous Endoscopic Assistance"),
        Document(CodeSystem.ICD10PCS, "0FT47ZZ", "Resection of Gallbladder, Via Opening", terminated=date(2025, 9, 30)),
    ]
    composed, problems = compose(listed, facts)
    assert [str(problem) for problem in problems] == [
        "icd10pcs_tables_2026.xml: 1 codes of the order file are in no row of these tables, such as 0FT4FZZ",
        "icd10pcs_tables_2026.xml: 1 codes of these tables are not in the order file, such as 0FT44ZZ",
    ]
    held = {document.code: document for document in composed}
    assert "0FT44ZZ" not in held
    assert held["0FT4FZZ"].characters == ()


def test_index_terms_that_lead_to_no_code_are_reported(documents: list[Document]) -> None:
    """A term none of whose beginnings is that of a code is counted and named, with where it leads."""
    index = Index(
        "icd10pcs_index_2025.xml",
        "2025",
        (
            IndexTerm("Levitation, Ring", ("0XX", "0XY", "0XZ")),
            IndexTerm("Resection", ("0FT4", "0XX")),
            IndexTerm("Sneezing", ("9ZZ",)),
        ),
        (),
    )
    composed, problems = compose(documents, [index])
    assert [str(problem) for problem in problems] == [
        "icd10pcs_index_2025.xml: 2 terms lead to codes that the order file does not hold,"
        " such as Levitation, Ring (0XX, 0XY); Sneezing (9ZZ)"
    ]
    assert [document.code for document in composed if document.synonyms] == ["0FT40ZZ", "0FT44ZZ"]


def test_a_term_for_another_table_is_not_used(documents: list[Document], facts: list[object]) -> None:
    """A use that names a table speaks for that table's values alone, and a term that is known is not repeated."""
    uses = (
        Use("Sacral bone", "Sacrum", "0QU"),
        Use("Sacral canal", "Sacrum", "0QS"),
        Use("sacral ALA", "Sacrum"),
        Use("Gluefix", "Synthetic Substitute in Lower Bones"),
    )
    index = Index("icd10pcs_index_2025.xml", "2025", (), uses)
    composed = _composed(documents, [*_without(facts, Index), index])
    assert composed["0QU13JZ"].characters[3].includes == ("Sacral ala", "Sacral bone")
    assert composed["0QU13JZ"].characters[5].includes == ("Bone cement", "Gluefix")


def test_a_section_names_twelve_terms_and_counts_the_others(documents: list[Document], facts: list[object]) -> None:
    """Of fourteen terms the summary tells twelve, and the character all."""
    terms = [f"Bone {letter}" for letter in "ABCDEFGHIJKLMN"]
    index = Index("icd10pcs_index_2025.xml", "2025", (), tuple(Use(term, "Sacrum") for term in terms))
    document = _composed(documents, [*(fact for fact in facts if isinstance(fact, Tables)), index])["0QU13JZ"]
    assert document.characters[3].includes == tuple(terms)
    assert document.sections[0].text.endswith(
        " Sacrum also stands for Bone A, Bone B, Bone C, Bone D, Bone E, Bone F, Bone G, Bone H, Bone I, Bone J,"
        " Bone K, Bone L and 2 more."
    )


def test_hcpcs_values_get_their_meanings_and_codes_their_group() -> None:
    """Attributes keep their values beside what they mean, behind the group; the section tells what is known."""
    document = Document(
        CodeSystem.HCPCS,
        "E0601",
        "Airway pressure device",
        attributes=(
            Attribute("Pricing indicator", "32"),
            Attribute("Pricing indicator", "00"),
            Attribute("Coverage", "D"),
            Attribute("BETOS", "D1E"),
            Attribute("Action", "N"),
        ),
    )
    (composed,), problems = compose([document], [MEANINGS])
    assert problems == []
    assert composed.attributes == (
        Attribute("Group", "Durable medical equipment"),
        Attribute("Pricing indicator", "32", "Rented"),
        Attribute("Pricing indicator", "00", "Not priced by itself"),
        Attribute("Coverage", "D", "Special instructions"),
        Attribute("BETOS", "D1E", "Other equipment"),
        Attribute("Action", "N"),
    )
    assert composed.sections == (
        Section(
            SectionKind.SUMMARY,
            "Summary",
            "A code of HCPCS Level II in the group durable medical equipment."
            " Medicare's statistics class it as other equipment.",
        ),
        Section(
            SectionKind.OTHER,
            "Coverage and payment",
            "- Coverage: Special instructions\n"
            "- Pricing indicator: Rented; Not priced by itself\n"
            "- BETOS: Other equipment",
        ),
    )


@pytest.mark.parametrize(
    ("code", "group"),
    [
        ("A0021", "Ambulance and other medical transport"),
        ("A4199", "Skin substitutes, not otherwise specified"),
        ("A4200", "Medical and surgical supplies"),
        ("G0105", "Procedures and professional services"),
        ("V5364", "Hearing, speech and language services"),
    ],
)
def test_an_hcpcs_code_is_in_the_group_that_begins_at_or_before_it(code: str, group: str) -> None:
    """A group goes from its first code to the one before the next group's first."""
    (composed,), _ = compose([Document(CodeSystem.HCPCS, code, "A title")], [])
    assert composed.attributes == (Attribute("Group", group),)
    assert [section.heading for section in composed.sections] == ["Summary"]


def test_an_hcpcs_modifier_has_no_group() -> None:
    """A modifier is told to be one, and belongs to no group of codes."""
    (composed,), _ = compose([Document(CodeSystem.HCPCS, "LT", "Left side", CodeKind.MODIFIER)], [MEANINGS])
    assert composed.attributes == ()
    assert [section.text for section in composed.sections] == [
        "A modifier of HCPCS Level II. It is reported with another code and says how that service differed."
    ]


def test_systems_are_composed_apart(documents: list[Document], facts: list[object]) -> None:
    """Documents of all systems come back, CPT first, each with what is said of its own system."""
    composed, problems = compose(
        [*documents, Document(CodeSystem.HCPCS, "E0601", "Device"), Document(CodeSystem.CPT, "22510", "Title")],
        [*facts, MEANINGS],
    )
    assert problems == []
    assert [document.code for document in composed[:2]] == ["22510", "E0601"]
    # The six rows of the order file and the three headers above its tables.
    assert [document.system for document in composed[2:]] == [CodeSystem.ICD10PCS] * 9
