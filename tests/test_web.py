"""The pages, as the server renders them."""

from __future__ import annotations

import re

import pytest
from fastapi.testclient import TestClient

from index.records import SectionKind
from search.engine import Evidence
from search.web.shown import SHOWN, confidence, excerpt, marked, section_html
from search.web.state import HITS_PER_PAGE

PAGES = (
    "/",
    "/?q=cement+injection+for+sacral+fracture",
    "/results?q=knee",
    "/filters?q=knee",
    "/codes/cpt/0201T",
    "/codes/icd10pcs/0QU13JZ",
    "/codes/icd10pcs/0QU",
    "/codes/hcpcs/LT",
    "/compare",
    "/compare?codes=cpt:0201T&codes=cpt:0200T",
    "/list",
    "/status",
)
MOST_BYTES = 60_000  # HTML, CSS and JavaScript of the search page, uncompressed


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
    for address in (*PAGES, "/codes/cpt/nothing"):
        answer = client.get(address)
        assert "default-src 'self'" in answer.headers["content-security-policy"]
        assert "unsafe" not in answer.headers["content-security-policy"]
        assert not re.search(r'(src|action)="(https?:)?//', answer.text)
        assert not re.search(r"<script(?![^>]*src=)|\son\w+=|style=", answer.text)


def test_an_unknown_code_has_a_page(client: TestClient) -> None:
    """With the status of an error, and a way on."""
    for address in ("/codes/cpt/99998", "/compare?codes=cpt:99998", "/compare?codes=99998"):
        answer = client.get(address)
        assert answer.status_code == 404
        assert "<h1>Not found</h1>" in answer.text
        assert "99998" in answer.text
        assert "Search all medical codes" in answer.text


def test_the_search_page_is_small(client: TestClient) -> None:
    """With a full page of results and the filters, all that it loads."""
    page = client.get("/", params={"q": "cement injection for sacral fracture"}).text
    assert page.count("<li>\n  <h3>") == HITS_PER_PAGE
    total, waiting = len(page.encode()), re.findall(r'(?:src|href)="(/static/[^"]+\.(?:js|css))"', page)
    loaded: set[str] = set()
    while waiting:
        if (address := waiting.pop()) not in loaded:
            loaded.add(address)
            text = client.get(address).text
            total += len(text.encode())
            waiting += re.findall(r'(?:import|from) "(/static/[^"]+)"', text)
    assert {"/static/style.css", "/static/search.js", "/static/suggest.js", "/static/keep.js"} <= loaded
    assert total < MOST_BYTES


def test_filters_have_counts_and_can_be_taken_back(client: TestClient) -> None:
    """Each choice is a link to the same search with it; a chosen one leads back, and filters in use are named."""
    page = client.get("/filters", params={"q": "knee replacement"}).text
    assert re.search(
        r'href="/\?q=knee\+replacement&amp;system=cpt" data-go>\s*<span>CPT</span>\s*<span class="n">\d+<', page
    )
    assert "Body system or group" in page
    assert "Matched in" in page
    chosen = client.get("/", params={"q": "knee replacement", "system": "cpt", "kind": "any"}).text
    assert re.search(r'href="/\?q=knee\+replacement&amp;kind=any" data-go aria-current="true">\s*<span>CPT<', chosen)
    assert "Code system: CPT" in chosen
    assert "Kind of code: All kinds" in chosen
    assert '<input type="hidden" name="system" value="cpt">' in chosen


def test_a_filter_that_is_none_of_ours_is_named(client: TestClient) -> None:
    """With the status of a bad request and the page around it."""
    answer = client.get("/", params={"q": "knee", "system": "snomed"})
    assert answer.status_code == 400
    assert "expected cpt, hcpcs or icd10pcs" in answer.text
    assert client.get("/filters", params={"q": "knee", "system": "snomed"}).text.strip() == ""


def test_pages_of_results_follow_each_other(client: TestClient) -> None:
    """Next and previous are links; an offset that is none begins at the first page."""
    first = client.get("/", params={"q": "removal", "kind": "any"}).text
    assert 'href="/?q=removal&amp;kind=any&amp;offset=20" rel="next"' in first
    second = client.get("/", params={"q": "removal", "kind": "any", "offset": "20"}).text
    assert '<ol start="21">' in second
    assert 'href="/?q=removal&amp;kind=any" rel="prev"' in second
    assert '<ol start="1">' in client.get("/", params={"q": "removal", "offset": "-3"}).text


def test_codes_that_were_typed_are_called_so(client: TestClient) -> None:
    """Whole or as a range: nobody asked how likely they are."""
    for typed in ("0201T", "0200T-0201T"):
        page = client.get("/results", params={"q": typed}).text
        assert "As typed" in page
        assert "%</small>" not in page


