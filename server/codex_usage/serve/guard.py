"""Lets in only the page of this server, and who holds its token. A page of another site can't pass: with DNS rebinding
its Host is another name, its forms and scripts tell their Origin or Sec-Fetch-Site, and it can't know the token, which
stands in the URL's fragment and is never sent by itself."""

from __future__ import annotations

import hmac
from asyncio import BaseTransport
from typing import Any

from starlette.datastructures import Headers
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

TOKEN = "X-Codex-Usage-Token"  # noqa: S105 (a header's name)
REFRESH, EVENTS = "/api/refresh", "/api/events"
MOST_BODY = 64 << 10
_PATIENCE = 10.0  # seconds for a client to tell a request, and to take its answer
_HEADERS = {
    "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin",
}  # fmt: skip


def guarded(response: Response, policy: str = "default-src 'none'") -> Response:
    """A response with the headers that all have, and a Content-Security-Policy."""
    response.headers.update({**_HEADERS, "Content-Security-Policy": f"{policy}; frame-ancestors 'none'"})
    return response


def refusal(status: int, sentence: str, **headers: str) -> Response:
    """A sentence that says what is wrong and the mend."""
    return guarded(JSONResponse({"error": sentence}, status, headers))


class Guard:
    """An application that only good requests reach; `port` is the server's own. No endpoint reads a body."""

    def __init__(self, app: ASGIApp, token: str, port: int) -> None:
        self._app, self._token = app, token.encode()
        self._hosts = [f"{name}{end}" for name in ("127.0.0.1", "localhost", "[::1]") for end in (f":{port}", "")]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await (self._refused(scope["method"], scope["path"], Headers(scope=scope)) or self._app)(scope, receive, send)

    def _refused(self, method: str, path: str, headers: Headers) -> Response | None:
        host, allowed = headers.get("host", "").lower(), "POST" if path == REFRESH else "GET"
        own = f"http://{host}"
        if host not in self._hosts:
            return refusal(403, f"This server is not {host[:80]!r}; open it at http://{self._hosts[0]}/.")
        if headers.get("origin", own) != own or headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
            return refusal(403, f"Another site asked; open the page itself at {own}/.")
        if method != allowed:
            return refusal(405, f"{path[:80]} takes {allowed} only.", Allow=allowed)
        if path.startswith("/api/") and not hmac.compare_digest(headers.get(TOKEN, "").encode(), self._token):
            return refusal(401, f"The header {TOKEN} lacks this server's token; open the URL that it printed.")
        if int(headers.get("content-length", 0)) > MOST_BODY or "transfer-encoding" in headers:
            return refusal(413, "The body is larger than 64 KiB or of unknown length; send none.")
        return None


class Connection(H11Protocol):
    """A connection that is cut when its client tells no whole request, or takes no answer; uvicorn alone would wait."""

    _before: Any = None

    def connection_made(self, transport: BaseTransport) -> None:
        """Begin to watch."""
        super().connection_made(transport)  # type: ignore[arg-type]
        self.loop.call_later(_PATIENCE, self._watch)

    def _watch(self) -> None:
        if self.cycle is self._before and (self.cycle is None or self.cycle.response_complete):
            self.transport.abort()  # nothing has begun since the last look
        elif self in self.connections:
            self._before = self.cycle
            self.loop.call_later(_PATIENCE, self._watch)
