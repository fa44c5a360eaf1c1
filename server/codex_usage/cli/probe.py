"""Asks an MCP server for its tools as Codex does when a session starts: a command in, seconds and tools out.

JSON-RPC by hand, as the SDK would take longer to load than the server may take to answer.
"""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import IO, Any

from codex_usage.homes.platform import detached, kill_with_children

#: How long Codex 0.169 waits for an optional server before the first request of a session (measured).
CODEX_WAITS = 1.0
_HELLO = {"capabilities": {}, "clientInfo": {"name": "codex-usage-doctor", "version": "1"}}
#: What is sent; each with an id is answered before the next goes out.
_ASKED: tuple[dict[str, Any], ...] = (
    {"id": 0, "method": "initialize", "params": {"protocolVersion": "2025-06-18", **_HELLO}},
    {"method": "notifications/initialized"},
    {"id": 1, "method": "tools/list", "params": {}},
)


def ask_server(command: Sequence[str], environment: Mapping[str, str], wait: float = 10.0) -> tuple[float, int]:
    """Seconds from the start of the server until its tools are listed, and how many they are. It is ended in every
    case. Raises OSError (with TimeoutError), EOFError and ValueError, worded to follow the name of the command."""
    began, pipe = time.monotonic(), subprocess.PIPE
    try:
        process = subprocess.Popen(
            command, env=environment, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, **detached()
        )
    except OSError as error:
        raise OSError(f"cannot be started ({error.strerror})") from error
    late = threading.Timer(wait, _end, (process,))
    late.start()
    try:
        with process:
            assert process.stdin and process.stdout  # noqa: S101 - they are pipes
            try:
                tools = _tools(process.stdin, process.stdout)
                return time.monotonic() - began, tools
            finally:
                late.cancel()
                _end(process)
    except (BrokenPipeError, EOFError):
        if time.monotonic() - began >= wait:
            raise TimeoutError("did not answer in time") from None
        raise EOFError("ended before it answered") from None


def _tools(stdin: IO[bytes], stdout: IO[bytes]) -> int:
    answer: dict[str, Any] = {}
    for message in _ASKED:
        stdin.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")
        stdin.flush()
        while "id" in message and answer.get("id") != message["id"]:
            if not (line := stdout.readline()):
                raise EOFError
            try:
                answer = dict(json.loads(line))
            except (ValueError, TypeError, RecursionError):
                raise ValueError("wrote something else than JSON-RPC") from None
        if not isinstance(result := answer.get("result", {}), dict) or "error" in answer:
            raise ValueError("answered with an error")
    tools = result.get("tools")
    return len(tools) if isinstance(tools, list) else 0


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the server and whatever it started: its own session, so its own group."""
    with suppress(OSError):
        kill_with_children(process)
