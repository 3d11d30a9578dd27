"""Documents to passages."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from index.passages import MAX_CHARACTERS, make_passages, split
from index.records import Character, CodeKind, CodeSystem, Document, Policy, Section, SectionKind, Synonym


def _document(code: str, **fields: object) -> Document:
    return Document(CodeSystem.CPT, code, fields.pop("title", f"Title {code}"), **fields)  # type: ignore[arg-type]


def test_equal_texts_become_one_passage_of_all_their_codes() -> None:
    """A section text of two codes is one passage that names both."""
    section = Section(SectionKind.RISKS, "Risks and Complications", "- Bleeding")
    passages = make_passages([_document("10000", sections=(section,)), _document("10001", sections=(section,))])
    assert [(passage.section, passage.text, passage.documents) for passage in passages] == [
        (SectionKind.TITLE, "Title 10000", (0,)),
        (SectionKind.RISKS, "- Bleeding", (0, 1)),
        (SectionKind.TITLE, "Title 10001", (1,)),
    ]


def test_kinds_of_codes_never_share_a_passage() -> None:
    """A modifier with a procedure's title has a passage of its own, so that a filter by kind is exact."""
    passages = make_passages([_document("10000", title="Left"), _document("LT", title="Left", kind=CodeKind.MODIFIER)])
    assert [(passage.kind, passage.documents) for passage in passages] == [
        (CodeKind.PROCEDURE, (0,)),
        (CodeKind.MODIFIER, (1,)),
    ]


def test_all_that_a_document_says_is_searchable() -> None:
    """Title, synonyms, sections, policies and characters each give a passage in their own section."""
    document = _document(
        "10000",
        synonyms=(Synonym("Other name", "page"),),
        sections=(Section(SectionKind.SUMMARY, "Summary", "Short"),),
        policies=(Policy("A policy", text="What it covers."),),
        characters=(Character("Approach", "3", "Percutaneous", "Through the skin"),),
    )
    assert [(passage.section.value, passage.text) for passage in make_passages([document])] == [
        ("title", "Title 10000"),
        ("synonyms", "Other name"),
        ("summary", "Short"),
        ("policies", "A policy. What it covers."),
        ("characters", "Percutaneous: Through the skin"),
    ]


@given(st.text(alphabet="ab .\n", max_size=4000))
def test_splitting_loses_no_word(text: str) -> None:
    """The pieces hold all words in order, and none is longer than the limit."""
    pieces = split(text)
    assert "".join("".join(pieces).split()) == "".join(text.split())
    assert all(0 < len(piece) <= MAX_CHARACTERS for piece in pieces)
