"""Lets in only the page of this server, and who holds its token. A page of another site can't pass: with DNS rebinding
its Host is another name, its forms and scripts tell their Origin or Sec-Fetch-Site, and it can't know the token, which
stands in the URL's fragment and is never sent by itself."""

from __future__ import annotations

import gc
import hmac
import socket
from asyncio import BaseTransport
from collections.abc import Callable
from types import FrameType
from typing import Any

import uvicorn
from starlette.datastructures import Headers
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from codex_usage.model import BadInput

TOKEN = "X-Codex-Usage-Token"  # noqa: S105 (a header's name)
REFRESH, EVENTS = "/api/refresh", "/api/events"
MOST_BODY = 64 << 10
_PATIENCE = 10.0  # seconds for a client to tell a request, and to take its answer
_CLIENTS = 256  # at once
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


class Local(uvicorn.Server):
    """A server on this machine only, of the application that `app` makes for its `port`; `listeners` listen already.
    Raises BadInput for a busy port."""

    def __init__(self, port: int, app: Callable[[int], ASGIApp]) -> None:
        try:
            self.listeners = [socket.create_server(("127.0.0.1", port))]
        except OSError as error:
            raise BadInput(f"Port {port} can't be used ({error.strerror}); --port 0 takes a free one.") from error
        self.port: int = self.listeners[0].getsockname()[1]
        super().__init__(uvicorn.Config(
            app(self.port), http=Connection, ws="none", loop="asyncio", lifespan="off", log_config=None,
            log_level="critical", access_log=False, proxy_headers=False, server_header=False,
            limit_concurrency=_CLIENTS, timeout_graceful_shutdown=3,
        ))  # fmt: skip

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until told to stop, then close what the application has open."""
        gc.freeze()  # what is loaded stays: it need not be looked through each time
        gc.enable()  # the command line lives without
        try:
            super().run(sockets)
        finally:
            self.config.app.close()  # type: ignore[union-attr]

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """End without a signal's exit code: to end is what was asked for."""
        self.should_exit = True
