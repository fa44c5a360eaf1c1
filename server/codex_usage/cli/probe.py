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
_HELLO = {
    "protocolVersion": "2025-06-18",
    "capabilities": {},
    "clientInfo": {"name": "codex-usage-doctor", "version": "1"},
}
_Lines = SimpleQueue[bytes | None]


def ask_server(
    command: Sequence[str], environment: Mapping[str, str], wait: float = ANSWER_SECONDS
) -> tuple[float, int]:
    """Seconds from the start of the server until its tools are listed, and how many they are.

    The server is ended in every case. Raises OSError (with TimeoutError), EOFError and ValueError, worded to
    follow the name of the command.
    """
    began = time.monotonic()
    with _running(command, environment) as (stdin, lines):
        for number, method in enumerate(("initialize", "tools/list")):
            request = {"jsonrpc": "2.0", "id": number, "method": method, "params": {} if number else _HELLO}
            started = {"jsonrpc": "2.0", "method": "notifications/initialized"}
            for message in (started, request) if number else (request,):
                stdin.write(json.dumps(message).encode() + b"\n")
            stdin.flush()
            result = _result(lines, number, began + wait)
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
            if not isinstance(message.get("result"), dict):
                raise ValueError("answered with an error")
            return dict(message["result"])


@contextmanager
def _running(command: Sequence[str], environment: Mapping[str, str]) -> Iterator[tuple[IO[bytes], _Lines]]:
    try:
        process = subprocess.Popen(
            list(command),
            env=dict(environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
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
        _kill(process)
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


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End the server and whatever it started."""
    with suppress(OSError):
        if os.name == "posix":
            os.killpg(process.pid, signal.SIGKILL)  # its own session, so its own group
        else:
            process.kill()
    process.wait()
