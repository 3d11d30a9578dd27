"""The bound on requests that wait: beyond it, an answer says at once when to come again."""

from __future__ import annotations

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from search.errors import Overloaded, RequestError

# Requests that a process works on or holds waiting. At some 80 answers a second the last one waits under a second;
# more would wait longer than people do, and their answers would be made for nobody.
MOST_WAITING = 64

# Seconds after which a client that was turned away may come again: the queue is empty by then.
RETRY_AFTER = 1

# What computes nothing and answers at any load: whether the process lives, and the files of the pages.
_FREE = ("/healthz", "/readyz", "/static/")


class Admission:
    """Answers 503 with Retry-After while `MOST_WAITING` requests wait."""

    def __init__(self, app: ASGIApp, refuse: Callable[[Request, RequestError], Response]) -> None:
        """Takes what makes a response of an error."""
        self._app, self._refuse = app, refuse
        self._waiting = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(_FREE):
            await self._app(scope, receive, send)
        elif self._waiting >= MOST_WAITING:
            error = Overloaded(f"{MOST_WAITING} requests wait already: try again in {RETRY_AFTER} s")
            response = self._refuse(Request(scope), error)
            response.headers["retry-after"] = str(RETRY_AFTER)
            await response(scope, receive, send)
        else:
            self._waiting += 1
            try:
                await self._app(scope, receive, send)
            finally:
                self._waiting -= 1
