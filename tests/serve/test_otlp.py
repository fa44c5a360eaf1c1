"""The receiver of telemetry as Codex, a careless exporter and a page of another site meet it: on real sockets."""

from __future__ import annotations

import gzip
import http.client
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse

from codex_usage.homes import Places
from codex_usage.index.telemetry import open_telemetry, telemetry_path
from codex_usage.logs import otlp as decoder
from codex_usage.serve import otlp
from codex_usage.serve.guard import Local
from codex_usage.serve.http import Server
from codex_usage.serve.otlp import MOST_BODY
from tests.support.index import places_of
from tests.support.live import receiver, running
from tests.support.rollouts import NOON
from tests.support.telemetry import THREAD, decision, export, request, response, start, tool, turn

SECONDS = 20.0
JSON, BINARY = "application/json", "application/x-protobuf"
EVENTS = (start(NOON), request(NOON + 1), response(NOON + 2), turn(NOON + 3), decision(NOON + 4), tool(NOON + 5))
CANARY = "kanarie-in-the-mine"


class Answer(NamedTuple):
    """A response."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes


@pytest.fixture
def places(tmp_path: Path) -> Places:
    """A data folder, and no logs."""
    return places_of(tmp_path / "home", data=tmp_path / "data")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Local]:
    """A receiver for what leaves nothing behind."""
    folder = tmp_path_factory.mktemp("otlp")
    with running(receiver(places_of(folder / "home", data=folder / "data"))) as server:
        yield server


def send(server: Local, body: bytes | Iterator[bytes] = b"{}", path: str = "/v1/logs", method: str = "POST",
         kind: str | None = JSON, **headers: str) -> Answer:  # fmt: skip
    """One request; `headers` have underscores for dashes."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    sent |= {"Content-Type": kind} if kind else {}
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=SECONDS)) as connection:
        connection.request(method, path, body, sent, encode_chunked=not isinstance(body, bytes))
        answer = connection.getresponse()
        return Answer(answer.status, answer.headers, answer.read())


def stored(places: Places) -> int:
    """How many events are stored."""
    path = telemetry_path(places.index)
    if not path.exists():
        return 0
    with closing(sqlite3.connect(path)) as sql:
        return int(sql.execute("SELECT count(*) FROM events").fetchone()[0])


# -- what is taken -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("protobuf", [False, True])
def test_an_export_is_stored_before_it_is_answered(places: Places, protobuf: bool, packed: bool) -> None:
    """The answer is the protocol's own, in the encoding of the export; a second time changes nothing."""
    body, kind = export(*EVENTS, protobuf=protobuf), BINARY if protobuf else JSON
    headers = {"content_encoding": "gzip"} if packed else {}
    with running(receiver(places)) as server:
        for _ in range(2):
            answer = send(server, gzip.compress(body) if packed else body, kind=kind, **headers)
            assert (answer.status, answer.headers["content-type"]) == (200, kind)
            assert stored(places) == len(EVENTS)
    assert answer.body == (ExportLogsServiceResponse().SerializeToString() if protobuf else b"{}")


def page_server(places: Places) -> Server:
    """The server of the page, and of telemetry."""
    return Server(0, places=places, zone="UTC", privacy=lambda answer: answer, lang="en", context_api="explicit",
                  refresh=True)  # fmt: skip


def test_the_server_of_the_page_takes_exports_too(places: Places) -> None:
    """And asks for no token, which it still does everywhere else."""
    with running(page_server(places)) as server:
        assert send(server, export(*EVENTS)).status == 200
        assert send(server, b"", "/api/status", "GET").status == 401
    assert stored(places) == len(EVENTS)


def test_what_was_received_is_told_at_once(places: Places) -> None:
    """An answer that was kept is that of the events that there were then."""
    places.codex[0].joinpath("sessions").mkdir(parents=True)
    with running(page_server(places)) as server:
        token, ask = server.token, "/api/diagnostics/telemetry?period=all"
        for events, told in ((0, "never computed"), (1, "fresh"), (2, "fresh")):
            if events:
                send(server, export(tool(NOON + events)))
            found = json.loads(send(server, b"", ask, "GET", X_Codex_Usage_Token=token).body)
            counts = [one["basis"]["events"] for one in found["tables"][:1]]
            assert (found["status"], counts) == (told, [{"codex.tool_result": events}] * bool(events))


