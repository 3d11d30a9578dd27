"""The pages: search, a code, comparison, working list, status."""

from __future__ import annotations

import json
from datetime import date
from functools import cache
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse
from fastapi.templating import Jinja2Templates

from index.records import CodeSystem
from search.engine import SearchEngine
from search.errors import EmptyQuery, RequestError
from search.facets import facets
from search.service import Service
from search.web import neighbourhood, shown
from search.web.comparison import compare, documents_of
from search.web.entry import anchor, citation, contents, names_by_source
from search.web.state import State

router = APIRouter(include_in_schema=False)

# Where an error is shown as a page; elsewhere it is JSON.
PAGES = ("/codes/", "/compare", "/list", "/status")

# Codes in each list of those like a code.
SIMILAR_SHOWN = 8

_FOLDER = Path(__file__).parent
_TITLES = {404: "Not found", 503: "Not ready"}

templates = Jinja2Templates(_FOLDER / "templates")
templates.env.filters.update(
    marked=shown.marked,
    excerpt=shown.excerpt,
    titled=shown.titled,
    section_html=shown.section_html,
    section_label=shown.section_label,
    confidence=shown.confidence,
    anchor=anchor,
)
templates.env.globals.update(
    systems=list(CodeSystem),
    filter_labels=shown.FILTERS,
    attribute_labels=shown.ATTRIBUTES,
    value_label=shown.value_label,
)
templates.env.trim_blocks = templates.env.lstrip_blocks = True


@router.get("/", response_class=HTMLResponse)
def search_page(request: Request) -> HTMLResponse:
    """The search page; with `q`, the results too, so that it works without JavaScript and can be linked to."""
    state = State.of(request.query_params)
    found = _results(request, state)
    if found["answer"]:
        found |= _filters(request, state)
    return templates.TemplateResponse(request, "search.html", found, found["status"])


@router.get("/results", response_class=HTMLResponse)
def results(request: Request) -> HTMLResponse:
    """The results alone, which the page's script puts in place as one types."""
    found = _results(request, State.of(request.query_params))
    return templates.TemplateResponse(request, "results.html", found, found["status"])


@router.get("/filters", response_class=HTMLResponse)
def filters(request: Request) -> HTMLResponse:
    """The filters alone: their counts take a search of their own, which no result waits for."""
    return templates.TemplateResponse(request, "filters.html", _filters(request, State.of(request.query_params)))


@router.get("/codes/{system}/{code}", response_class=HTMLResponse)
def code_page(request: Request, system: str, code: str) -> HTMLResponse:
    """One code's page, with the codes most like it."""
    engine = _engine(request)
    document = engine.catalogue.document(system, code)
    releases = engine.snapshot.manifest.releases
    similar = engine.similar(system, code, limit=SIMILAR_SHOWN)
    below = engine.catalogue.children(document)
    before, after = engine.catalogue.neighbours(document)
    near = list(dict.fromkeys(entry.document for entry in (*similar.siblings, *similar.related)))
    context = {
        "document": document,
        "similar": similar,
        "above": engine.catalogue.hierarchy(document),
        "below": below,
        "before": before,
        "after": after,
        "names": names_by_source(document),
        "contents": contents(document, similar, below),
        "citation": citation(document, releases, date.today()),
        "points": neighbourhood.neighbourhood(engine.snapshot, document, near),
        "map": neighbourhood,
        "notices": sorted({release.notice for release in releases if release.system == document.system} - {""}),
    }
    return templates.TemplateResponse(request, "code.html", context)


@router.get("/compare", response_class=HTMLResponse)
def compare_page(request: Request, codes: Annotated[list[str] | None, Query()] = None, only: str = "") -> HTMLResponse:
    """Two to four codes side by side; with `only=differences`, only the rows that differ."""
    documents = documents_of(_engine(request).catalogue, codes or [])
    blocks = compare(documents) if len(documents) > 1 else []
    names = [f"{document.system.value}:{document.code}" for document in documents]
    context = {"documents": documents, "blocks": blocks, "names": names, "only": only == "differences"}
    return templates.TemplateResponse(request, "compare.html", context)


@router.get("/list", response_class=HTMLResponse)
def list_page(request: Request) -> HTMLResponse:
    """The working list, which is kept in the browser and filled by its script."""
    return templates.TemplateResponse(request, "list.html")


@router.get("/status", response_class=HTMLResponse)
def status_page(request: Request) -> HTMLResponse:
    """What serves: snapshot, releases, model, and what was measured."""
    service: Service = request.app.state.service
    context = {"manifest": service.engine().snapshot.manifest, "refused": service.refused, "measured": _measured()}
    return templates.TemplateResponse(request, "status.html", context)


def error_page(request: Request, error: RequestError) -> HTMLResponse:
    """Returns the error as a page."""
    context = {"heading": _TITLES.get(error.status, "That did not work"), "message": str(error)}
    return templates.TemplateResponse(request, "error.html", context, error.status)


def _engine(request: Request) -> SearchEngine:
    service: Service = request.app.state.service
    return service.engine()


def _results(request: Request, state: State) -> dict[str, Any]:
    context: dict[str, Any] = {"state": state, "answer": None, "problem": None, "status": 200}
    try:
        engine = _engine(request)
        context |= {"answer": engine.search(state.request()), "groups": engine.groups}
    except EmptyQuery:
        pass
    except RequestError as error:
        context |= {"problem": str(error), "status": error.status}
    return context


def _filters(request: Request, state: State) -> dict[str, Any]:
    engine = _engine(request)
    try:
        found = facets(engine, state.request())
    except RequestError:
        found = ()  # the results say what is wrong
    return {"state": state, "facets": found, "groups": engine.groups}


@cache
def _measured() -> Any:
    """Returns the figures that the owners of relevance and speed keep with the code."""
    return json.loads((_FOLDER / "measured.json").read_text(encoding="utf-8"))
