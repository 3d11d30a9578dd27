"""Procedure pages: the sectioned plain text, and the Markdown form."""

from __future__ import annotations

from pathlib import Path

import pytest

from index.records import BUNDLED, PAGE, CodeSystem, Document, Policy, SectionKind, Synonym
from index.sources import Reading, SourceError, pages

TEXT = """Search all medical codes

Drainage of a garden pond, with removal of one koi

CPT4 code{code}

Name of the Procedure:

Pond Drainage

Summary

A pond is drained.

The koi is kept in a bucket.

Preparation

  • Buy a bucket
  • Fill it:
    • with water
    • with weed
  • Put it in the shade

Procedure Description

  1. Open the drain.
  2. Catch the koi.

Duration

One hour

Bucket Care

Change the water every day.

Medical Policies and Guidelines for Drainage of a garden pond, with removal of one koi

Related policies from health plans

Pond insurance rule

  • Koi Mutual - Drainage of ponds

Similar Codes

22511
Pond refilling 0200T, 0QU13JZ
22511

Search all medical codes
"""

MARKDOWN = """---
system: cpt
code: "0201t"
title: Drainage of a pond
synonyms:
  - emptying a pond
policies:
  - title: Pond rule
    payer: Koi Mutual
    policy_id: "17"
    url: https://example.org/17
similar: ["0200T"]
sources: ["A book about ponds"]
---

## Summary
A pond is drained.

## Risks
- Losing the koi
  - to a heron

## Bucket care
Change the water.
"""


def _read(path: Path, text: str, *, strict: bool = False) -> Reading:
    path.write_bytes(text.encode())
    return pages.read(path, strict=strict)


def _page(path: Path, text: str) -> Document:
    (document,) = _read(path, text).documents
    return document


def _texts(document: Document) -> dict[str, str]:
    return {section.heading: section.text for section in document.sections}


def _error(path: Path, text: str, *, strict: bool = False) -> str:
    with pytest.raises(SourceError) as caught:
        _read(path, text, strict=strict)
    return str(caught.value).removeprefix(str(path))


def test_a_text_page_gives_title_sections_policies_and_similar_codes(tmp_path: Path) -> None:
    """A page's parts are each where they belong, and its furniture is nowhere."""
    reading = _read(tmp_path / "pond.txt", TEXT.format(code=" 0201T"), strict=True)
    (document,) = reading.documents
    assert (document.system, document.code) == (CodeSystem.CPT, "0201T")
    assert document.title == "Drainage of a garden pond, with removal of one koi"
    assert [(section.kind, section.heading, section.text) for section in document.sections] == [
        (SectionKind.NAME, "Name of the Procedure", "Pond Drainage"),
        (SectionKind.SUMMARY, "Summary", "A pond is drained.\n\nThe koi is kept in a bucket."),
        (
            SectionKind.PREPARATION,
            "Preparation",
            "- Buy a bucket\n- Fill it:\n  - with water\n  - with weed\n- Put it in the shade",
        ),
        (SectionKind.DESCRIPTION, "Procedure Description", "1. Open the drain.\n2. Catch the koi."),
        (SectionKind.DURATION, "Duration", "One hour"),
        (SectionKind.OTHER, "Bucket Care", "Change the water every day."),
    ]
    assert document.policies == (Policy("Pond insurance rule"), Policy("Koi Mutual - Drainage of ponds"))
    assert document.similar == ("22511", "0200T", "0QU13JZ")
    assert (reading.release.system, reading.release.version, reading.release.file) == ("cpt", PAGE, "pond.txt")
    assert reading.problems == ()


def test_empty_policies_and_similar_codes_make_no_section(tmp_path: Path) -> None:
    """A page whose policies and similar codes are empty has neither, and no section for them."""
    head, _ = TEXT.format(code="").split("Medical Policies")
    document = _page(
        tmp_path / "pond.txt",
        f"{head}Medical Policies and Guidelines for Ponds\n\nRelated policies from health plans\n\nSimilar Codes",
    )
    assert (document.policies, document.similar) == ((), ())
    assert list(_texts(document)) == [
        "Name of the Procedure",
        "Summary",
        "Preparation",
        "Procedure Description",
        "Duration",
        "Bucket Care",
    ]


