"""Filters with counts."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from index.build import Report
from index.records import CodeKind, SectionKind
from index.snapshot import open_snapshot
from search.engine import SearchEngine
from search.facets import MOST_CHOICES, Choice, facets
from search.groups import group_of
from search.request import MAX_LIMIT, SearchRequest, Status


@pytest.fixture(scope="module")
def engine(built: Report) -> SearchEngine:
    """An engine over the built snapshot."""
    return SearchEngine(open_snapshot(built.folder))


def _choices(engine: SearchEngine, request: SearchRequest) -> dict[str, dict[str, Choice]]:
    found = facets(engine, request)
    return {facet.parameter: {choice.value: choice for choice in facet.choices} for facet in found}


def test_counts_are_those_of_the_unfiltered_answer(engine: SearchEngine) -> None:
    """Against a plain count over all hits of the same query, page by page."""
    request = SearchRequest.checked("knee replacement", kind="any", status="all", limit=MAX_LIMIT)
    total = engine.search(request).total
    pages = [engine.search(replace(request, offset=offset)) for offset in range(0, total, MAX_LIMIT)]
    documents = [hit.document for page in pages for hit in page.hits]
    found = _choices(engine, request)
    systems = Counter(document.system.value for document in documents)
    assert {value: choice.count for value, choice in found["system"].items()} == systems
    groups = Counter(group for document in documents if (group := group_of(document.system, document.code)))
    assert {value: choice.count for value, choice in found["group"].items()} == dict(
        sorted(groups.items(), key=lambda entry: (-entry[1], entry[0]))[:MOST_CHOICES]
    )
    kinds = Counter(document.kind.value for document in documents)
    assert {value: choice.count for value, choice in found["kind"].items()} == {**kinds, "any": len(documents)}
    assert found["status"][Status.ALL.value].count == len(documents)


def test_each_filter_is_counted_over_what_the_others_leave(engine: SearchEngine) -> None:
    """A chosen system narrows the groups, and not the systems."""
    free = _choices(engine, SearchRequest.checked("removal"))
    narrow = _choices(engine, SearchRequest.checked("removal", system="icd10pcs"))
    assert {value: choice.count for value, choice in narrow["system"].items()} == {
        value: choice.count for value, choice in free["system"].items()
    }
    assert all(value.startswith("icd10pcs:") for value in narrow["group"])
    assert sum(choice.count for choice in narrow["group"].values()) <= narrow["system"]["icd10pcs"].count


def test_what_is_chosen_is_marked_and_stays(engine: SearchEngine) -> None:
    """Even where it leaves nothing; what is not asked for has its default marked."""
    found = _choices(engine, SearchRequest.checked("knee replacement", section="risks", group="hcpcs:V"))
    assert found["section"][SectionKind.RISKS.value].chosen
    assert found["kind"][CodeKind.PROCEDURE.value].chosen
    assert found["status"][Status.ACTIVE.value].chosen
    assert [choice.value for choice in found["system"].values() if choice.chosen] == ["hcpcs"]


def test_sections_are_those_that_hits_show(engine: SearchEngine) -> None:
    """A section counts at least the codes that the first page found in it."""
    request = SearchRequest.checked("cement injection for sacral fracture", limit=20)
    shown = Counter(
        section for hit in engine.search(request).hits for section in {passage.section for passage in hit.passages}
    )
    found = _choices(engine, request)["section"]
    told = {section: count for section, count in shown.items() if section.value in found}
    assert told
    for section, count in told.items():
        assert found[section.value].count >= count


def test_nothing_found_has_nothing_to_count(engine: SearchEngine) -> None:
    """A query without a letter or digit."""
    found = facets(engine, SearchRequest.checked("!?"))
    assert all(choice.count == 0 for facet in found for choice in facet.choices)