@pytest.mark.parametrize("path", ["/v1/traces", "/v1/metrics"])
def test_traces_and_metrics_are_thanked_for_and_dropped(places: Places, path: str) -> None:
    with running(receiver(places)) as server:
        assert send(server, export(*EVENTS), path)[::2] == (200, b"{}")
        assert send(server, export(*EVENTS, protobuf=True), path, kind=BINARY)[::2] == (200, b"")
    assert not telemetry_path(places.index).exists()


def test_many_exporters_at_once_lose_nothing(places: Places) -> None:
    """Each sends on when it is told to wait."""

    def exporter(number: int) -> None:
        for batch in range(5):
            thread = f"{THREAD[:-12]}{number:06x}{batch:06x}"
            while (
                answer := send(server, export(*({**one, "conversation.id": thread} for one in EVENTS)))
            ).status != 200:
                assert answer.status == 429
                assert answer.headers["retry-after"] == "2"

    with running(receiver(places)) as server, ThreadPoolExecutor(40) as many:
        list(many.map(exporter, range(40)))
    assert stored(places) == 40 * 5 * len(EVENTS)


def test_a_file_that_was_deleted_is_made_anew(places: Places) -> None:
    with running(receiver(places)) as server:
        for _ in range(2):
            assert send(server, export(*EVENTS)).status == 200
            assert stored(places) == len(EVENTS)
            for file in places.data.glob("telemetry.sqlite*"):
                file.unlink()


def test_nothing_that_was_said_reaches_the_disk(places: Places) -> None:
    """A canary in a prompt, arguments, an output, an error, an e-mail and an attribute that nobody knows."""
    said = ("prompt", "arguments", "output", "error__message", "user__email", "call_id", "never_heard_of", "host__name")
    with running(receiver(places)) as server:
        for protobuf in (False, True):
            more = [{**one, **{name.replace("__", "."): CANARY for name in said}} for one in EVENTS]
            body = export(*more, protobuf=protobuf).replace(
                b'"body": null', b'"body": {"stringValue": "%s"}' % CANARY.encode()
            )
            assert send(server, body, kind=BINARY if protobuf else JSON).status == 200
        assert send(server, CANARY.encode()).status == 400
        files = [file.read_bytes() for file in places.data.rglob("*") if file.is_file()]
    assert len(files) >= 4  # the file, its log and index, and the key
    files += [file.read_bytes() for file in places.data.rglob("*") if file.is_file()]
    assert not any(CANARY.encode() in data for data in files)
    assert stored(places) == len(EVENTS)


# -- what is not ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "sent"),
    [
        (403, {"host": "evil.example:8765"}),
        (403, {"origin": "http://127.0.0.1:8765"}),
        (403, {"origin": "null"}),
        (403, {"sec_fetch_site": "cross-site"}),
        (405, {"method": "GET"}),
        (405, {"method": "OPTIONS"}),
        (415, {"kind": None}),
        (415, {"kind": "text/plain"}),
        (415, {"kind": "multipart/form-data"}),
        (415, {"content_encoding": "br"}),
        (413, {"body": b" " * (MOST_BODY + 1)}),
        (413, {"body": gzip.compress(b" " * (MOST_BODY + 1), mtime=0), "content_encoding": "gzip"}),
        (400, {"body": b""}),
        (400, {"body": b"[" * 100_000}),
        (400, {"body": b"\x0a\xff\xff\xff\xff\x0f", "kind": BINARY}),
        (400, {"body": b"no gzip", "content_encoding": "gzip"}),
        (400, {"body": gzip.compress(b"{}", mtime=0)[:-4], "content_encoding": "gzip"}),
        (400, {"body": gzip.compress(b"{}", mtime=0) * 2, "content_encoding": "gzip"}),
    ],
    ids=lambda value: str(value)[:60],
)  # fmt: skip
def test_what_is_wrong_is_refused_with_a_sentence(shared: Local, status: int, sent: dict[str, Any]) -> None:
    answer = send(shared, **sent)
    assert answer.status == status
    told = answer.body.decode() if sent.get("method") == "HEAD" else answer.body
    assert told.startswith(b"\x12") if sent.get("kind") == BINARY else json.loads(told)["message"].endswith(".")
    assert send(shared).status == 200


