"""The native interface through HTTP: shapes, and clear errors for bad input."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fastapi.testclient import TestClient


def _error(answer: Any, status: int, code: str) -> str:
    """Checks the one error shape and returns the message."""
    body = answer.json()
    assert answer.status_code == status, body
    assert set(body) == {"message", "code", "type"}
    assert body["code"] == code
    assert "Traceback" not in answer.text
    return str(body["message"])


def test_a_search_answers_with_hits_and_what_it_was_answered_from(client: TestClient) -> None:
    """Hits, query, time, limits, snapshot, releases, model; each hit with its passages."""
    body = client.get("/api/search", params={"q": "cement injection for sacral fracture", "limit": 3}).json()
    assert set(body) == {
        "hits", "fits", "query", "understood", "processingTimeMs",
        "limit", "offset", "estimatedTotalHits", "snapshot", "releases", "model",
    }  # fmt: skip
    assert {hit["code"] for hit in body["hits"]} == {"0200T", "0201T", "0QU13JZ"}
    hit = body["hits"][0]
    assert set(hit) == {"system", "code", "title", "kind", "terminated", "score", "passages", "alike", "explanation"}
    assert set(hit["passages"][0]) == {"section", "text", "highlights"}
    assert body["model"] == "procedure-MiniLM-L6"
    assert "icd10pcs 2026" in body["releases"]


def test_posting_is_the_same_as_asking(client: TestClient) -> None:
    """The same fields as JSON give the same hits."""
    fields: dict[str, Any] = {"q": "gallbladder removal", "system": "icd10pcs", "limit": 5, "offset": 1}
    asked = client.get("/api/search", params=fields).json()
    posted = client.post("/api/search", json=fields).json()
    assert asked["hits"] == posted["hits"] != []


def test_a_batch_answers_each_item_in_order(client: TestClient) -> None:
    """Bad items have an error in their place and never fail the rest."""
    queries = [{"q": "0201T"}, {"q": ""}, {"q": "x", "system": "nope"}, 7, {"limit": 3}, {"q": "knee", "limit": 1}]
    results = client.post("/api/search/batch", json={"queries": queries}).json()["results"]
    assert [result.get("code") for result in results] == [
        None, "empty_query", "unknown_system", "invalid_parameter", "invalid_parameter", None,
    ]  # fmt: skip
    assert results[0]["hits"][0]["code"] == "0201T"
    assert len(results[5]["hits"]) == 1


@pytest.mark.parametrize("queries", [[], [{"q": "a"}] * 101, "knee", None])
def test_a_batch_of_another_size_is_refused(client: TestClient, queries: Any) -> None:
    """One to a hundred searches."""
    _error(client.post("/api/search/batch", json={"queries": queries}), 400, "invalid_parameter")


def test_a_code_comes_with_all_its_sections(client: TestClient) -> None:
    """A bundled page has the fourteen sections of the seed's page, in order."""
    body = client.get("/api/codes/cpt/0201T").json()
    assert [section["kind"] for section in body["sections"]] == [
        "name", "summary", "purpose", "indications", "preparation", "description", "duration", "setting", "personnel",
        "risks", "benefits", "recovery", "alternatives", "experience",
    ]  # fmt: skip
    assert body["synonyms"][0] == {"text": "bilateral sacroplasty", "source": "page"}


def test_a_code_of_a_release_comes_with_all_that_the_release_says(client: TestClient) -> None:
    """Characters, synonyms with their source, hierarchy."""
    body = client.get("/api/codes/ICD10PCS/ 0fT4-4zz ").json()
    assert [character["label"] for character in body["characters"]] == [
        "Medical and Surgical", "Hepatobiliary System and Pancreas", "Resection", "Gallbladder",
        "Percutaneous Endoscopic", "No Device", "No Qualifier",
    ]  # fmt: skip
    assert {"text": "Cholecystectomy", "source": "ICD-10-PCS index 2025"} in body["synonyms"]
    assert [above["code"] for above in body["hierarchy"]] == ["0", "0F", "0FT"]
    assert client.get("/api/codes/icd10pcs/0FT").json()["children"][0]["code"] == "0FT40ZZ"


def test_similar_codes_come_with_what_differs(client: TestClient) -> None:
    """The first of 0201T is 0200T: unilateral instead of bilateral."""
    body = client.get("/api/codes/cpt/0201T/similar", params={"limit": 2}).json()
    assert body["hits"][0]["code"] == "0200T"
    assert body["hits"][0]["differs"][0]["text"] == "unilateral instead of bilateral"
    assert len(body["hits"]) == 2


