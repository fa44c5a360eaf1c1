"""The smallest MCP client: JSON-RPC lines over a child's stdin and stdout.

In: a command. Out: its tools and its answers, each with the seconds it took. No SDK, so that only the
server's time is measured.
"""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import tempfile
import time
from types import TracebackType
from typing import Any, Self

from .measure import Command, Failed

PROTOCOL = "2025-06-18"


class Server:
    """A running MCP server; a context manager that has initialized it on entry and stops it on exit."""

    def __init__(self, command: Command, timeout: float = 120.0) -> None:
        self._timeout = timeout
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed in __exit__
        self._began = time.perf_counter()
        self._child = subprocess.Popen(
            command.argv, env=dict(command.env), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors
        )
        self._buffer = b""
        self._id = 0
        self._selector = selectors.DefaultSelector()
        assert self._child.stdout is not None
        self._selector.register(self._child.stdout, selectors.EVENT_READ)

    def __enter__(self) -> Self:
        try:
            hello = {"protocolVersion": PROTOCOL, "capabilities": {}, "clientInfo": {"name": "bench", "version": "1"}}
            self.request("initialize", hello)
            self._send({"jsonrpc": "2.0", "method": "notifications/initialized"})
            self.tools: list[str] = [tool["name"] for tool in self.request("tools/list", {})["tools"]]
        except BaseException:
            self.close()
            raise
        self.started = time.perf_counter() - self._began
        """Seconds from the start of the process until its tools were listed."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End the server: close its input, and kill it if that is not enough."""
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        self._child.stdin.close()
        try:
            self._child.wait(5)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        self._selector.close()
        self._child.stdout.close()
        self._errors.close()

    def call(self, tool: str, arguments: dict[str, Any]) -> tuple[float, str]:
        """Seconds and text of one tool call. Raises ``Failed`` when the tool reports an error."""
        began = time.perf_counter()
        result = self.request("tools/call", {"name": tool, "arguments": arguments})
        took = time.perf_counter() - began
        text = "".join(part.get("text", "") for part in result.get("content", []))
        if result.get("isError"):
            raise Failed(f"{tool} {arguments}: {text[:300]}")
        return took, text

    def request(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        self._id += 1
        self._send({"jsonrpc": "2.0", "id": self._id, "method": method, "params": params})
        while True:
            answer = self._receive()
            if answer.get("id") != self._id or "method" in answer:
                continue
            if "error" in answer:
                raise Failed(f"{method}: {answer['error']}")
            result: dict[str, Any] = answer["result"]
            return result

    def _send(self, message: dict[str, Any]) -> None:
        assert self._child.stdin is not None
        self._child.stdin.write(json.dumps(message).encode() + b"\n")
        self._child.stdin.flush()

    def _receive(self) -> dict[str, Any]:
        assert self._child.stdout is not None
        deadline = time.monotonic() + self._timeout
        while b"\n" not in self._buffer:
            left = deadline - time.monotonic()
            if left <= 0 or not self._selector.select(left):
                raise Failed("the server did not answer in time")
            chunk = os.read(self._child.stdout.fileno(), 1 << 20)
            if not chunk:
                self._errors.seek(0)
                words = self._errors.read().decode("utf-8", "replace").strip()
                raise Failed(f"the server ended: {words[-400:]}")
            self._buffer += chunk
        line, self._buffer = self._buffer.split(b"\n", 1)
        message: dict[str, Any] = json.loads(line)
        return message
