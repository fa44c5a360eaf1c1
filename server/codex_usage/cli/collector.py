"""A collector: requests in, sent until it took them. Where, and how, is told as OpenTelemetry's standard says."""

from __future__ import annotations

import gzip
import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec

from codex_usage.homes.config import one_line, read_file
from codex_usage.model import BadInput, UsageError

#: Answers that ask for another try, seconds before each, and the longest that a collector may ask to wait.
_AGAIN, _WAITS, _LONGEST = (429, 502, 503, 504), (0.5, 1, 2, 4), 60.0


class Kept(msgspec.Struct):
    """What a collector has taken: its parts and their marks, under which labels, and the last version that was sent."""

    user: str = ""
    machine: str = ""
    version: int = 0
    sent: dict[str, str] = {}


@dataclass(frozen=True)
class Collector:
    """Where to send, as the OTEL_EXPORTER_OTLP_… variables of the protocol's standard say it."""

    logs: str
    metrics: str
    headers: dict[str, str]
    seconds: float
    packed: bool
    binary: bool

    def send(self, url: str, request: dict[str, Any]) -> None:
        """Send one request until it is taken. Raises UsageError when it is not."""
        import httpx2

        body = _protobuf(request) if self.binary else json.dumps(request, separators=(",", ":")).encode()
        headers = {**self.headers, "Content-Type": "application/x-protobuf" if self.binary else "application/json"}
        if self.packed:
            body, headers["Content-Encoding"] = gzip.compress(body, 5), "gzip"
        said = ""
        for wait in (*_WAITS, None):
            after = ""
            try:
                answer = httpx2.post(url, content=body, headers=headers, timeout=self.seconds)
                said, after = f"it answers {answer.status_code}", answer.headers.get("retry-after", "")
                if answer.is_success:
                    return self._check(answer.content)
                if answer.status_code not in _AGAIN:
                    break
            except (httpx2.HTTPError, httpx2.InvalidURL, OSError, ValueError) as error:
                said = one_line(error) or type(error).__name__
            if wait is not None:
                time.sleep(min(float(after) if after.isdecimal() else wait, _LONGEST))
        raise UsageError(f"{shown(url)} did not take it ({said}); what it took before is kept, push again later.")

    def _check(self, data: bytes) -> None:
        """Raises UsageError when a part of a request was refused."""
        if self.binary:
            from google.protobuf.json_format import MessageToDict  # type: ignore[import-untyped,unused-ignore]
            from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse

            told = MessageToDict(ExportLogsServiceResponse.FromString(data))
        else:
            try:
                told = json.loads(data or b"{}")
            except ValueError:  # a proxy's own words: the status says that it was taken
                return
        part = told.get("partialSuccess") if isinstance(told, dict) else None
        if part and int(part.get("rejectedLogRecords") or 0):
            said = one_line(part.get("errorMessage", ""))
            raise UsageError(f"The collector refused {part['rejectedLogRecords']} records ({said}); mend it there.")


def _protobuf(request: dict[str, Any]) -> bytes:
    from google.protobuf.json_format import ParseDict  # type: ignore[import-untyped,unused-ignore]
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

    message = ExportLogsServiceRequest if "resourceLogs" in request else ExportMetricsServiceRequest
    data: bytes = ParseDict(request, message()).SerializeToString()
    return data


def hashed(text: str) -> str:
    """A short mark of a text."""
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).hexdigest()


def shown(url: str) -> str:
    """An address without what may be secret in it."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}{f':{parts.port}' if parts.port else ''}{parts.path}"


def collector_of(endpoint: str | None, env: Mapping[str, str]) -> Collector:
    """The collector that --endpoint or the environment names. Raises BadInput."""

    def named(word: str, usual: str = "") -> str:
        return env.get(f"OTEL_EXPORTER_OTLP_LOGS_{word}") or env.get(f"OTEL_EXPORTER_OTLP_{word}") or usual

    base = endpoint or env.get("OTEL_EXPORTER_OTLP_ENDPOINT", "")
    urls = {
        kind: (not endpoint and env.get(f"OTEL_EXPORTER_OTLP_{kind.upper()}_ENDPOINT"))
        or (base and f"{base.rstrip('/')}/v1/{kind}")
        for kind in ("logs", "metrics")
    }
    if not urls["logs"]:
        raise BadInput("Where to? Give --endpoint URL, such as http://localhost:4318, or OTEL_EXPORTER_OTLP_ENDPOINT.")
    for url in filter(None, urls.values()):
        if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname:
            raise BadInput(f"{shown(url)} is no http or https address of a collector, such as http://localhost:4318.")
    protocol = named("PROTOCOL", "http/json")
    if protocol not in ("http/json", "http/protobuf"):
        raise BadInput(f"The protocol {protocol!r} is not spoken here; use http/json or http/protobuf.")
    if protocol == "http/protobuf":
        try:
            import opentelemetry.proto  # noqa: F401
        except ImportError:
            raise BadInput(
                "http/protobuf needs pip install 'codex-usage-mcp[otlp]'; http/json needs nothing."
            ) from None
    pairs = [pair.partition("=") for pair in named("HEADERS").split(",") if "=" in pair]
    timeout = named("TIMEOUT", "10000")
    if not timeout.isdecimal():
        raise BadInput(f"OTEL_EXPORTER_OTLP_TIMEOUT is in milliseconds, such as 10000, not {timeout!r}.")
    headers = {unquote(name.strip()): unquote(value.strip()) for name, _, value in pairs}
    return Collector(
        urls["logs"], urls["metrics"] or "", headers, int(timeout) / 1000, named("COMPRESSION") == "gzip",
        protocol == "http/protobuf",
    )  # fmt: skip


def read_kept(file: Path) -> dict[str, Kept]:
    """What is kept of each collector, by a mark of it; of a damaged file nothing. Raises BadInput."""
    try:
        return msgspec.json.decode(read_file(file) or b"{}", type=dict[str, Kept])
    except msgspec.DecodeError:  # all is sent again, which changes nothing there
        return {}
