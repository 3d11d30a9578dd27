"""The bound on waiting requests."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.types import Receive, Scope, Send

from search import admission
from search.admission import Admission
from search.errors import RequestError


def _refuse(request: Request, error: RequestError) -> JSONResponse:
    return JSONResponse({"code": error.code}, error.status)


def test_beyond_the_bound_a_request_is_told_when_to_come_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two wait, the third is turned away at once, health is told, and when one is answered another may come."""
    monkeypatch.setattr(admission, "MOST_WAITING", 2)

    async def scenario() -> None:
        done = asyncio.Event()

        async def slow(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["path"] != "/healthz":
                await done.wait()
            await PlainTextResponse("answered")(scope, receive, send)

        server = Admission(slow, _refuse)
        transport = httpx.ASGITransport(server)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            waiting = [asyncio.create_task(client.get("/api/search")) for _ in range(2)]
            while server._waiting < 2:
                await asyncio.sleep(0)
            refused = await client.get("/api/search")
            assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
            assert refused.json() == {"code": "overloaded"}
            assert (await client.get("/healthz")).text == "answered"
            done.set()
            assert [(await task).status_code for task in waiting] == [200, 200]
            assert (await client.get("/api/search")).status_code == 200

    asyncio.run(scenario())


def test_a_request_that_fails_no_longer_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """What raises gives its place up."""
    monkeypatch.setattr(admission, "MOST_WAITING", 1)

    async def broken(scope: Scope, receive: Receive, send: Send) -> None:
        raise ValueError("broken")

    async def scenario() -> None:
        transport = httpx.ASGITransport(Admission(broken, _refuse))
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            for _ in range(3):
                with pytest.raises(ValueError, match="broken"):
                    await client.get("/api/search")

    asyncio.run(scenario())
