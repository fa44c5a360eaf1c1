"""A scripted stand-in for the OpenAI Responses API that keeps a ledger of what it billed.

In: a script (a list of `Step`, or a callable from `Request` to `Step`). Out: an HTTP server on a free
loopback port speaking JSON and server-sent events, `requests` (every model request, body included) and
`billed` (those whose usage reached the client, each with its vector).
"""

from __future__ import annotations

import gzip
import json
import select
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal, Self

from tests.lab import calls
from tests.lab.calls import Call, Json
from tests.lab.ledger import Request, Usage, distinct_usage


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What the model answers to one request, or how the answer fails.

    `usage` None means figures that no other request of the run has. `status` answers that HTTP status
    with `error` as the body; `failed` sends response.failed with `error`; `incomplete` is the reason of a
    response.incomplete (billed); `cut` drops the connection mid-text or just before completion. `delay`
    and `hold` are seconds before the answer and before its completion; a held answer ends early when the
    client goes away. `unbilled` completes without a usage object.
    """

    text: str | None = None
    reasoning: str | None = None
    commentary: str | None = None
    calls: Sequence[Call] = ()
    usage: Usage | None = None
    unbilled: bool = False
    status: int = 200
    failed: bool = False
    error: Mapping[str, Any] = field(default_factory=lambda: {"type": "server_error", "message": "scripted"})
    incomplete: str | None = None
    cut: Literal["mid", "end"] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0
    hold: float = 0.0


Answer = Callable[[Request], Step]
Script = Sequence[Step | Answer] | Answer


class Routes:
    """A script with one list of steps per key; `key` names the list a request draws from, "turn" the rest."""

    def __init__(self, key: Callable[[Request], str] = lambda request: request.role, **steps: Sequence[Step | Answer]):
        self._key = key
        self._steps = {name: list(listed) for name, listed in steps.items()}

    def __call__(self, request: Request) -> Step:
        name = self._key(request)
        left = self._steps.get(name) or self._steps.get("turn")
        step = left.pop(0) if left else Step(text=f"(no step left for {name})")
        return step(request) if callable(step) else step


class MockResponses:
    """The server. Use as a context manager, or call `close` yourself."""

    def __init__(self, script: Script = (), rate_limits: bool = True):
        self.rate_limits = rate_limits
        self.requests: list[Request] = []
        self._lock = threading.Condition()
        self.script = script
        handler = type("BoundHandler", (_Handler,), {"mock": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    @property
    def script(self) -> Script:
        return self._script

    @script.setter
    def script(self, script: Script) -> None:
        self._script = script
        self._take = script if callable(script) else Routes(turn=script)

    @property
    def url(self) -> str:
        """The base URL for a provider's `base_url`."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    @property
    def billed(self) -> list[Request]:
        """The requests whose usage was sent to the client, in order."""
        return [request for request in self.requests if request.billed]

    def billed_by_thread(self) -> dict[str | None, list[Usage]]:
        """The billed vectors of each thread, in order."""
        threads: dict[str | None, list[Usage]] = {}
        for request in self.billed:
            threads.setdefault(request.thread_id, []).append(request.billed or Usage(0))
        return threads

    def wait(self, ready: Callable[[], bool], seconds: float = 20.0) -> None:
        """Return once `ready()` holds; it is asked again at every change of a request. TimeoutError."""
        with self._lock:
            if not self._lock.wait_for(ready, seconds):
                raise TimeoutError(f"after {seconds} s: {[(r.number, r.outcome) for r in self.requests]}")

    def settle(self) -> None:
        """Wait until no request is still being answered."""
        self.wait(lambda: all(request.outcome != "open" for request in self.requests))

    def open(self, path: str, headers: dict[str, str], body: Json) -> tuple[Request, Step]:
        """Enter a request in the ledger and draw its step."""
        with self._lock:
            request = Request(len(self.requests) + 1, path, headers, body)
            self.requests.append(request)
            self._lock.notify_all()
            try:
                step = self._take(request)
            except Exception as error:  # a script is the test's own code; Codex must still get an answer
                step = Step(status=400, error={"message": f"the script raised {error!r}"})
            request.answer = step.text or ""
            return request, step

    def finish(self, request: Request, outcome: str, billed: Usage | None = None) -> None:
        """Write down how the request ended."""
        with self._lock:
            request.outcome, request.billed = outcome, billed
            self._lock.notify_all()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    mock: MockResponses

    def log_message(self, *args: Any) -> None:
        """Say nothing: the ledger is the log."""

    def do_GET(self) -> None:
        # 426 for a websocket upgrade makes Codex fall back to plain HTTP.
        self._json(426 if self.headers.get("upgrade") else 404, {"error": {"message": "not here"}}, {})

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers.get("content-length") or 0))
        if self.headers.get("content-encoding") == "gzip":
            raw = gzip.decompress(raw)
        headers = {name.lower(): value for name, value in self.headers.items() if name.lower() != "authorization"}
        request, step = self.mock.open(self.path.split("?")[0], headers, json.loads(raw))
        self.close_connection = True
        try:
            time.sleep(step.delay)
            self._answer(request, step)
        except OSError as error:
            self.mock.finish(request, f"client gone: {type(error).__name__}")

    def _answer(self, request: Request, step: Step) -> None:
        usage = step.usage or distinct_usage(request.number)
        headers = {**(rate_limit_headers(request.number) if self.mock.rate_limits else {}), **step.headers}
        if step.status != 200:
            self.mock.finish(request, f"http {step.status}")
            self._json(step.status, {"error": dict(step.error)}, headers)
        elif request.path.endswith("/compact"):
            self.mock.finish(request, "compacted", usage)
            self._json(200, {**_response(request), "output": _compacted(request), "usage": usage.wire()}, headers)
        else:
            self._head(200, {"content-type": "text/event-stream", "connection": "close", **headers})
            self._stream(request, step, usage)

    def _stream(self, request: Request, step: Step, usage: Usage) -> None:
        self._event("response.created", response=_response(request))
        output = _output(request, step)
        for index, entry in enumerate(output):
            if entry["type"] == "message":
                self._message_opening(index, entry)
            if step.cut == "mid":
                self.mock.finish(request, "cut mid-text")
                return
            self._event("response.output_item.done", output_index=index, item=entry)
        self._hold(step.hold)
        if step.cut:
            self.mock.finish(request, "cut before completion")
        else:
            self._complete(request, step, output, usage)

    def _complete(self, request: Request, step: Step, output: list[Json], usage: Usage) -> None:
        status = "failed" if step.failed else "incomplete" if step.incomplete else "completed"
        paid = None if step.failed or step.unbilled else usage
        answer = {**_response(request), "status": status, "output": output, "usage": paid and paid.wire()}
        if step.failed:
            answer["error"] = dict(step.error)
        if step.incomplete:
            answer["incomplete_details"] = {"reason": step.incomplete}
        self._event(f"response.{status}", response=answer)
        self.mock.finish(request, status, paid)

    def _message_opening(self, index: int, entry: Json) -> None:
        opened = {**entry, "content": [], "status": "in_progress"}
        self._event("response.output_item.added", output_index=index, item=opened)
        delta = {"item_id": entry["id"], "output_index": index, "content_index": 0}
        self._event("response.output_text.delta", **delta, delta=entry["content"][0]["text"])

    def _hold(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            readable, _, _ = select.select([self.connection], [], [], left)
            if readable:
                raise ConnectionResetError

    def _event(self, kind: str, **data: Any) -> None:
        text = json.dumps({"type": kind, **data})
        self.wfile.write(f"event: {kind}\ndata: {text}\n\n".encode())
        self.wfile.flush()

    def _json(self, status: int, body: Json, headers: Mapping[str, str]) -> None:
        raw = json.dumps(body).encode()
        self._head(status, {"content-type": "application/json", "content-length": str(len(raw)), **headers})
        self.wfile.write(raw)

    def _head(self, status: int, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()


def rate_limit_headers(number: int) -> dict[str, str]:
    """Two windows, 5 hours and 7 days, filling with each request; every spelling of the reset time."""
    headers = {"x-codex-active-limit": "premium", "x-codex-limit-name": "codex", "x-codex-plan-type": "pro"}
    balance = {"has-credits": "true", "unlimited": "false", "balance": "12.5"}
    headers |= {f"x-codex-credits-{name}": value for name, value in balance.items()}
    for window, minutes, used in (("primary", 300, 10 + 1.5 * number), ("secondary", 10080, 40 + 0.5 * number)):
        seconds = minutes * 12 + number
        fields = {"used-percent": used, "window-minutes": minutes, "reset-after-seconds": seconds}
        fields |= {"resets-in-seconds": seconds, "reset-at": int(time.time()) + seconds}
        headers |= {f"x-codex-{window}-{name}": str(value) for name, value in fields.items()}
    return headers


def _response(request: Request) -> Json:
    created = int(time.time())
    return {"id": request.response_id, "object": "response", "created_at": created, "model": request.model}


def _output(request: Request, step: Step) -> list[Json]:
    number, output = request.number, []
    if step.reasoning:
        summary = [{"type": "summary_text", "text": step.reasoning}]
        output.append({"type": "reasoning", "id": f"rs_{number}", "summary": summary, "encrypted_content": "SEALED"})
    if step.commentary:
        output.append({**_message(f"msg_c{number}", step.commentary), "phase": "commentary"})
    output += [calls.item(call, request.body, f"{number}_{index}") for index, call in enumerate(step.calls)]
    if step.text is not None:
        output.append(_message(f"msg_{number}", step.text))
    if any(isinstance(i, dict) and i.get("type") == "compaction_trigger" for i in request.body.get("input") or []):
        output = [{"type": "compaction", "id": f"cmp_{number}", "encrypted_content": "SEALED"}]
    return output


def _compacted(request: Request) -> list[Json]:
    said = [i for i in request.body.get("input") or [] if isinstance(i, dict) and i.get("role") == "user"]
    return [*said[-2:], {"type": "compaction", "id": f"cmp_{request.number}", "encrypted_content": "SEALED"}]


def _message(identity: str, text: str) -> Json:
    content = [{"type": "output_text", "text": text, "annotations": []}]
    return {"type": "message", "id": identity, "role": "assistant", "status": "completed", "content": content}
