"""The bundled pages: whole, and what they promise."""

from __future__ import annotations

from pathlib import Path

import pytest

from index.records import CodeSystem, SectionKind
from index.sources.pages import BUNDLED_CORPUS, read

PAGES = sorted(BUNDLED_CORPUS.glob("*.md"))
WHOLE = list(SectionKind)[list(SectionKind).index(SectionKind.NAME) : list(SectionKind).index(SectionKind.POLICIES)]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_a_page_is_whole(path: Path) -> None:
    """All fourteen sections in order, at least three synonyms, a source, and the file named after the code."""
    (document,) = read(path, strict=True).documents
    assert [section.kind for section in document.sections] == WHOLE
    assert len(document.synonyms) >= 3
    assert document.sources
    assert path.stem == f"{document.system.value}-{document.code}"
    assert all(policy.payer and policy.policy_id and policy.url.startswith("https://") for policy in document.policies)


def test_the_families_that_the_corpus_promises_are_there() -> None:
    """Both sacroplasty codes and the vertebral ones, and pages of every code system."""
    held = {path.stem for path in PAGES}
    assert held >= {f"cpt-{code}" for code in ("0200T", "0201T", *map(str, range(22510, 22516)))}
    assert {stem.split("-")[0] for stem in held} == {system.value for system in CodeSystem}


def test_no_two_codes_share_a_title() -> None:
    """A title tells its code from every other."""
    titles = [read(path, strict=True).documents[0].title for path in PAGES]
    assert len(set(titles)) == len(titles)