def test_the_status_says_what_serves(client: TestClient) -> None:
    """Snapshot, releases, counts, model; and the service is alive and ready."""
    body = client.get("/api/status").json()
    assert body["counts"]["hcpcs"]["modifier"] == 1
    assert body["model"]["dimensions"] == 384
    assert client.get("/healthz").json() == {"status": "ok"}
    assert client.get("/readyz").json() == {"status": "ready", "snapshot": body["snapshot"]}


BAD: tuple[tuple[dict[str, Any], str], ...] = (
    ({"q": ""}, "empty_query"),
    ({"q": " \t\x00"}, "empty_query"),
    ({"q": "x" * 1001}, "query_too_long"),
    ({"q": "knee", "system": "icd9"}, "unknown_system"),
    ({"q": "knee", "section": "chapter"}, "unknown_section"),
    ({"q": "knee", "kind": "verb"}, "unknown_kind"),
    ({"q": "knee", "status": "old"}, "invalid_parameter"),
    ({"q": "knee", "on": "yesterday"}, "invalid_parameter"),
    ({"q": "knee", "limit": 0}, "out_of_range"),
    ({"q": "knee", "limit": 101}, "out_of_range"),
    ({"q": "knee", "limit": "ten"}, "invalid_parameter"),
    ({"q": "knee", "limit": 10**30}, "out_of_range"),
    ({"q": "knee", "offset": -1}, "out_of_range"),
    ({"q": "knee", "offset": 1000}, "out_of_range"),
    ({"q": "knee", "colour": "red"}, "invalid_parameter"),
    ({}, "invalid_parameter"),
)


@pytest.mark.parametrize(("fields", "code"), BAD)
def test_a_bad_parameter_is_told_clearly(client: TestClient, fields: dict[str, Any], code: str) -> None:
    """Asked or posted, each has its own stable code."""
    _error(client.get("/api/search", params=fields), 400, code)
    _error(client.post("/api/search", json=fields), 400, code)


BODIES = (
    (b"{", 400, "malformed_body"),
    (b"", 400, "invalid_parameter"),
    (b"[]", 400, "invalid_parameter"),
    (b"null", 400, "invalid_parameter"),
    (b'{"q": 7}', 400, "invalid_parameter"),
    (b'{"q": "\xff\xfe"}', 400, "malformed_body"),
    (b'{"q": "\\ud800"}', 400, "empty_query"),
    (b'{"q": "' + b"x" * 10_000_000 + b'"}', 413, "body_too_large"),
    (b"[" * 100_000, 400, "malformed_body"),
)


@pytest.mark.parametrize(("body", "status", "code"), BODIES, ids=range(len(BODIES)))
def test_a_bad_body_is_told_clearly(client: TestClient, body: bytes, status: int, code: str) -> None:
    """Broken JSON, other shapes, bytes that are no text, ten megabytes: never a 500."""
    _error(client.post("/api/search", content=body, headers={"content-type": "application/json"}), status, code)


def test_what_is_not_there_is_told_clearly(client: TestClient) -> None:
    """Unknown code, system, page and method."""
    assert "CPT has no code '99998'" in _error(client.get("/api/codes/cpt/99998"), 404, "unknown_code")
    _error(client.get("/api/codes/loinc/1"), 400, "unknown_system")
    _error(client.get("/api/nothing"), 404, "not_found")
    _error(client.delete("/api/search"), 405, "method_not_allowed")
    _error(client.get("/api/codes/cpt/0201T/similar", params={"limit": 1000}), 400, "out_of_range")
    _error(client.get("/api/releases/cpt/changes", params={"from": "1", "to": "2"}), 404, "unknown_release")


def test_an_error_never_repeats_the_query(client: TestClient) -> None:
    """It may hold patient details."""
    for answer in (
        client.post("/api/search", json={"q": ["Jane Roe"]}),
        client.get("/api/search", params={"q": "Jane Roe", "limit": "ten"}),
        client.get("/api/search", params={"q": "Jane Roe " * 200}),
    ):
        assert answer.status_code == 400
        assert "Jane" not in answer.text


@pytest.mark.parametrize("q", ["🫀", "心臓", "<script>alert(1)</script>", "\u202eknee", "a\u0301 cataract"])
def test_any_script_has_an_answer(client: TestClient, q: str) -> None:
    """200 with hits or none."""
    answer = client.get("/api/search", params={"q": q})
    assert answer.status_code == 200
    json.dumps(answer.json())


def test_every_route_and_field_is_described(client: TestClient) -> None:
    """The OpenAPI document has a summary for every route, and a description for every field and parameter."""
    spec = client.get("/openapi.json").json()
    for path, methods in spec["paths"].items():
        for method in methods.values():
            assert method["summary"], path
            assert all(parameter.get("description") for parameter in method.get("parameters", ())), path
    for name, schema in spec["components"]["schemas"].items():
        if "Validation" not in name:
            assert all({"description", "$ref"} & field.keys() for field in schema.get("properties", {}).values()), name
