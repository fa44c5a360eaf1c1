"""The live server of the page, on this machine only: questions as URLs in, answers as JSON out."""

from __future__ import annotations

import json
import os
import secrets
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from time import monotonic, time
from typing import Any

import anyio
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route, Router

from codex_usage import __version__
from codex_usage.answers.questions import Asked, ask
from codex_usage.answers.results import Answer
from codex_usage.evidence.context import call_context
from codex_usage.homes import Places
from codex_usage.homes.config import config_mark
from codex_usage.homes.platform import open_in_browser
from codex_usage.index import Refreshed
from codex_usage.index.telemetry import telemetry_path
from codex_usage.model import BadInput, IndexBusy, UsageError
from codex_usage.money.config import CONFIG_FILES
from codex_usage.present.page import meta, page, policy
from codex_usage.present.privacy import trouble
from codex_usage.serve.ask import reading
from codex_usage.serve.guard import EVENTS, REFRESH, Local, guarded, refusal
from codex_usage.serve.openapi import ALSO, CONTEXT, RESULTS, document
from codex_usage.serve.otlp import Receiver

#: Rows that one answer has at most, and questions worked on at once.
_MOST, _MOST_USAGE, _THREADS = 1_000, 100_000, 4
#: Seconds: a scan of tools; between looks at the logs, at least; a stream's step, and its sign of life.
_SCAN, _LOOK, _STEP, _ALIVE = 15.0, 1.0, 0.4, 15.0
_Values = Mapping[str, str]