def test_a_body_of_unknown_length_is_bounded_too(shared: Local) -> None:
    part = b" " * 65_536
    assert send(shared, iter([b"{", part, b"}"])).status == 200
    try:
        assert send(shared, iter([part] * (MOST_BODY // len(part) + 1))).status == 413
    except ConnectionError:  # refused while it was still sent
        assert send(shared).status == 200


def test_a_bomb_is_not_inflated(shared: Local) -> None:
    """A gigabyte in a megabyte, and objects that would take hundreds of them."""
    bomb = gzip.compress(b"\0" * (1 << 20)) * 1000
    assert send(shared, bomb[:MOST_BODY], kind=BINARY, content_encoding="gzip").status in (400, 413)
    assert send(shared, b'{"resourceLogs": [' + b"{}," * 600_000 + b"{}]}").status == 400


def test_another_path_is_not_the_receivers(shared: Local) -> None:
    assert send(shared, path="/v1/other").status in (404, 405)
    assert send(shared, path="/v1/logs/", method="GET").status == 404


def test_a_slow_body_is_cut_off(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    """And takes no place from others meanwhile."""
    monkeypatch.setattr(otlp, "_PATIENCE", 0.3)
    head = f"POST /v1/logs HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {JSON}\r\nContent-Length: 10\r\n\r\n{{"
    with running(receiver(places)) as server, socket.create_connection(("127.0.0.1", server.port), SECONDS) as slow:
        slow.sendall(head.encode())
        assert send(server).status == 200
        with slow.makefile("rb") as lines:
            assert lines.readline().split()[1] == b"408"


def test_too_much_at_once_is_put_off(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(otlp, "_WAITING", 0)
    with running(receiver(places)) as server:
        answer = send(server, export(*EVENTS, protobuf=True), kind=BINARY)
    assert (answer.status, answer.headers["retry-after"]) == (429, "2")


def test_a_file_in_use_puts_an_exporter_off(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(otlp, "_LOCKED", 0.05)
    with running(receiver(places)) as server, open_telemetry(telemetry_path(places.index)) as other:
        with other.write():
            answer = send(server, export(*EVENTS))
        assert (answer.status, answer.headers["retry-after"]) == (503, "2")
        assert str(places.data) not in answer.body.decode()
        assert send(server, export(*EVENTS)).status == 200


def test_without_the_extra_protobuf_is_refused_with_the_mend(shared: Local, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(otlp, "binary", lambda: None)
    answer = send(shared, export(*EVENTS, protobuf=True), kind=BINARY)
    assert answer.status == 415
    assert b"codex-usage-mcp[otlp]" in answer.body
    assert decoder.binary() is not None
    assert send(shared, export()).status == 200


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(min_size=1, max_size=200), st.sampled_from([JSON, BINARY]), st.sampled_from(["gzip", "identity"]))
def test_noise_gets_a_refusal_or_is_an_empty_export(shared: Local, noise: bytes, kind: str, coding: str) -> None:
    answer = send(shared, noise, kind=kind, content_encoding=coding)
    assert answer.status == 200 or 400 <= answer.status < 500


# -- the command ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_the_command_receives_until_it_is_told_to_stop(tmp_path: Path, how: signal.Signals) -> None:
    """It needs no logs, says its address, and ends well."""
    command = [str(Path(sys.executable).with_name("codex-usage")), "otlp", "--port", "0"]
    env = {**os.environ, "CODEX_USAGE_HOME": str(tmp_path / "data"), "CODEX_HOME": str(tmp_path / "none")}
    env |= {"CLAUDE_CONFIG_DIR": str(tmp_path / "none"), "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        line = process.stdout.readline()
        port = int(line.split("127.0.0.1:")[1].split("/")[0])
        sent = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
        sent.request("POST", "/v1/logs", export(*EVENTS), {"Content-Type": JSON})
        assert sent.getresponse().status == 200
        sent.close()
        process.send_signal(how)
        assert process.wait(SECONDS) == 0
    assert "http://127.0.0.1" in line
    (file,) = (tmp_path / "data").glob("telemetry.sqlite*")  # closed, so its log is gone
    assert file.stat().st_mode & 0o077 == 0