@pytest.mark.parametrize(
    ("line", "name", "system", "code"),
    [
        ("CPT4 code 0201T", "pond.txt", CodeSystem.CPT, "0201T"),
        ("CPT4 code", "0201T.txt", CodeSystem.CPT, "0201T"),
        ("CPT4 code", "cpt-0201t.txt", CodeSystem.CPT, "0201T"),
        ("CPT4 code 0200T", "0201T.txt", CodeSystem.CPT, "0200T"),
        ("HCPCS code: E0601", "pond.txt", CodeSystem.HCPCS, "E0601"),
        ("HCPCS Level II code", "hcpcs-E0601.txt", CodeSystem.HCPCS, "E0601"),
        ("ICD-10-PCS code", "0QU13JZ.txt", CodeSystem.ICD10PCS, "0QU13JZ"),
        ("ICD-10-PCS code", "icd10pcs-DHYBFZZ.txt", CodeSystem.ICD10PCS, "DHYBFZZ"),
        ("CPT4 code", "pond.txt", CodeSystem.CPT, ""),
        ("CPT4 code", "E0601.txt", CodeSystem.CPT, ""),
        ("ICD-10-PCS code", "surgery.txt", CodeSystem.ICD10PCS, ""),
    ],
)
def test_the_code_is_the_lines_else_the_file_names_else_empty(
    tmp_path: Path, line: str, name: str, system: CodeSystem, code: str
) -> None:
    """The code is taken from the "… code" line, else from a file's name that has its system's shape."""
    document = _page(tmp_path / name, TEXT.replace("CPT4 code{code}", line))
    assert (document.system, document.code) == (system, code)


def test_a_short_line_below_a_heading_is_its_text(tmp_path: Path) -> None:
    """A short line on its own directly below or above a known heading is no heading of an empty section."""
    rows = ("Setting", "Hospital", "Recovery", "Rest for a week.", "No lifting", "Benefits", "Less pain")
    text = "\n\n".join(("A title", "CPT4 code", *rows))
    assert _texts(_page(tmp_path / "a.txt", text)) == {
        "Setting": "Hospital",
        "Recovery": "Rest for a week.\n\nNo lifting",
        "Benefits": "Less pain",
    }


def test_headings_known_by_another_name_get_the_pages_heading(tmp_path: Path) -> None:
    """ "Complications" and "Description:" become the sections that pages call by longer names."""
    text = "A title\nCPT4 code\nDescription:\nIt is done.\nComplications\n- Bleeding\n"
    assert [(section.kind, section.heading) for section in _page(tmp_path / "a.txt", text).sections] == [
        (SectionKind.DESCRIPTION, "Procedure Description"),
        (SectionKind.RISKS, "Risks and Complications"),
    ]


def test_blank_lines_inside_a_list_keep_its_levels(tmp_path: Path) -> None:
    """A list stays one with its levels across blank lines, and a paragraph after it stays out of it."""
    text = "A title\nCPT4 code\nRisks\n- Bleeding\n\n  - much\n\n- Pain\n\nAsk your doctor about them.\n"
    assert _texts(_page(tmp_path / "a.txt", text)) == {
        "Risks and Complications": "- Bleeding\n  - much\n- Pain\n\nAsk your doctor about them."
    }


