"""What a code's page makes of a document: its table of contents, names by source, and how to cite it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date

from index.records import CodeSystem, Document, Release, SectionKind
from search.similar import SimilarCodes

# Sections that other parts of the page show: release data as a table, policies as a list.
_ELSEWHERE = (SectionKind.POLICIES,)


def anchor(heading: str) -> str:
    """Returns a heading as the part of an address behind "#".

    >>> anchor("Risks and Complications")
    'risks-and-complications'
    """
    return re.sub(r"[^a-z0-9]+", "-", heading.lower()).strip("-") or "section"


def contents(document: Document, similar: SimilarCodes, below: Sequence[Document]) -> list[tuple[str, str]]:
    """Returns anchor and heading of each part of the page that there is, in order."""
    parts = {
        "Characters": bool(document.characters),
        "Also called": bool(document.synonyms),
        **{section.heading: True for section in document.sections if section.kind not in _ELSEWHERE},
        "Release data": bool(document.attributes),
        "Below this heading": bool(below),
        "Medical Policies and Guidelines": True,
        "History": bool(document.history),
        "Similar Codes": bool(similar.siblings or similar.related),
        "Cite this page": True,
    }
    return [(anchor(heading), heading) for heading, there in parts.items() if there]


def names_by_source(document: Document) -> dict[str, list[str]]:
    """Returns the synonyms by what gives them, each name once, in the order of the document."""
    found: dict[str, list[str]] = {}
    seen: set[str] = set()
    for synonym in document.synonyms:
        if synonym.text.casefold() not in seen:
            seen.add(synonym.text.casefold())
            found.setdefault(synonym.source, []).append(synonym.text)
    return found


def citation(document: Document, releases: Sequence[Release], day: date) -> str:
    """Returns one line that says which code, of which release, was looked up when."""
    versions = [
        release.version for release in releases if release.system == document.system.value and not release.is_page
    ]
    # Versions are fiscal years or quarters: the last in order of text is the newest.
    release = f"release {max(versions)}" if any(versions) else "sample page in this project's own words"
    authority = "American Medical Association" if document.system is CodeSystem.CPT else "CMS"
    return f"{document.title}. {document.system.label} code {document.code} ({authority}, {release}). Read {day}."
