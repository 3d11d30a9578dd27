"""The native JSON interface: search, batch, codes, similar codes, status."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Request
from fastapi import Path as PathParameter
from fastapi import Query as QueryParameter
from fastapi.responses import Response
from pydantic import BaseModel, ValidationError

from index.records import Document
from index.text import clean
from search.api.models import (
    BatchAnswer,
    BatchRequest,
    ChangesAnswer,
    CodeAnswer,
    ErrorAnswer,
    PoliciesAnswer,
    SearchAnswer,
    SearchBody,
    SimilarAnswer,
    StatusAnswer,
    SuggestAnswer,
    error_answer,
    search_answer,
)
from search.engine import SearchEngine
from search.errors import InvalidParameter, RequestError
from search.request import SearchRequest
from search.service import Service

router = APIRouter(
    responses={status: {"model": ErrorAnswer} for status in (400, 404, 413, 503)},
)

SystemPath = Annotated[str, PathParameter(description="Code system: cpt, hcpcs or icd10pcs.", examples=["cpt"])]
CodePath = Annotated[str, PathParameter(description="A code, in any case, stray spaces allowed.", examples=["0201T"])]


def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


def _json(answer: BaseModel) -> Response:
    """Returns the answer as it is: FastAPI would check and convert it once more, which takes a millisecond."""
    return Response(answer.model_dump_json(), media_type="application/json")


def _search(engine: SearchEngine, body: SearchBody) -> SearchAnswer:
    checked = SearchRequest.checked(**body.model_dump())
    return search_answer(engine.search(checked), engine.snapshot.manifest)


@router.get("/api/search", summary="Ranked codes for a query in one's own words", response_model=SearchAnswer)
def search(request: Request, body: Annotated[SearchBody, QueryParameter()]) -> Response:
    return _json(_search(_service(request).engine(), body))


@router.post(
    "/api/search",
    summary="The same, the fields as JSON: nothing of the query in the address",
    response_model=SearchAnswer,
)
def search_posted(request: Request, body: SearchBody) -> Response:
    return _json(_search(_service(request).engine(), body))


@router.post(
    "/api/search/batch", summary="Up to 100 searches; one bad item never fails the rest", response_model=BatchAnswer
)
def search_batch(request: Request, body: BatchRequest) -> Response:
    engine = _service(request).engine()
    return _json(BatchAnswer(results=[_batch_item(engine, item) for item in body.queries]))


def _batch_item(engine: SearchEngine, item: Any) -> SearchAnswer | ErrorAnswer:
    try:
        return _search(engine, SearchBody.model_validate(item))
    except ValidationError as error:
        return error_answer(InvalidParameter(validation_message(error.errors())))
    except RequestError as error:
        return error_answer(error)


@router.get("/api/codes/{system}/{code}", summary="All that the index holds of one code")
def code(request: Request, system: SystemPath, code: CodePath) -> CodeAnswer:
    engine = _service(request).engine()
    document = engine.catalogue.document(system, code)
    return CodeAnswer.of(document, engine.catalogue.hierarchy(document), engine.catalogue.children(document))


@router.get("/api/codes/{system}/{code}/similar", summary="Codes most like one code, and what differs")
def similar(
    request: Request,
    system: SystemPath,
    code: CodePath,
    limit: Annotated[int, QueryParameter(description="How many at most, 1 to 100.")] = 10,
) -> SimilarAnswer:
    engine = _service(request).engine()
    document: Document = engine.catalogue.document(system, code)
    return SimilarAnswer.of(document, engine.similar(system, code, limit))


@router.get(
    "/api/suggest", summary="Names and codes that begin as typed, while one types", response_model=SuggestAnswer
)
def suggest(
    request: Request,
    q: Annotated[str, QueryParameter(description="What is typed so far.", examples=["lap cho"])],
    limit: Annotated[int, QueryParameter(description="How many at most, 1 to 20.")] = 8,
) -> Response:
    return _json(SuggestAnswer.of(_service(request).engine().suggest(q, limit)))


@router.get("/api/policies", summary="The policies of many codes at once")
def policies(
    request: Request,
    codes: Annotated[list[str], QueryParameter(description="system:code, up to 100 times.", examples=["cpt:0201T"])],
) -> PoliciesAnswer:
    return PoliciesAnswer.of(_service(request).engine().catalogue.policies(codes))


@router.get("/api/releases/{system}/changes", summary="What releases did to codes")
def changes(
    request: Request,
    system: SystemPath,
    after: Annotated[str, QueryParameter(alias="from", description="The release before.", examples=["2025"])],
    until: Annotated[str, QueryParameter(alias="to", description="The release after.", examples=["2026"])],
) -> ChangesAnswer:
    return ChangesAnswer.of(_service(request).engine().catalogue.changes(system, after, until))


@router.get("/api/status", summary="The snapshot that serves, its releases, counts and model")
def status(request: Request) -> StatusAnswer:
    service = _service(request)
    return StatusAnswer.of(service.engine().snapshot.manifest, service.refused)


@router.get("/healthz", summary="The process answers")
async def healthz() -> dict[str, str]:
    return {"status": "ok"}


@router.get("/readyz", summary="An index is open", responses={503: {"model": ErrorAnswer}})
async def readyz(request: Request) -> dict[str, str]:
    return {"status": "ready", "snapshot": _service(request).engine().snapshot.manifest.id}


def validation_message(errors: Any) -> str:
    """Returns what pydantic found wrong, in one line, without the input: it may hold patient details."""
    return clean(
        "; ".join(
            f"{'.'.join(str(part)[:40] for part in error['loc'] if part not in ('query', 'body')) or 'body'}:"
            f" {error['msg']}"
            for error in errors[:5]
        )
    )
