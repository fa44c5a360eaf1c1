"""The live server of the page, on this machine only: questions as URLs in, answers as JSON out."""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import threading
import webbrowser
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from time import monotonic, time
from types import FrameType
from typing import Any

import anyio
import uvicorn
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route, Router

from codex_usage import __version__
from codex_usage.answers import make_context
from codex_usage.answers.questions import Asked, ask
from codex_usage.answers.results import Answer
from codex_usage.homes import Places
from codex_usage.homes.config import config_mark
from codex_usage.index import Refreshed, open_index, queries
from codex_usage.model import BadInput, IndexBusy, UsageError
from codex_usage.model.privacy import Text
from codex_usage.money.config import CONFIG_FILES
from codex_usage.present.page import meta, page, policy
from codex_usage.serve.ask import reading
from codex_usage.serve.guard import EVENTS, Connection, Guard, guarded, refusal
from codex_usage.serve.openapi import ALSO, CONTEXT, RESULTS, document

#: Rows that one answer has at most; clients at once, and questions worked on at once.
_MOST, _MOST_USAGE, _CLIENTS, _THREADS = 1_000, 100_000, 256, 4
#: Seconds: a scan of tools; between looks at the logs for open streams; a stream's step, and its sign of life.
_SCAN, _LOOK, _STEP, _ALIVE = 15.0, 0.5, 0.2, 15.0
#: Logs that are watched, the newest ones: when an older one grows, the next question sees it.
_WATCHED = 1_000
_Values = Mapping[str, str]
_Work = Callable[[_Values], BaseModel | str]


class Trouble(Answer):
    """What is wrong, with the mend."""

    error: Text


class Refused(UsageError):  # noqa: N818
    """A status and a sentence: 404, or 403 for what this server was started without."""


@dataclass
class Live:
    """What the endpoints share. Its methods run in threads, and raise UsageError."""

    places: Places
    zone: str | None
    privacy: Callable[[Any], Any]
    lang: str
    context_api: str
    refresh: bool
    #: Grows when open streams have something to tell.
    version: int = 0
    _seen: Refreshed = field(default_factory=Refreshed)
    _due: float = 0.0
    _looking: Any = field(default_factory=threading.Lock)
    _marks: dict[str, Any] | None = None
    #: Each question's last answer, with all that it depends on.
    _kept: dict[str, tuple[Any, str]] = field(default_factory=dict)

    def look(self, asked: Asked, force: bool = False) -> None:
        """See what is new in the logs, unless that was just done: a page asks much at once."""
        with self._looking:
            began = monotonic()
            if self.refresh and (force or began >= self._due or not self.places.index.exists()):
                with reading(asked, self.zone) as context:
                    self._seen = context.refreshed
                self._due = monotonic() + min(max(1.0, 10 * (monotonic() - began)), 10.0)

    def question(self, path: str, values: _Values) -> str:
        """The answer to what `path` asks, one of QUESTIONS."""
        if path == "thread-calls" and not values.get("thread"):
            raise BadInput("thread-calls needs a thread: an id, its last 8 characters, or a name.")
        name, told = (
            path.partition("/")[0].removeprefix("thread-"),
            {ALSO.get(word, word): values[word] for word in values},
        )
        if name == "diagnostics":
            told["scan"] = told.get("scan", "0") if self.refresh else "0"
        asked = Asked(name, told, self.places, None, _SCAN, _MOST_USAGE if name == "usage" else _MOST)
        self.look(asked)
        index = [_state(f"{self.places.index}{end}") for end in ("", "-wal")]
        state = told, index, self._seen.busy, config_mark(CONFIG_FILES), int(time()) // 60
        kept = self._kept.get(path)
        if kept is None or kept[0] != state:
            with reading(asked, self.zone, self._seen) as context:
                kept = self._kept[path] = state, self.privacy(ask(context, asked)).model_dump_json()
        return kept[1]

    def context(self, values: _Values) -> BaseModel:
        """The evidence of a call."""
        from codex_usage.evidence.context import call_context  # only who asks for it needs it

        if self.context_api == "disabled":
            raise Refused(403, "Context is switched off; start the server with --context-api explicit.")
        if unknown := values.keys() - set(CONTEXT):
            raise BadInput(f"context has no argument {min(unknown)!r}; it takes {', '.join(CONTEXT)}.")
        flags = {word: values.get(word) in ("1", "true") for word in CONTEXT[2:]}
        with reading(Asked("call", {}, self.places), self.zone, self._seen) as context:
            call, mode = values.get("call", ""), values.get("mode") or "quick"
            return call_context(context.index, self.places, call, mode=mode, **flags)

    def reread(self, _: _Values) -> BaseModel:
        """How far the index reaches, after a look at the logs."""
        if not self.refresh:
            raise Refused(403, "Reading new logs is switched off; start the server without --no-refresh.")
        self.look(asked := Asked("status", {}, self.places), force=True)
        with reading(asked, self.zone, self._seen) as context:
            return context.coverage()

    def front(self, _: _Values) -> str:
        """The page without any data."""
        with open_index(self.places.index) as index:
            told = meta(make_context(index, self.zone), self.privacy(Answer()), self.lang, live=True)
        return page({"meta": told}, self.lang)

    def watch(self) -> None:
        """Notice what changed in the newest logs and their folders, or without refresh in the index."""
        now = {path: _state(path) for path in self._marks or ()}
        if self._marks is None or now != self._marks:
            if self._marks is not None:
                self.look(Asked("status", {}, self.places), force=True)
                self.version += 1
            # as it was before the logs were read: what changed since then is seen next time
            self._marks = {path: now.get(path, state) for path, state in self._watched().items()}

    def _watched(self) -> dict[str, Any]:
        if not self.refresh:
            return {str(self.places.index): _state(str(self.places.index))}
        with open_index(self.places.index) as index:
            logs = queries.newest_logs(index, _WATCHED)
        folders = {str(folder) for log in logs for folder in Path(log).parents[:3]}
        for name in ("sessions", "archived_sessions", "projects"):
            folders |= {str(home / name) for home in self.places.homes}
        return {folder: _state(folder) for folder in folders} | {log: tuple(logs[log]) for log in logs}


