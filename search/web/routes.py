"""The search page and a code's page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse
from fastapi.templating import Jinja2Templates
from markdown_it import MarkdownIt
from markupsafe import Markup, escape

from index.records import CodeSystem
from search.engine import Answer, Evidence
from search.errors import EmptyQuery, RequestError
from search.request import SearchRequest
from search.service import Service

router = APIRouter(include_in_schema=False)

# Sections hold plain text with lists; no other mark-up is understood, and everything else is escaped.
_lists = MarkdownIt("zero", {"breaks": True}).enable(["list", "newline"])

_TITLES = {404: "Not found", 503: "Not ready"}


def marked(passage: Evidence) -> Markup:
    """Returns the passage as safe HTML with its highlights in <mark>."""
    parts, position = [], 0
    for start, end in passage.highlights:
        parts += [escape(passage.text[position:start]), Markup("<mark>{}</mark>").format(passage.text[start:end])]
        position = end
    return Markup("").join([*parts, escape(passage.text[position:])])


def section_html(text: str) -> Markup:
    """Returns a section's text as safe HTML: paragraphs, numbered and bulleted lists."""
    return Markup(_lists.render(text))


templates = Jinja2Templates(Path(__file__).parent / "templates")
templates.env.filters.update(marked=marked, section_html=section_html)
templates.env.globals.update(systems=list(CodeSystem))
templates.env.trim_blocks = templates.env.lstrip_blocks = True


@router.get("/", response_class=HTMLResponse)
def search_page(
    request: Request, q: Annotated[str, Query()] = "", system: Annotated[str, Query()] = ""
) -> HTMLResponse:
    """The search page; with `q`, the results too, so that it works without JavaScript and can be linked to."""
    context = {"q": q, "system": system, **_results(request, q, system)}
    return templates.TemplateResponse(request, "search.html", context)


@router.get("/results", response_class=HTMLResponse)
def results(request: Request, q: str = "", system: str = "") -> HTMLResponse:
    """The results alone, which the page's script puts in place as one types."""
    return templates.TemplateResponse(request, "results.html", _results(request, q, system))


@router.get("/codes/{system}/{code}", response_class=HTMLResponse)
def code_page(request: Request, system: str, code: str) -> HTMLResponse:
    """One code's page, with the codes most like it."""
    service: Service = request.app.state.service
    engine = service.engine()
    document = engine.catalogue.document(system, code)
    releases = engine.snapshot.manifest.releases
    context = {
        "document": document,
        "similar": engine.similar(system, code, limit=8),
        "above": engine.catalogue.hierarchy(document),
        "below": engine.catalogue.children(document),
        "notices": sorted({release.notice for release in releases if release.system == document.system} - {""}),
    }
    return templates.TemplateResponse(request, "code.html", context)


def error_page(request: Request, error: RequestError) -> HTMLResponse:
    """Returns the error as a page."""
    context = {"heading": _TITLES.get(error.status, "That did not work"), "message": str(error)}
    return templates.TemplateResponse(request, "error.html", context, error.status)


def _results(request: Request, q: str, system: str) -> dict[str, Answer | str | None]:
    service: Service = request.app.state.service
    try:
        checked = SearchRequest.checked(q, system=system, limit=20)
        return {"answer": service.engine().search(checked), "problem": None}
    except EmptyQuery:
        return {"answer": None, "problem": None}
    except RequestError as error:
        return {"answer": None, "problem": str(error)}
