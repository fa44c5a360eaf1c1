"""A client of `codex app-server`: JSON-RPC over the process's standard streams.

In: the command and its environment. Out: `call` results, notifications to wait for, and helpers for the
requests scenarios make. A call that the server refuses raises `RefusedError`; every wait is bounded.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

from tests.lab.responses import MockResponses

Json = dict[str, Any]


class RefusedError(Exception):
    """The server answered a call with an error."""


class AppServer:
    """A running app server. Requests from the server (approvals) are accepted, or answered by `decide`."""

    def __init__(self, command: list[str], folder: Path, environment: dict[str, str], client: str, mock: MockResponses):
        self.decide: Callable[[str, Json], Json] = lambda method, params: {"decision": "accept"}
        self.notes: list[Json] = []
        self._mock = mock
        self._answers: dict[int, Json] = {}
        self._count = 0
        self._changed = threading.Condition()
        self._process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        about = {"name": client, "title": "Test client", "version": "1.0.0"}
        self.call("initialize", clientInfo=about, capabilities={"experimentalApi": True})
        self._send({"method": "initialized"})

    def call(self, method: str, seconds: float = 30.0, **params: Any) -> Json:
        """The result of a call. RefusedError, TimeoutError."""
        self._count += 1
        number = self._count
        self._send({"id": number, "method": method, "params": params})
        self._wait(lambda: number in self._answers, method, seconds)
        answer = self._answers.pop(number)
        if "error" in answer:
            raise RefusedError(f"{method}: {answer['error']}")
        return dict(answer["result"] or {})

    def wait(self, method: str, since: int = 0, where: Callable[[Json], bool] = bool, seconds: float = 60.0) -> Json:
        """The parameters of the first notification `method` after note `since` that `where` accepts."""

        def found() -> Iterator[Json]:
            fitting = (note.get("params") or {} for note in self.notes[since:] if note["method"] == method)
            return filter(where, fitting)

        self._wait(lambda: any(True for _ in found()), method, seconds)
        return next(found())

    def start(self, **params: Any) -> str:
        """A new thread; its id."""
        return str(self.call("thread/start", **params)["thread"]["id"])

    def fork(self, thread: str, **params: Any) -> str:
        """A fork of `thread`; its id."""
        return str(self.call("thread/fork", threadId=thread, **params)["thread"]["id"])

    def begin(self, thread: str, text: str, **params: Any) -> str:
        """Start a turn and do not wait for it; its id."""
        given = [{"type": "text", "text": text}]
        return str(self.call("turn/start", threadId=thread, input=given, **params)["turn"]["id"])

    def turn(self, thread: str, text: str, **params: Any) -> str:
        """A whole turn; its id."""
        since = len(self.notes)
        turn = self.begin(thread, text, **params)
        self.wait("turn/completed", since, lambda params: params.get("threadId") == thread)
        return turn

    def until_done(self, method: str, **params: Any) -> Json:
        """A call that runs a turn of its own (review, compaction), and the end of that turn."""
        since = len(self.notes)
        result = self.call(method, **params)
        self.wait("turn/completed", since)
        return result

    def close(self) -> None:
        """End the server: close its input, then terminate, then kill the group."""
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()  # type: ignore[union-attr]
        for sent in (None, signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                if sent:
                    os.killpg(self._process.pid, sent)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(8)
                break
        self._reader.join(5)
        self._process.stdout.close()  # type: ignore[union-attr]
        self._mock.settle()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _wait(self, ready: Callable[[], bool], what: str, seconds: float) -> None:
        with self._changed:
            if not self._changed.wait_for(ready, seconds):
                seen = sorted({note["method"] for note in self.notes})
                raise TimeoutError(f"{what} after {seconds} s; seen {seen}")

    def _send(self, message: Json) -> None:
        assert self._process.stdin
        self._process.stdin.write(json.dumps(message) + "\n")
        self._process.stdin.flush()

    def _read(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            with contextlib.suppress(ValueError):
                self._receive(json.loads(line))

    def _receive(self, message: Json) -> None:
        if "method" in message and "id" in message:
            self._send({"id": message["id"], "result": self.decide(message["method"], message.get("params") or {})})
            return
        with self._changed:
            if "method" in message:
                self.notes.append(message)
            else:
                self._answers[message["id"]] = message
            self._changed.notify_all()