class Server(Local):
    """The server of one page, and of telemetry: `url` opens it. Raises BadInput for a busy port."""

    def __init__(
        self, port: int, *, places: Places, zone: str | None, privacy: Callable[[Any], Any], lang: str,
        context_api: str, refresh: bool, week: str | None = None,
    ) -> None:  # fmt: skip
        self.token = secrets.token_urlsafe(32)
        self.places, self.privacy, self.lang, self.refresh = places, privacy, lang, refresh
        self._reading = partial(reading, zone=zone, week=week)
        self._looking, self._due, self._seen = threading.Lock(), 0.0, Refreshed()
        self._kept: dict[str, tuple[Any, str]] = {}  # each question's last answer, with all that it depends on
        self._few = anyio.CapacityLimiter(_THREADS)
        routes: dict[str, Any] = {f"/api/{name}": self._endpoint(partial(self.question, name)) for name in RESULTS}
        routes |= {
            "/api/context": self._endpoint(self.context), REFRESH: self._endpoint(self.reread), EVENTS: self._events,
            "/": self._endpoint(self.front, "text/html"),
            "/health": guarded(JSONResponse({"status": "ok", "version": __version__})),
            "/openapi.json": self._endpoint(lambda _: json.dumps(document())),
        }  # fmt: skip
        off = [("/api/context", "with --context-api explicit")] * (context_api == "disabled")
        off += [(REFRESH, "without --no-refresh")] * (not refresh)
        routes |= {path: refusal(403, f"That is switched off; start the server {how}.") for path, how in off}
        missing = refusal(404, "There is nothing here; /openapi.json lists what there is.")
        found = [Route(path, do, methods=["GET", "POST"]) for path, do in routes.items()]
        router = Router(found, redirect_slashes=False, default=missing)
        super().__init__(port, lambda own: Receiver(router, self.token, own, places))
        self.url = f"http://127.0.0.1:{self.port}/#token={self.token}"

    def look(self, asked: Asked, force: bool = False) -> Any:
        """See what is new in the logs, unless that was just done; returns a mark that changes with the index."""
        with self._looking:
            began = monotonic()
            if self.refresh and (force or began >= self._due or not self.places.index.exists()):
                with self._reading(asked) as context:
                    self._seen = context.refreshed
                self._due = monotonic() + max(_LOOK, 5 * (monotonic() - began))  # at most a sixth of the time
        return self._seen.busy, _states(self.places.index)

    def question(self, path: str, values: _Values) -> str:
        """The answer to the question of a path."""
        if path == "thread-calls" and not values.get("thread"):
            raise BadInput("thread-calls needs a thread: an id, its last 8 characters, or a name.")
        name = path.partition("/")[0].removeprefix("thread-")
        told = {ALSO.get(word, word): value for word, value in values.items()}
        if name == "diagnostics":
            told["scan"] = told.get("scan", "0") if self.refresh else "0"
        asked = Asked(name, told, self.places, None, _SCAN, _MOST_USAGE if name == "usage" else _MOST)
        heard = telemetry_path(self.places.index) if name == "diagnostics" else None
        state = told, self.look(asked), config_mark(CONFIG_FILES), int(time()) // 60, _states(heard)
        kept = self._kept.get(path)
        if kept is None or kept[0] != state:
            with self._reading(asked, seen=self._seen) as context:
                kept = self._kept[path] = state, self.privacy(ask(context, asked)).model_dump_json()
        return kept[1]

    def context(self, values: _Values) -> str:
        """The evidence of a call."""
        if unknown := values.keys() - set(CONTEXT):
            raise BadInput(f"context has no argument {min(unknown)!r}; it takes {', '.join(CONTEXT)}.")
        flags = {word: values.get(word) in ("1", "true") for word in CONTEXT[2:]}
        call, mode = values.get("call", ""), values.get("mode") or "quick"
        with self._reading(Asked("call", {}, self.places), seen=self._seen) as context:
            found = call_context(context.index, self.places, call, mode=mode, **flags)
        return str(self.privacy(found).model_dump_json())

    def reread(self, _: _Values) -> str:
        """The status, after a look at the logs."""
        self.look(Asked("status", {}, self.places), force=True)
        return self.question("status", {})

    def front(self, _: _Values) -> str:
        """The page without any data."""
        with self._reading(Asked("status", {}, self.places), seen=self._seen) as context:
            told = meta(context, self.privacy(Answer()), self.lang, live=True)
        return page({"meta": told}, self.lang)

    def _endpoint(self, work: Callable[[_Values], str], kind: str = "application/json") -> Any:
        async def endpoint(request: Request) -> Response:
            try:
                values = {**request.query_params, **request.path_params}
                told = await anyio.to_thread.run_sync(work, values, limiter=self._few)
                return guarded(Response(told, media_type=kind), *([policy()] if work == self.front else []))
            except UsageError as error:
                status = {BadInput: 400, IndexBusy: 503}.get(type(error), 409)
                return refusal(status, trouble(error, self.privacy))
            except OverflowError:
                return refusal(400, "A number or a time is too large.")
            except Exception as error:  # the last line of defence: no traceback and no path reaches a client
                return refusal(500, f"codex-usage failed ({type(error).__name__}); run `codex-usage doctor`.")

        return endpoint

    async def _events(self, _: Request) -> Response:
        return guarded(StreamingResponse(self._stream(), media_type="text/event-stream"))

    async def _stream(self) -> AsyncIterator[str]:
        seen, now, quiet = None, None, _ALIVE
        while not self.should_exit:
            with suppress(Exception):  # the index is in use, or gone for now
                now = await anyio.to_thread.run_sync(self.look, Asked("status", {}, self.places))
                seen = seen or now
            if seen != now or quiet >= _ALIVE:
                yield ": here\n\n" if seen == now else "event: changed\ndata: {}\n\n"
                seen, quiet = now, 0.0
            await anyio.sleep(_STEP)
            quiet += _STEP


def _states(path: Path | None) -> list[tuple[int, int, int] | None]:
    """Size, time and inode of a database and of its log of changes; None for what is missing or empty, as that log
    comes and goes."""
    return [_state(f"{path}{end}") for end in ("", "-wal")] if path else []


def _state(path: str) -> tuple[int, int, int] | None:
    with suppress(OSError):
        found = os.stat(path)  # noqa: PTH116 (of a thousand)
        return (found.st_size, found.st_mtime_ns, found.st_ino) if found.st_size else None
    return None


def run(port: int, *, open_browser: bool, say: Callable[[str], None], **settings: Any) -> None:
    """Serve the page (`settings` are Server's) until Ctrl-C or SIGTERM; `say` gets the URL with the token."""
    server = Server(port, **settings)
    say(server.url)
    if open_browser:
        open_in_browser(server.url)
    server.run(server.listeners)
