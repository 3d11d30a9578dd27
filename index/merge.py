"""What all sources say, merged: one document per code, whatever number of files speak of it."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

from index.compose import compose
from index.compose.policies import compose as compose_policies
from index.history import joined
from index.phrases import Named, Phrase, collect, with_names
from index.records import Document, Release, SectionKind
from index.sources import Problem, Reading
from index.sources.thesaurus import Thesaurus
from index.store import document_key
from index.text import tokens

# A page that names no code is filed under the code whose title shares most of its words (Jaccard,
# 0 to 1): at least this share, and more than any other code.
LEAST_TITLE_OVERLAP = 0.3


def merge(readings: Sequence[Reading]) -> tuple[list[Document], list[tuple[Phrase, Named]], list[Problem]]:
    """Returns one document per code, sorted by `document_key`, the phrases that name them, and notices.

    A release's title stands; pages add their sections, a later page's replacing an earlier one's of the
    same heading. A page that names no code is filed by its title (see `LEAST_TITLE_OVERLAP`), else left out.
    """
    releases = [reading for reading in readings if not reading.release.is_page]
    listed: defaultdict[str, list[Reading]] = defaultdict(list)
    for reading in releases:
        if reading.documents:
            listed[reading.release.system].append(reading)
    documents = [document for group in listed.values() for document in joined(group)]
    facts = [reading.facts for reading in readings if reading.facts is not None]
    composed, notices = compose(documents, facts)
    merged = {document_key(document): document for document in composed}
    for reading in readings:
        if reading.release.is_page:
            for page in reading.documents:
                notices += _add_page(merged, page, reading.release.file, page.system in listed)
    covered, unmatched = compose_policies([merged[key] for key in sorted(merged)], facts)
    phrases, unnamed = collect(covered, [fact for fact in facts if isinstance(fact, Thesaurus)])
    return with_names(covered, phrases), phrases, [*notices, *unmatched, *unnamed]


def releases_of(readings: Iterable[Reading]) -> list[Release]:
    """Returns the releases for the manifest: each release, and all pages of one system and version as one."""
    releases: list[Release] = []
    pages: defaultdict[tuple[str, str], list[Release]] = defaultdict(list)
    for release in (reading.release for reading in readings):
        if release.is_page:
            pages[release.system, release.version].append(release)
        else:
            releases.append(release)
    for (system, version), group in sorted(pages.items()):
        digest = hashlib.sha256("".join(release.sha256 for release in group).encode()).hexdigest()
        file = group[0].file if len(group) == 1 else f"{len(group)} files"
        releases.append(Release(system, version, file, digest, sum(release.documents for release in group)))
    return releases


def _add_page(merged: dict[str, Document], page: Document, file: str, released: bool) -> list[Problem]:
    """Merges a page into its code's document, and returns what is to be said of it."""
    notices = []
    if not page.code:
        match = _code_by_title(page, merged.values())
        notices.append(_filed(file, page, match))
        if match is None:
            return notices
        page = replace(page, code=match.code)
    key = document_key(page)
    held = merged.get(key)
    if held is None and released:
        notices.append(Problem(file, 0, f"{page.code} is not in the release given: kept as a page"))
    merged[key] = page if held is None else _merged(held, page, released)
    return notices


def _merged(held: Document, page: Document, held_title: bool) -> Document:
    headings = {section.heading for section in page.sections}
    kept = [section for section in held.sections if section.heading not in headings]
    order = list(SectionKind)
    return replace(
        held,
        title=held.title if held_title else page.title,
        sections=tuple(sorted([*kept, *page.sections], key=lambda section: order.index(section.kind))),
        synonyms=tuple(dict.fromkeys([*page.synonyms, *held.synonyms])),
        policies=tuple(dict.fromkeys([*held.policies, *page.policies])),
        similar=tuple(dict.fromkeys([*held.similar, *page.similar])),
        sources=tuple(dict.fromkeys([*held.sources, *page.sources])),
    )


def _code_by_title(page: Document, documents: Iterable[Document]) -> Document | None:
    """Returns the one document of the page's system whose title is clearly most like the page's, or None."""
    wanted = set(tokens(page.title))
    ranked: list[tuple[float, str, Document]] = []
    for document in documents:
        if document.system is page.system:
            words = set(tokens(document.title))
            ranked.append((len(wanted & words) / max(len(wanted | words), 1), document.code, document))
    ranked.sort(key=lambda entry: (-entry[0], entry[1]))
    if not ranked or ranked[0][0] < LEAST_TITLE_OVERLAP or (len(ranked) > 1 and ranked[0][0] == ranked[1][0]):
        return None
    return ranked[0][2]


def _filed(file: str, page: Document, match: Document | None) -> Problem:
    advice = f"name the file {{code}}.txt or write the code behind “{page.system.label} code”"
    if match is None:
        return Problem(file, 0, f"names no code and its title is like no other's: left out; {advice}")
    return Problem(file, 0, f"names no code: filed as {match.code}, whose title is most like it; if wrong, {advice}")
