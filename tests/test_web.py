"""The pages, as the server renders them."""

from __future__ import annotations

import re

from fastapi.testclient import TestClient

from index.records import SectionKind
from search.engine import Evidence
from search.web.routes import marked, section_html


def _text(html: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def test_the_search_page_works_without_javascript(client: TestClient) -> None:
    """With q in the address the results are in the page."""
    page = client.get("/", params={"q": "cement injection for sacral fracture"}).text
    assert "Search all medical codes" in page
    assert re.search(r'href="/codes/cpt/020[01]T"', page)
    assert "<mark>cement</mark>" in page.lower()


def test_results_alone_are_a_fragment(client: TestClient) -> None:
    """What the script puts in place has no page around it."""
    fragment = client.get("/results", params={"q": "knee replacement"}).text
    assert "27447" in fragment
    assert "<html" not in fragment


def test_a_code_page_shows_what_the_seed_page_shows(client: TestClient) -> None:
    """All section headings, policies and similar codes."""
    text = _text(client.get("/codes/cpt/0201t").text)
    for kind in SectionKind:
        if kind not in (
            SectionKind.TITLE, SectionKind.SYNONYMS, SectionKind.THESAURUS, SectionKind.POLICIES,
            SectionKind.CHARACTERS, SectionKind.OTHER,
        ):  # fmt: skip
            assert kind.heading in text, kind
    assert "CPT code" in text
    assert "Medical Policies and Guidelines" in text
    assert "unilateral instead of bilateral" in text


def test_a_code_page_shows_what_the_releases_say(client: TestClient) -> None:
    """Characters with definitions, hierarchy, synonyms with their source; a header lists what is below it."""
    page = client.get("/codes/icd10pcs/0QU13JZ").text
    text = _text(page)
    assert "Approach 3 Percutaneous" in text
    assert "ICD-10-PCS index 2025" in text
    assert 'href="/codes/icd10pcs/0QU"' in page
    below = client.get("/codes/icd10pcs/0QU").text
    assert 'href="/codes/icd10pcs/0QU13JZ"' in below
    assert "can’t be billed" in below


def test_user_text_is_escaped(client: TestClient) -> None:
    """A query with markup and quotes comes back as text."""
    page = client.get("/", params={"q": "<script>alert('x')</script>\"knee\""}).text
    assert "<script>alert" not in page
    assert "&lt;script&gt;" in page


def test_passages_and_sections_are_escaped() -> None:
    """Only our own marks and lists become HTML."""
    evidence = Evidence(SectionKind.RISKS, "<b>knee</b> & hip", ((3, 7),))
    assert str(marked(evidence)) == "&lt;b&gt;<mark>knee</mark>&lt;/b&gt; &amp; hip"
    html = str(section_html("- one\n  - two <i>\n\n1. three\n\n# no heading, *no* [link](javascript:x)"))
    assert html.count("<li>") == 3
    assert "&lt;i&gt;" in html
    assert "<h1>" not in html
    assert "<a" not in html


def test_no_page_asks_another_host_or_runs_inline_script(client: TestClient) -> None:
    """The policy forbids it, and nothing in the pages needs it."""
    for address in ("/", "/?q=knee", "/codes/cpt/0201T", "/codes/cpt/nothing"):
        answer = client.get(address)
        assert "default-src 'self'" in answer.headers["content-security-policy"]
        assert "unsafe" not in answer.headers["content-security-policy"]
        assert not re.search(r'(src|action)="(https?:)?//', answer.text)
        assert not re.search(r"<script(?![^>]*src=)|\son\w+=|style=", answer.text)


def test_an_unknown_code_has_a_page(client: TestClient) -> None:
    """With the status of an error, and a way on."""
    answer = client.get("/codes/cpt/99998")
    assert answer.status_code == 404
    assert "CPT has no code" in answer.text
    assert "Search all medical codes" in answer.text
