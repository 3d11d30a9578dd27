"""Releases, facts and pages merged to one document per code."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest

from index.merge import merge, releases_of
from index.records import BUNDLED, PAGE, CodeSystem, Document, Policy, Release, Section, SectionKind, Synonym
from index.sources import Reading
from index.sources.policies import CodePattern, Policies

RISKS = Section(SectionKind.RISKS, "Risks and Complications", "- Losing the koi")
PURPOSE = Section(SectionKind.PURPOSE, "Purpose", "A clean pond.")
CARE = Section(SectionKind.OTHER, "Bucket care", "Change the water.")


def _cpt(code: str, title: str, *sections: Section) -> Document:
    return Document(CodeSystem.CPT, code, title, sections=sections)


def _release(*documents: Document) -> Reading:
    return Reading(Release(documents[0].system, "2026", "codes.txt", "0", len(documents)), documents, ())


def _page(document: Document, file: str = "page.md", version: str = PAGE) -> Reading:
    return Reading(Release(document.system, version, file, "0", 1), (document,), ())


def test_a_page_adds_its_sections_to_a_code_of_a_release() -> None:
    """The release's title stands, the page's sections are put in the order of their kinds, and nothing is said."""
    page = replace(
        _cpt("10001", "How a pond is drained", CARE, RISKS, PURPOSE),
        synonyms=(Synonym("emptying a pond", PAGE),),
        similar=("10002",),
        policies=(Policy("Pond rule"),),
        sources=("A book",),
    )
    documents, _, notices = merge(
        [_page(page), _release(_cpt("10001", "Drainage of a pond"), _cpt("10002", "Refilling"))]
    )
    assert documents == [
        replace(page, title="Drainage of a pond", sections=(PURPOSE, RISKS, CARE)),
        _cpt("10002", "Refilling"),
    ]
    assert notices == []


def test_a_page_replaces_the_release_section_of_the_same_heading() -> None:
    """What a release's composition says in a section gives way to the page's text; its other sections stay."""
    device = Document(CodeSystem.HCPCS, "E0601", "Airway pressure device")
    summary = Section(SectionKind.SUMMARY, "Summary", "It keeps the airway open.")
    page = Document(CodeSystem.HCPCS, "E0601", "A page's title", sections=(RISKS, summary))
    (document,), _, _ = merge([_release(device), _page(page)])
    assert (document.title, document.sections) == ("Airway pressure device", (summary, RISKS))
    (composed,), _, _ = merge([_release(device), _page(replace(page, sections=(RISKS,)))])
    assert [section.heading for section in composed.sections] == ["Summary", "Risks and Complications"]


def test_a_later_page_replaces_an_earlier_ones_section_and_title() -> None:
    """Without a release the last page gives the title; synonyms of the later page come first, each once."""
    first = replace(
        _cpt("10001", "First", PURPOSE, RISKS),
        synonyms=(Synonym("one", PAGE), Synonym("both", PAGE)),
        similar=("10002",),
    )
    again = Section(SectionKind.RISKS, "Risks and Complications", "- A heron")
    second = replace(
        _cpt("10001", "Second", again),
        synonyms=(Synonym("both", PAGE), Synonym("two", PAGE)),
        similar=("10003", "10002"),
    )
    (document,), _, notices = merge([_page(first), _page(second)])
    assert document == replace(
        _cpt("10001", "Second", PURPOSE, again),
        synonyms=(Synonym("both", PAGE), Synonym("two", PAGE), Synonym("one", PAGE)),
        similar=("10002", "10003"),
    )
    assert notices == []


def test_two_unknown_headings_are_two_sections() -> None:
    """Sections of one kind and different headings stand side by side."""
    more = Section(SectionKind.OTHER, "Net care", "Rinse the net.")
    (document,), _, _ = merge([_page(_cpt("10001", "A title", CARE)), _page(_cpt("10001", "A title", more))])
    assert document.sections == (CARE, more)


def test_a_page_of_a_code_that_the_release_lacks_is_kept_with_a_notice() -> None:
    """The page is a document of its own; without a release of its system there is nothing to say."""
    page = _page(_cpt("10009", "Heron scaring", PURPOSE), "heron.md")
    documents, _, notices = merge([_release(_cpt("10001", "Drainage")), page])
    assert [document.code for document in documents] == ["10001", "10009"]
    assert [str(notice) for notice in notices] == ["heron.md: 10009 is not in the release given: kept as a page"]
    assert merge([_release(Document(CodeSystem.ICD10PCS, "0FT", "Resection")), page])[2] == []


def test_a_page_without_code_is_filed_by_its_title() -> None:
    """It becomes part of the code whose title shares most words with its own, and a notice says so."""
    page = _page(_cpt("", "Pond drainage with a pump", PURPOSE), "pond.txt")
    released = _release(
        _cpt("10001", "Drainage of a pond by hand"),
        _cpt("10002", "Drainage of a pond by pump"),
        Document(CodeSystem.CPT, "10003", "Refilling of a bucket"),
    )
    documents, _, notices = merge([page, released])
    assert {document.code: document.sections for document in documents} == {
        "10001": (),
        "10002": (PURPOSE,),
        "10003": (),
    }
    assert [str(notice) for notice in notices] == [
        "pond.txt: names no code: filed as 10002, whose title is most like it;"
        " if wrong, name the file {code}.txt or write the code behind “CPT code”"
    ]


@pytest.mark.parametrize(
    ("titles", "filed"),
    [
        # Three of the ten words of both titles are shared: 0.3, which is just enough.
        (["red green blue seven eight nine ten"], True),
        # Three of eleven.
        (["red green blue seven eight nine ten eleven"], False),
        # Two codes are equally like it.
        (["red green blue four five six", "red green blue four five six"], False),
        ([], False),
    ],
)
def test_a_page_without_code_needs_a_title_that_is_clearly_alike(titles: list[str], filed: bool) -> None:
    """Less than three tenths of the words in common, or two codes as like, and the page is left out with a notice."""
    page = _cpt("", "red green blue four five six", PURPOSE)
    codes = [_cpt(f"1000{number}", title) for number, title in enumerate(titles)]
    documents, _, notices = merge([*([_release(*codes)] if codes else []), _page(page, "colours.txt")])
    assert [document.sections for document in documents] == [(PURPOSE,) if filed else () for _ in titles]
    if not filed:
        assert [str(notice) for notice in notices] == [
            "colours.txt: names no code and its title is like no other's: left out;"
            " name the file {code}.txt or write the code behind “CPT code”"
        ]


def test_a_page_without_code_is_not_filed_under_another_system() -> None:
    """An equal title of another code system is no reason to file a page there."""
    documents, _, notices = merge(
        [_release(Document(CodeSystem.HCPCS, "E0601", "Pond drainage")), _page(_cpt("", "Pond drainage", PURPOSE))]
    )
    assert [document.code for document in documents] == ["E0601"]
    assert len(notices) == 1


def test_documents_are_sorted_by_system_and_code() -> None:
    """CPT comes before HCPCS and ICD-10-PCS, and in each the codes ascend, in whatever order files come."""
    documents, _, _ = merge(
        [
            _release(
                Document(CodeSystem.ICD10PCS, "0QU", "Supplement"), Document(CodeSystem.ICD10PCS, "0FT", "Resection")
            ),
            _release(Document(CodeSystem.HCPCS, "E0601", "Device")),
            _page(_cpt("22510", "Title", PURPOSE)),
            _page(_cpt("0201T", "Title", PURPOSE)),
        ]
    )
    assert [document.code for document in documents] == ["0201T", "22510", "E0601", "0FT", "0QU"]


def test_policies_reach_codes_of_releases_and_of_pages() -> None:
    """A policy file names codes wherever they come from, and codes that nothing brings are reported."""
    policy = Policy("Pond rule", "Koi Mutual")
    patterns = tuple(CodePattern(CodeSystem.CPT, code, code) for code in ("10001", "10009", "10077"))
    facts = Policies("rules.csv", ((2, policy, patterns),))
    documents, _, notices = merge(
        [
            Reading(Release("policies", "", "rules.csv", "0", 1), (), (), facts),
            _release(_cpt("10001", "Drainage")),
            _page(_cpt("10009", "Heron scaring", PURPOSE), "heron.md"),
        ]
    )
    assert [(document.code, document.policies) for document in documents] == [
        ("10001", (policy,)),
        ("10009", (policy,)),
    ]
    assert [str(notice) for notice in notices] == [
        "heron.md: 10009 is not in the release given: kept as a page",
        "rules.csv:2: names codes that are not in this index: cpt:10077",
    ]


def test_releases_of_puts_the_pages_of_a_system_and_version_together() -> None:
    """Releases come as they are, then the pages, counted by system and version, with a digest of all of them."""
    order = Release(CodeSystem.ICD10PCS, "2026", "order.zip", "f0", 79115, "A notice")
    readings = [
        Reading(Release(CodeSystem.CPT, BUNDLED, "cpt-1.md", "a1", 1), (), ()),
        Reading(Release(CodeSystem.CPT, BUNDLED, "cpt-2.md", "a2", 1), (), ()),
        Reading(Release(CodeSystem.CPT, PAGE, "mine.txt", "b1", 1), (), ()),
        Reading(order, (), ()),
        Reading(Release(CodeSystem.HCPCS, BUNDLED, "hcpcs-1.md", "c1", 1), (), ()),
    ]

    def digest(text: str) -> str:
        return hashlib.sha256(text.encode()).hexdigest()

    assert releases_of(readings) == [
        order,
        Release("cpt", "bundled", "2 files", digest("a1a2"), 2),
        Release("cpt", "page", "mine.txt", digest("b1"), 1),
        Release("hcpcs", "bundled", "hcpcs-1.md", digest("c1"), 1),
    ]


def test_nothing_merges_to_nothing() -> None:
    """No reading gives no document, no notice and no release."""
    assert merge([]) == ([], [], [])
    assert releases_of([]) == []
