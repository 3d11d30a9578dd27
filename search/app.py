"""The FastAPI application: lifespan, limits, and one shape for every error."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from anyio.to_thread import current_default_thread_limiter
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from search.admission import Admission
from search.api import native
from search.api.models import error_answer
from search.errors import (
    BodyTooLarge,
    Internal,
    InvalidParameter,
    MalformedBody,
    MethodNotAllowed,
    NotFound,
    RequestError,
)
from search.service import Service
from search.settings import Settings
from search.web import routes as web

# Bytes. A full batch of the longest queries, every character escaped as \uXXXX\uXXXX, is 1.2 MB.
MAX_BODY = 1_500_000

SECURITY_HEADERS = {
    "content-security-policy": "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",  # a page's address may hold a query
    "x-content-type-options": "nosniff",
}


def create_app(settings: Settings) -> FastAPI:
    """Returns the application; it opens its index when it starts and follows `current` from then on."""

    threads = max(1, (os.cpu_count() or 1) // settings.processes)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        service: Service = app.state.service
        # Routes that compute run in threads: no more of them than cores for this process.
        current_default_thread_limiter().total_tokens = threads
        await asyncio.to_thread(service.open)
        watcher = asyncio.create_task(service.watch(settings.reload_seconds))
        yield
        watcher.cancel()
        with suppress(asyncio.CancelledError):
            await watcher

    # The interactive documentation would load scripts from a CDN; /openapi.json stays.
    app = FastAPI(title="Procedure code search", lifespan=lifespan, docs_url=None, redoc_url=None)
    app.state.service = Service(settings.home)
    app.include_router(native.router)
    app.include_router(web.router)
    app.mount("/static", StaticFiles(directory=Path(web.__file__).parent / "static"), name="static")
    app.add_exception_handler(RequestError, _request_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(Exception, _unexpected_error)
    app.add_middleware(Admission, refuse=_answer)
    app.add_middleware(Limits)
    return app


def _answer(request: Request, error: RequestError) -> Response:
    if request.url.path.startswith(web.PAGES):
        return web.error_page(request, error)
    return JSONResponse(error_answer(error).model_dump(), error.status)


def _request_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestError)
    return _answer(request, error)


def _validation_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    errors = error.errors()
    kind = MalformedBody if any(entry["type"] == "json_invalid" for entry in errors) else InvalidParameter
    return _answer(request, kind(native.validation_message(errors)))


def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    path = request.url.path[:100]
    if error.status_code == 405:
        return _answer(request, MethodNotAllowed(f"{request.method} is not answered at {path!r}"))
    if error.status_code == 404:
        return _answer(request, NotFound(f"nothing is at {path!r}"))
    return _answer(request, MalformedBody("the body can't be read as JSON in UTF-8"))


def _unexpected_error(request: Request, error: Exception) -> Response:
    return _answer(request, Internal("the request could not be answered; the service's log says why"))


class Limits:
    """Refuses bodies over `MAX_BODY` before they are held in memory, and adds the security headers."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                added = [(name.encode(), value.encode()) for name, value in SECURITY_HEADERS.items()]
                message = {**message, "headers": [*message["headers"], *added]}
            await send(message)

        body, more = bytearray(), True
        while more and len(body) <= MAX_BODY:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            more = message.get("more_body", False)
        if len(body) > MAX_BODY:
            error = BodyTooLarge(f"the body has more than {MAX_BODY:,} bytes, the most that is read")
            response = JSONResponse(error_answer(error).model_dump(), error.status, {"connection": "close"})
            await response(scope, receive, send_with_headers)
            return
        held: list[Message] = [{"type": "http.request", "body": bytes(body), "more_body": False}]

        async def replay() -> Message:
            return held.pop() if held else await receive()

        await self._app(scope, replay, send_with_headers)