def test_text_before_the_first_heading_is_left_out_with_its_line(tmp_path: Path) -> None:
    """What stands between the code and the first heading is complained of, and an error when strict."""
    text = "A title\n\nCPT4 code\n\nlost in between.\nSummary\nA text.\n"
    reading = _read(tmp_path / "a.txt", text)
    assert [str(problem) for problem in reading.problems] == ["a.txt:5: stands before the first heading: left out"]
    assert _texts(reading.documents[0]) == {"Summary": "A text."}
    assert _error(tmp_path / "a.txt", text, strict=True) == "a.txt:5: stands before the first heading: left out"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("Search all medical codes\n\nCPT4 code\n\nSummary\nA text.\n", ": has no title before its “CPT4 code” line"),
        ("A title\n\nCPT4 code\n\nSummary\n\n", ": has no section with a text"),
    ],
)
def test_a_text_page_without_title_or_section_is_refused(tmp_path: Path, text: str, complaint: str) -> None:
    """A page must have a title and a section with a text."""
    assert _error(tmp_path / "a.txt", text) == complaint


def test_a_page_in_windows_1252_is_read(tmp_path: Path) -> None:
    """Bytes that are no UTF-8 are read as Windows-1252, and bytes that are no text are refused."""
    path = tmp_path / "a.txt"
    path.write_bytes(b"A caf\xe9\n\nCPT4 code\n\nSummary\n\x95 One\n")
    (document,) = pages.read(path, strict=True).documents
    assert (document.title, _texts(document)) == ("A café", {"Summary": "- One"})
    path.write_bytes(b"A\x00\n\nCPT4 code\n\nSummary\nOne\n")
    with pytest.raises(SourceError, match="holds bytes that are no text in UTF-8 or Windows-1252"):
        pages.read(path, strict=False)


def test_a_markdown_page_gives_all_its_fields(tmp_path: Path) -> None:
    """Front matter and sections become a document, the code in capitals."""
    reading = _read(tmp_path / "pond.md", MARKDOWN, strict=True)
    (document,) = reading.documents
    assert (document.system, document.code, document.title) == (CodeSystem.CPT, "0201T", "Drainage of a pond")
    assert document.synonyms == (Synonym("emptying a pond", PAGE),)
    assert document.policies == (Policy("Pond rule", "Koi Mutual", "17", "https://example.org/17"),)
    assert (document.similar, document.sources) == (("0200T",), ("A book about ponds",))
    assert [(section.kind, section.heading, section.text) for section in document.sections] == [
        (SectionKind.SUMMARY, "Summary", "A pond is drained."),
        (SectionKind.RISKS, "Risks and Complications", "- Losing the koi\n  - to a heron"),
        (SectionKind.OTHER, "Bucket care", "Change the water."),
    ]


def test_fields_that_front_matter_leaves_empty_are_empty(tmp_path: Path) -> None:
    """A policy's or a page's field with nothing behind its colon is as if it were not there."""
    text = MARKDOWN.replace("https://example.org/17", "").replace('["0200T"]', "").replace('["A book about ponds"]', "")
    document = _page(tmp_path / "pond.md", text)
    assert document.policies == (Policy("Pond rule", "Koi Mutual", "17"),)
    assert (document.similar, document.sources) == ((), ())


