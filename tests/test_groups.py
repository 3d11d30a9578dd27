"""Groups of codes, and the filter by them."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient

from index.build import Report
from index.records import CodeSystem
from index.snapshot import open_snapshot
from search.engine import SearchEngine
from search.errors import InvalidParameter
from search.groups import group_of, parse_group
from search.request import SearchRequest


@pytest.fixture(scope="module")
def engine(built: Report) -> SearchEngine:
    """An engine over the built snapshot."""
    return SearchEngine(open_snapshot(built.folder))


@pytest.mark.parametrize(
    ("code", "group"),
    [
        ("00100", "cpt:anesthesia"), ("33016", "cpt:cardiovascular"), ("99213", "cpt:visits"), ("02500", ""),
        ("99605", "cpt:medicine"), ("0042T", "cpt:category-3"), ("1000F", "cpt:category-2"),
        ("0001U", "cpt:laboratory"),
    ],
)  # fmt: skip
def test_a_code_of_cpt_has_the_group_of_its_range_or_letter(code: str, group: str) -> None:
    """The first and last codes of ranges, and what is in none."""
    assert group_of(CodeSystem.CPT, code) == group


@pytest.mark.parametrize("name", ["", "0Q", "icd10pcs:0", "icd10pcs:0O", "hcpcs:Z", "cpt:", "cpt:nothing", "snomed:1"])
def test_what_is_no_group_is_refused(name: str) -> None:
    """With examples of what would be one."""
    with pytest.raises(InvalidParameter, match="expected such as icd10pcs:0Q"):
        parse_group(name)


def test_a_group_narrows_an_answer(client: TestClient) -> None:
    """By GET and by POST; its system need not be named, but another one contradicts it."""
    for answer in (
        client.get("/api/search", params={"q": "removal", "group": "ICD10PCS:0f"}),
        client.post("/api/search", json={"q": "removal", "group": "icd10pcs:0F", "system": "icd10pcs"}),
    ):
        codes = {hit["code"] for hit in answer.json()["hits"]}
        assert codes
        assert all(code.startswith("0F") for code in codes)
    wrong = client.get("/api/search", params={"q": "removal", "group": "icd10pcs:0F", "system": "cpt"})
    assert wrong.json()["code"] == "invalid_parameter"


def test_groups_have_titles(engine: SearchEngine) -> None:
    """Each that a document is in."""
    titles = {name: engine.groups.title(name) for name in engine.groups.names if name}
    assert titles["cpt:category-3"] == "New technology (Category III)"
    assert titles["hcpcs:E"] == "Durable medical equipment"
    assert titles["icd10pcs:0Q"] == "Lower Bones"
    assert all(titles.values())


def test_a_group_holds_its_codes_alone(engine: SearchEngine) -> None:
    """The mask and the names agree; an unknown group holds nothing."""
    held = engine.groups.holds("icd10pcs:0Q").nonzero()[0]
    assert {engine.snapshot.documents.brief(int(position)).code[:2] for position in held} == {"0Q"}
    assert not engine.groups.holds("icd10pcs:ZZ").any()
    assert SearchRequest.checked("knee", group="hcpcs:e").system is CodeSystem.HCPCS
