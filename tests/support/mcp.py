"""A small MCP client over a process's pipes: every wait is bounded, and whatever the server prints is looked at."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

COMMAND = Path(sys.executable).with_name("codex-usage-mcp")
SECONDS = 30.0


class Server:
    """A running `codex-usage-mcp`, shaken hands with unless `greet` is False."""

    def __init__(self, env: Mapping[str, str], *, greet: bool = True) -> None:
        self.process = subprocess.Popen(
            [COMMAND],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", **env},
        )
        self.strange: list[bytes] = []
        self.number = 0
        self.errors = b""
        self._answers: dict[int, queue.Queue[dict[str, Any]]] = {}
        self._ears = [threading.Thread(target=ear, daemon=True) for ear in (self._read, self._listen)]
        for ear in self._ears:
            ear.start()
        self.hello = self._greet() if greet else {}

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            try:
                message = json.loads(line)
                self._answers[message["id"]].put(message)
            except (ValueError, KeyError, TypeError):
                self.strange.append(line)

    def _listen(self) -> None:
        assert self.process.stderr
        self.errors = self.process.stderr.read()

    def _greet(self) -> dict[str, Any]:
        client = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
        hello = self.request("initialize", client)
        self.send({"method": "notifications/initialized"})
        return hello

    def send(self, message: dict[str, Any]) -> None:
        """Write one message."""
        assert self.process.stdin
        self.process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")
        self.process.stdin.flush()

    def ask(self, method: str, params: dict[str, Any] | None = None) -> int:
        """Send a request without waiting for its answer; returns its number."""
        self.number += 1
        self._answers[self.number] = queue.Queue()
        self.send({"id": self.number, "method": method, "params": params or {}})
        return self.number

    def answer(self, number: int) -> dict[str, Any]:
        """The whole answer to a request."""
        return self._answers[number].get(timeout=SECONDS)

    def request(self, method: str, params: dict[str, Any] | None = None) -> dict[str, Any]:
        """A request's result."""
        result: dict[str, Any] = self.answer(self.ask(method, params))["result"]
        return result

    def call(self, tool: str, arguments: dict[str, Any] | None = None, thread: str | None = None) -> dict[str, Any]:
        """A tool's whole result."""
        params: dict[str, Any] = {"name": tool, "arguments": arguments or {}}
        if thread:
            params["_meta"] = {"threadId": thread, "sessionId": thread, "callId": "call_1"}
        return self.request("tools/call", params)

    def text(self, tool: str, arguments: dict[str, Any] | None = None, thread: str | None = None) -> str:
        """The text of a tool's good result: the one block that there is."""
        result = self.call(tool, arguments, thread)
        assert not result.get("isError"), result
        assert "structuredContent" not in result
        assert [block["type"] for block in result["content"]] == ["text"]
        text: str = result["content"][0]["text"]
        return text

    def told(self, tool: str, arguments: dict[str, Any] | None = None, thread: str | None = None) -> dict[str, Any]:
        """A tool's good result, decoded."""
        told: dict[str, Any] = json.loads(self.text(tool, arguments, thread))
        return told

    def refused(self, tool: str, arguments: dict[str, Any] | None = None, thread: str | None = None) -> str:
        """The sentence of a tool's error."""
        result = self.call(tool, arguments, thread)
        assert result.get("isError"), result
        assert len(result["content"]) == 1
        text: str = result["content"][0]["text"]
        return text

    def close(self) -> int:
        """Hang up; returns the exit code."""
        assert self.process.stdin and self.process.stdout and self.process.stderr
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        try:
            code = self.process.wait(SECONDS)
        finally:
            self.process.kill()
            for ear in self._ears:
                ear.join(SECONDS)
            self.process.stdout.close()
            self.process.stderr.close()
        return code

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        """Hang up, and see that nothing but JSON-RPC was printed and nothing went wrong out of sight."""
        self.close()
        if kind is None:
            assert self.strange == []
            assert b"Traceback" not in self.errors, self.errors.decode()