def test_a_markdown_page_with_windows_line_ends_reads_the_same(tmp_path: Path) -> None:
    """CRLF changes nothing of the document."""
    crlf = MARKDOWN.replace("\n", "\r\n")
    assert pages.recognise(tmp_path / "a.md", crlf.encode())
    assert _page(tmp_path / "a.md", crlf) == _page(tmp_path / "b.md", MARKDOWN)


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("---\nsystem", "system", ":1: expected front matter between two lines of “---”"),
        ("title: Drainage of a pond\n", "", ": front matter must hold system, code and title"),
        (
            "sources:",
            "source:",
            ": front matter has 'source', expected only system, code, title, synonyms, policies, similar, sources",
        ),
        ("system: cpt", "system: snomed", ": got system 'snomed', expected cpt, hcpcs or icd10pcs"),
        ('code: "0201t"', "code: 22510", ": got code 22510, expected a text (quote a code of digits)"),
        ("title: Drainage of a pond", "title:", ": got title None, expected a text (quote a code of digits)"),
        ('["0200T"]', "[22510]", ": similar must be a list of texts (quote codes of digits)"),
        ("synonyms:\n  - emptying", "synonyms: emptying", ": synonyms must be a list of texts (quote codes of digits)"),
        ('["A book about ponds"]', "5", ": sources must be a list of texts (quote codes of digits)"),
        (
            "  - title: Pond rule\n    payer",
            "  - payer",
            ": policies must be a list of entries with at least a title, all texts (quote an id of digits)",
        ),
        (
            "title: Pond rule",
            "title:",
            ": policies must be a list of entries with at least a title, all texts (quote an id of digits)",
        ),
        (
            'policy_id: "17"',
            "policy_id: 17",
            ": policies must be a list of entries with at least a title, all texts (quote an id of digits)",
        ),
    ],
)
def test_front_matter_that_is_wrong_is_refused(tmp_path: Path, old: str, new: str, complaint: str) -> None:
    """A field that is missing, unknown or not of its form ends the reading with what was got."""
    assert old in MARKDOWN
    assert _error(tmp_path / "pond.md", MARKDOWN.replace(old, new)) == complaint


def test_front_matter_that_is_no_yaml_is_refused_with_its_line(tmp_path: Path) -> None:
    """The message names the file's line, and a date that is none is no crash."""
    broken = MARKDOWN.replace('["0200T"]', '["0200T"')
    # The list opened in line 12 lacks its end when the next key comes in line 13.
    assert _error(tmp_path / "pond.md", broken).startswith(":13: front matter is no YAML: ")
    assert "is no YAML: day is out of range" in _error(tmp_path / "pond.md", MARKDOWN.replace('"0201t"', "2026-02-30"))


def test_an_empty_section_and_early_text_are_left_out_with_their_lines(tmp_path: Path) -> None:
    """Each complaint names the line that it is about, that of an empty section its heading's."""
    text = '---\nsystem: cpt\ncode: "12345"\ntitle: A\n---\nearly\n## Summary\n\n## Risks\nSome.\n\n## Benefits\n'
    reading = _read(tmp_path / "a.md", text)
    assert [str(problem) for problem in reading.problems] == [
        "a.md:6: stands before the first heading: left out",
        "a.md:7: section 'Summary' is empty: left out",
        "a.md:12: section 'Benefits' is empty: left out",
    ]
    assert _texts(reading.documents[0]) == {"Risks and Complications": "Some."}
    assert _error(tmp_path / "a.md", text, strict=True) == "a.md:6: stands before the first heading: left out"


def test_a_markdown_page_without_sections_is_refused(tmp_path: Path) -> None:
    """Front matter alone is no page."""
    text = MARKDOWN[: MARKDOWN.index("## Summary")]
    assert _error(tmp_path / "a.md", text) == ": has no “## ” section with a text"


def test_the_bundled_corpus_is_read_without_a_complaint() -> None:
    """Every page of the project's own corpus reads strictly, and says that it is bundled."""
    readings = [pages.read(path, strict=True) for path in sorted(pages.BUNDLED_CORPUS.glob("*.md"))]
    assert readings
    assert {reading.release.version for reading in readings} == {BUNDLED}
    for reading in readings:
        (document,) = reading.documents
        assert reading.release.file == f"{document.system}-{document.code}.md"


@pytest.mark.parametrize(
    ("name", "head", "is_page"),
    [
        ("a.md", b"---\nsystem: cpt", True),
        ("a.md", b"# A heading", False),
        ("a.txt", b"A title\n\nCPT4 code\n", True),
        ("a.txt", b"A title about the CPT4 code\n", False),
        ("a.csv", b"A title\n\nCPT4 code\n", False),
    ],
)
def test_a_page_is_known_by_its_front_matter_or_code_line(
    tmp_path: Path, name: str, head: bytes, is_page: bool
) -> None:
    """Front matter makes a .md file a page, a line "… code" a .txt file."""
    assert pages.recognise(tmp_path / name, head) is is_page
