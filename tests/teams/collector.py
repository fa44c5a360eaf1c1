"""A collector for tests: takes OTLP over HTTP as the script of the test says, and keeps the records that it took.

    with Collector(503, 200, 429) as it:
        shell.told("push", "--endpoint", it.url, …)
    it.records  # what was taken, in order
"""

from __future__ import annotations

import gzip
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

Record = dict[str, Any]


class Collector:
    """Answers each request for logs with the next status of the script, then with 200."""

    def __init__(self, *script: int | bytes) -> None:
        self.script = list(script)
        self.records: list[Record] = []
        self.metrics: list[dict[str, Any]] = []
        self.bodies: list[bytes] = []
        self.headers: list[dict[str, str]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                status, said = outer.take(self.path, dict(self.headers.items()), body)
                self.send_response(status)
                self.send_header("Retry-After", "0")
                self.send_header("Content-Length", str(len(said)))
                self.end_headers()
                self.wfile.write(said)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Collector:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def take(self, path: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        """A request's answer; what is taken is kept."""
        self.bodies.append(body)
        self.headers.append({name.lower(): value for name, value in headers.items()})
        step = self.script.pop(0) if self.script and path == "/v1/logs" else 200
        if isinstance(step, bytes):
            return 200, step
        if step == 200:
            self._keep(path, self.headers[-1], body)
        return step, b"{}" if self.headers[-1]["content-type"] == "application/json" else b""

    def _keep(self, path: str, headers: dict[str, str], body: bytes) -> None:
        data = gzip.decompress(body) if headers.get("content-encoding") == "gzip" else body
        if headers["content-type"] == "application/json":
            told = json.loads(data)
        else:
            kind = ExportLogsServiceRequest if path == "/v1/logs" else ExportMetricsServiceRequest
            told = MessageToDict(kind.FromString(data))
        if path == "/v1/metrics":
            self.metrics.append(told)
        for resource in told.get("resourceLogs", ()):
            about = _plain(resource["resource"]["attributes"])
            for record in resource["scopeLogs"][0]["logRecords"]:
                nanos = int(record["timeUnixNano"])
                self.records.append({"time": nanos, "resource": about, **_plain(record["attributes"])})

    def of(self, event: str) -> list[Record]:
        """The records of a kind."""
        return [record for record in self.records if record["event.name"] == event]


def _plain(attributes: list[dict[str, Any]]) -> Record:
    found = {}
    for one in attributes:
        ((kind, value),) = one["value"].items()
        found[one["key"]] = int(value) if kind == "intValue" else value
    return found
