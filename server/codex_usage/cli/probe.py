"""Asks an MCP server for its tools as Codex does when a session starts: a command in, seconds and tools out.

JSON-RPC by hand, as the SDK would take longer to load than the server may take to answer.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from queue import Empty, SimpleQueue
from typing import IO, Any, cast

#: How long Codex 0.169 waits for an optional server before the first request of a session (measured).
CODEX_WAITS = 1.0
ANSWER_SECONDS = 10.0
_ABOUT = {"name": "codex-usage-doctor", "version": "1"}
#: What is sent; each with an id is answered before the next goes out.
_ASKED: tuple[dict[str, Any], ...] = (
    {"id": 0, "method": "initialize",
     "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": _ABOUT}},
    {"method": "notifications/initialized"},
    {"id": 1, "method": "tools/list", "params": {}},
)  # fmt: skip
_Lines = SimpleQueue[bytes | None]


def ask_server(
    command: Sequence[str], environment: Mapping[str, str], wait: float = ANSWER_SECONDS
) -> tuple[float, int]:
    """Seconds from the start of the server until its tools are listed, and how many they are. It is ended in every
    case. Raises OSError (with TimeoutError), EOFError and ValueError, worded to follow the name of the command."""
    began = time.monotonic()
    with _running(command, environment) as (stdin, lines):
        result: dict[str, Any] = {}
        for message in _ASKED:
            stdin.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")
            stdin.flush()
            if "id" in message:
                result = _result(lines, message["id"], began + wait)
        tools = result.get("tools")
        return time.monotonic() - began, len(tools) if isinstance(tools, list) else 0


def _result(lines: _Lines, number: int, deadline: float) -> dict[str, Any]:
    while True:
        try:
            line = lines.get(timeout=max(0.0, deadline - time.monotonic()))
        except Empty:
            raise TimeoutError("did not answer in time") from None
        if line is None:
            raise EOFError("ended before it answered")
        try:
            message = json.loads(line)
        except (ValueError, RecursionError):
            raise ValueError("wrote something else than JSON-RPC") from None
        if isinstance(message, dict) and message.get("id") == number:
            if isinstance(result := message.get("result"), dict):
                return result
            raise ValueError("answered with an error")


@contextmanager
def _running(command: Sequence[str], environment: Mapping[str, str]) -> Iterator[tuple[IO[bytes], _Lines]]:
    try:
        process = subprocess.Popen(
            list(command), env=dict(environment), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
    except OSError as error:
        raise OSError(f"cannot be started ({error.strerror})") from error
    stdin, stdout = cast("IO[bytes]", process.stdin), cast("IO[bytes]", process.stdout)
    lines: _Lines = SimpleQueue()
    reader = threading.Thread(target=_read, args=(stdout, lines), daemon=True)
    reader.start()
    try:
        yield stdin, lines
    except BrokenPipeError:
        raise EOFError("ended before it answered") from None
    finally:
        with suppress(OSError):  # the server and whatever it started
            if os.name == "posix":
                os.killpg(process.pid, signal.SIGKILL)  # its own session, so its own group
            else:
                process.kill()
        process.wait()
        reader.join(timeout=2)
        with suppress(OSError):
            stdin.close()
        if not reader.is_alive():  # a pipe that a stray grandchild holds open cannot be closed while it is read
            stdout.close()


def _read(stdout: IO[bytes], lines: _Lines) -> None:
    with suppress(OSError, ValueError):
        for line in stdout:
            lines.put(line)
    lines.put(None)