def _state(path: str) -> tuple[int, int, int] | None:
    """Size, time and inode; None for what is missing or empty, as the index's log of changes comes and goes."""
    with suppress(OSError):
        found = os.stat(path)  # noqa: PTH116 (of a thousand)
        return (found.st_size, found.st_mtime_ns, found.st_ino) if found.st_size else None
    return None


class Server(uvicorn.Server):
    """The server of one page. `url` opens it; `listeners` listen already. Raises BadInput for a busy port."""

    def __init__(self, live: Live, port: int) -> None:
        try:
            self.listeners = [socket.create_server(("127.0.0.1", port))]
        except OSError as error:
            raise BadInput(f"Port {port} can't be used ({error.strerror}); --port 0 takes a free one.") from error
        self.live, self.token, port = live, secrets.token_urlsafe(32), self.listeners[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{port}/#token={self.token}"
        self._few, self._next_look = anyio.CapacityLimiter(_THREADS), 0.0
        own: dict[str, _Work] = {"context": live.context, "refresh": live.reread}
        works = {f"/api/{name}": own.get(name) or partial(live.question, name) for name in RESULTS}
        works |= {"/": live.front, "/openapi.json": lambda _: json.dumps(document()), "/{other:path}": _missing}
        works["/health"] = lambda _: json.dumps({"status": "ok", "version": __version__})
        routes = [Route(path, self._endpoint(path, work), methods=["GET", "POST"]) for path, work in works.items()]
        router = Router([Route(EVENTS, self._events), *sorted(routes, key=lambda route: "other" in route.path)])
        super().__init__(uvicorn.Config(
            Guard(router, self.token, port), http=Connection, ws="none", loop="asyncio", lifespan="off",
            log_config=None, log_level="critical", access_log=False, proxy_headers=False, server_header=False,
            limit_concurrency=_CLIENTS, timeout_graceful_shutdown=3,
        ))  # fmt: skip

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """End without a signal's exit code: to end is what was asked for."""
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self.should_exit = True

    def _endpoint(self, path: str, work: _Work) -> Callable[[Request], Awaitable[Response]]:
        kind, rules = ("text/html", [policy]) if path == "/" else ("application/json", [])

        def text(values: _Values) -> str:
            told = work(values)
            return told if isinstance(told, str) else str(self.live.privacy(told).model_dump_json())

        async def endpoint(request: Request) -> Response:
            try:
                values = {**request.query_params, **request.path_params}
                told = await anyio.to_thread.run_sync(text, values, limiter=self._few)
                return guarded(Response(told, media_type=kind), *(rule() for rule in rules))
            except UsageError as error:
                status = {BadInput: 400, IndexBusy: 503, Refused: error.args[0]}.get(type(error), 409)
                return refusal(status, self.live.privacy(Trouble(error=str(error.args[-1]))).error)
            except Exception as error:  # the last line of defence: no traceback and no path reaches a client
                return refusal(500, f"codex-usage failed ({type(error).__name__}); run `codex-usage doctor`.")

        return endpoint

    async def _events(self, _: Request) -> Response:
        return guarded(StreamingResponse(self._stream(), media_type="text/event-stream"))

    async def _stream(self) -> AsyncIterator[str]:
        seen, quiet = self.live.version, 0.0
        yield ": here\n\n"
        while not self.should_exit:
            if monotonic() >= self._next_look:  # one of all open streams looks
                self._next_look = float("inf")
                try:
                    with suppress(Exception):  # the index is in use, or gone for now
                        await anyio.to_thread.run_sync(self.live.watch)
                finally:
                    self._next_look = monotonic() + _LOOK
            if seen != self.live.version or quiet >= _ALIVE:
                yield ": here\n\n" if seen == self.live.version else "event: changed\ndata: {}\n\n"
                seen, quiet = self.live.version, 0.0
            await anyio.sleep(_STEP)
            quiet += _STEP


def _missing(_: _Values) -> str:
    raise Refused(404, "There is nothing here; /openapi.json lists what there is.")


def run(
    port: int, *, places: Places, zone: str | None, privacy: Callable[[Any], Any], lang: str, context_api: str,
    refresh: bool, open_browser: bool, say: Callable[[str], None],
) -> None:  # fmt: skip
    """Serve the page until Ctrl-C or SIGTERM; `say` gets the URL with the token. Raises BadInput for a busy port."""
    server = Server(Live(places, zone, privacy, lang, context_api, refresh), port)
    say(f"The dashboard is at {server.url} until Ctrl-C.")
    if open_browser and not webbrowser.open(server.url):
        say("No browser could be opened; open the URL yourself.")
    server.run(server.listeners)
