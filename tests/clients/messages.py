"""A stand-in for the Messages API that Claude Code and OpenCode speak: its model calls one tool, then is content.

In: a tool's name (as it ends) and arguments. Out: a server on a free loopback port, and `results`: what the client
gave back of the tool's answers, as text, the last one last.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

Json = dict[str, Any]


class MockMessages:
    """The server, as a context manager."""

    def __init__(self, tool: str, arguments: Json) -> None:
        self.tool, self.arguments = tool, arguments
        self.results = ["the tool was never called"]
        handler = type("BoundHandler", (_Handler,), {"mock": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def block(self, body: Json) -> Json:
        """What the model answers: the tool is called when it is offered and was not called yet."""
        messages = [part for message in body["messages"] for part in _parts(message["content"])]
        told = [part for part in messages if part.get("type") == "tool_result"]
        self.results += [text["text"] for part in told for text in _parts(part["content"])]
        names = [tool["name"] for tool in body.get("tools", []) if tool["name"].endswith(self.tool)]
        if names and not told:
            return {"type": "tool_use", "id": "toolu_1", "name": names[0], "input": self.arguments}
        return {"type": "text", "text": "told"}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def _parts(content: Any) -> list[Json]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def events(model: str, block: Json) -> Iterator[Json]:
    """An answer of one block, as the API streams it."""
    used = {"input_tokens": 1000, "output_tokens": 1}
    empty = {"type": "message", "role": "assistant", "content": [], "stop_reason": None, "stop_sequence": None}
    yield {"type": "message_start", "message": {"id": "msg_1", "model": model, "usage": used, **empty}}
    calls = block["type"] == "tool_use"
    start = {**block, "input": {}} if calls else {**block, "text": ""}
    yield {"type": "content_block_start", "index": 0, "content_block": start}
    text = {"type": "text_delta", "text": block.get("text")}
    delta = {"type": "input_json_delta", "partial_json": json.dumps(block["input"])} if calls else text
    yield {"type": "content_block_delta", "index": 0, "delta": delta}
    yield {"type": "content_block_stop", "index": 0}
    ended = {"stop_reason": "tool_use" if calls else "end_turn", "stop_sequence": None}
    yield {"type": "message_delta", "delta": ended, "usage": {"output_tokens": 10}}
    yield {"type": "message_stop"}


class _Handler(BaseHTTPRequestHandler):
    mock: MockMessages

    def do_POST(self) -> None:
        """Stream an answer to a question for a message; anything else that is asked gets an empty object."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])) or b"{}")
        if not self.path.partition("?")[0].endswith("/messages"):
            return self._send("application/json", b'{"input_tokens": 1}')
        said = events(body["model"], self.mock.block(body))
        return self._send(
            "text/event-stream",
            b"".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in said),
        )

    def do_GET(self) -> None:
        """Nothing is here to read."""
        self._send("application/json", b"{}")

    def do_HEAD(self) -> None:
        """A client asks whether the server is there."""
        self._send("application/json", b"")

    def _send(self, kind: str, data: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Say nothing."""
