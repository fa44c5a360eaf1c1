"""Receives what Codex exports over OTLP/HTTP, on this machine only; of traces and metrics nothing is read. An exporter
knows no token; a page in a browser is kept out by its Origin, by its Host, and as it may not send these content types.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable

import anyio
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from codex_usage.homes import Places
from codex_usage.homes.config import installation_secret
from codex_usage.index import Index
from codex_usage.index.telemetry import add_events, open_telemetry, telemetry_path
from codex_usage.logs.otlp import binary, read_export
from codex_usage.model import BadInput, UsageError
from codex_usage.serve.guard import Guard, Local, guarded, refusal

LOGS, _OTHERS = "/v1/logs", ("/v1/traces", "/v1/metrics")
MOST_BODY = 4 << 20  # also when it is inflated
_JSON, _BINARY = "application/json", "application/x-protobuf"
_LARGE = "That is larger than 4 MiB, or would be when it is inflated."
#: Seconds for a whole body, and to wait for the file; exports at once, of which one is worked on.
_PATIENCE, _LOCKED, _WAITING = 10.0, 5.0, 32


class Receiver(Guard):
    """A guarded application that takes exports, too. It answers when their events are stored: an exporter that gets no
    answer sends them again, which changes nothing."""

    def __init__(self, app: ASGIApp, token: str, port: int, places: Places) -> None:
        super().__init__(app, token, port)
        self._places, self._one, self._waiting = places, anyio.CapacityLimiter(1), 0
        self._found: Index | None = None

    def close(self) -> None:
        """Close the file of telemetry, if one was opened."""
        if self._found is not None:
            self._found.close()
            self._found = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] not in (LOGS, *_OTHERS):
            await super().__call__(scope, receive, send)
            return
        request, status, said = Request(scope, receive), 200, ""
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        try:
            self._check(request, kind)
            await self._take(request, kind)
        except ClientDisconnect:
            return
        except HTTPException as wrong:
            status, said = wrong.status_code, wrong.detail
        again = {"Retry-After": "2"} if status in (429, 503) else {}
        if kind == _BINARY:  # a Status of the protocol: its second field is the message
            response = Response(b"\x12%c%s" % (len(said), said.encode()) if said else b"", status, again, _BINARY)
        else:
            response = JSONResponse({"message": said} if said else {}, status, again)
        await guarded(response)(scope, receive, send)

    def _check(self, request: Request, kind: str) -> None:
        headers = request.headers
        for status, wrong, said in (
            (403, headers.get("host", "").lower() not in self._hosts, "This server is not of that name."),
            (403, "origin" in headers or "sec-fetch-site" in headers, "No page of a browser may send telemetry."),
            (405, request.method != "POST", "Exports are sent with POST."),
            (415, kind not in (_JSON, _BINARY), f"Send {_BINARY} or {_JSON}."),
            (415, kind == _BINARY and binary() is None, 'Install codex-usage-mcp[otlp], or set protocol = "json".'),
            (415, headers.get("content-encoding", "identity") not in ("identity", "gzip"), "Send gzip or plain bytes."),
            (413, int(headers.get("content-length", 0)) > MOST_BODY, _LARGE),
            (429, self._waiting >= _WAITING, "Too much at once; send it again later."),
        ):
            if wrong:
                raise HTTPException(status, said)

    async def _take(self, request: Request, kind: str) -> None:
        self._waiting += 1
        try:
            body = bytearray()
            with anyio.fail_after(_PATIENCE):
                async for part in request.stream():
                    body += part
                    if len(body) > MOST_BODY:
                        raise HTTPException(413, _LARGE)
            if request.url.path == LOGS:
                packed = request.headers.get("content-encoding") == "gzip"
                await anyio.to_thread.run_sync(self._keep, bytes(body), kind, packed, limiter=self._one)
        except TimeoutError:
            raise HTTPException(408, "The body did not come in time.") from None
        finally:
            self._waiting -= 1

    def _keep(self, body: bytes, kind: str, packed: bool) -> None:
        try:
            key = installation_secret(self._places.data)
            events = read_export(_inflated(body) if packed else body, kind == _BINARY, key)
        except (BadInput, zlib.error):
            raise HTTPException(400, "That is no export of OpenTelemetry logs.") from None
        path = telemetry_path(self._places.index)
        try:
            if not path.exists():  # somebody deleted it
                self.close()
            self._found = self._found or open_telemetry(path)
            add_events(self._found, events, _LOCKED)
        except UsageError:
            raise HTTPException(503, "It can't be stored now; `codex-usage doctor` tells why.") from None


def _inflated(body: bytes) -> bytes:
    packed = zlib.decompressobj(31)
    data = packed.decompress(body, MOST_BODY)
    if packed.unconsumed_tail:
        raise HTTPException(413, _LARGE)
    if not packed.eof or packed.unused_data:
        raise zlib.error
    return data


def receive(port: int, places: Places, say: Callable[[str], None]) -> None:
    """Receive telemetry until Ctrl-C or SIGTERM; `say` gets the address. Raises BadInput for a busy port."""
    nothing = refusal(404, f"Only telemetry is received here, at {LOGS}.")
    server = Local(port, lambda own: Receiver(nothing, "", own, places))
    say(f"Telemetry is received at http://127.0.0.1:{server.port}{LOGS} until Ctrl-C.")
    server.run(server.listeners)