def test_spelling_is_told_and_can_be_refused(client: TestClient) -> None:
    """What was read instead, and a link to the search as written."""
    page = client.get("/", params={"q": "cement injektion for sacral fracture"}).text
    assert "Showing results for" in page
    assert 'href="/?q=cement+injektion+for+sacral+fracture&amp;spelling=off"' in page


def test_what_does_not_fit_is_called_so(client: TestClient) -> None:
    """The nearest are shown, but not as if they fitted."""
    page = client.get("/", params={"q": "how do I bake sourdough bread"}).text
    assert "Nothing fits well." in page


def test_codes_are_compared_side_by_side(client: TestClient) -> None:
    """Rows that differ are marked in words, those alone can be shown, and codes can be typed in many ways."""
    page = client.get("/compare", params={"codes": ["icd10pcs:0QU13JZ", "icd10pcs:0QU10JZ"]}).text
    row = r'<tr{}>\s*<th scope="row">{}{}</th>'
    assert re.search(row.format(' class="differs"', "Approach", '<span class="flag">differs</span>'), page)
    assert re.search(row.format("", "Operation", ""), page)
    assert "<b>Percutaneous</b>" in page
    same = client.get("/compare", params={"codes": "0qu13jz, 0QU10JZ 0QU13JZ", "only": "differences"}).text
    assert "Approach" in same
    assert ">Operation<" not in same
    assert "can’t be compared" in client.get("/compare", params={"codes": "0201T"}).text
    many = client.get("/compare", params={"codes": "0200T 0201T 22510 22511 22513"})
    assert many.status_code == 400
    assert "expected at most 4" in many.text


def test_what_a_system_does_not_have_is_no_difference(client: TestClient) -> None:
    """A CPT code has no characters; two codes of ICD-10-PCS beside it are still compared in theirs."""
    page = client.get("/compare", params={"codes": "0QU13JZ 0QU10JZ 0201T"}).text
    assert re.search(r'<tr class="differs">\s*<th scope="row">Approach', page)
    assert re.search(r'<tr>\s*<th scope="row">Operation', page)


def test_a_code_page_leads_on(client: TestClient) -> None:
    """To neighbours, the nearest sibling beside it, its contents, its JSON; and says how to cite it."""
    page = client.get("/codes/cpt/0201T").text
    assert 'rel="prev" href="/codes/cpt/0200T"' in page
    assert 'href="/compare?codes=cpt:0201T&amp;codes=cpt:0200T"' in page
    for anchor in re.findall(r'href="#([^"]+)"', page):
        assert f'id="{anchor}"' in page
    assert 'href="/api/codes/cpt/0201T"' in page
    assert re.search(r"CPT code 0201T \(American Medical Association, [^)]+\)\. Read \d{4}-\d\d-\d\d\.", page)
    assert "ICD-10-PCS code 0QU13JZ (CMS, release 2026)" in client.get("/codes/icd10pcs/0QU13JZ").text


def test_the_status_page_says_what_serves(client: TestClient) -> None:
    """Snapshot, releases, model, figures and licences."""
    text = _text(client.get("/status").text)
    manifest = client.get("/api/status").json()
    for told in (
        manifest["snapshot"],
        "HCPC2026_JAN_codes.csv",
        manifest["model"]["sha256"],
        "Right first",
        "Licences",
    ):
        assert told in text


def test_a_long_passage_is_cut_around_what_matches() -> None:
    """At words, with its highlights in place, and told where something is left out."""
    text = "far away " * 40 + "bone cement is injected " + "and so on " * 40
    place = text.index("cement")
    shown = excerpt(Evidence(SectionKind.SUMMARY, text, ((place, place + 6),)))
    ((start, end),) = shown.highlights
    assert shown.text[start:end] == "cement"
    assert shown.text.startswith("… ")
    assert shown.text.endswith(" …")
    assert len(shown.text) <= SHOWN + 4
    assert set(shown.text.split()) - {"…"} <= set(text.split())
    short = Evidence(SectionKind.SUMMARY, "bone cement", ((5, 11),))
    assert excerpt(short) == short
    bullets = excerpt(Evidence(SectionKind.RISKS, "- pain\n- infection\n  - deep", ((9, 18),)))
    assert bullets.text.split() == ["pain", "·", "infection", "·", "deep"]
    assert bullets.text[9:18] == "infection"


@pytest.mark.parametrize(
    ("score", "words"),
    [(1.0, "Very likely"), (0.75, "Very likely"), (0.6, "Likely"), (0.3, "Possible"), (0, "Unlikely")],
)
def test_confidence_has_words(score: float, words: str) -> None:
    """Of a probability, its lower bounds included."""
    assert confidence(score)[1] == words
