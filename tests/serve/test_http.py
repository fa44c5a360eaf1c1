"""The live server as a browser, another site and a careless client meet it: real sockets, one server for all that
changes nothing."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import jsonschema
import pytest
import schemathesis
from hypothesis import settings
from schemathesis import checks

from codex_usage.answers import make_context
from codex_usage.answers.questions import Asked, ask
from codex_usage.homes import Places
from codex_usage.index import empty, open_index, remove
from codex_usage.model import BadInput, IndexBusy, NoHome
from codex_usage.present.privacy import shield
from codex_usage.serve import guard
from codex_usage.serve import http as served
from codex_usage.serve.http import Server
from codex_usage.serve.openapi import RESULTS, document
from tests.support.index import places_of, refreshed
from tests.support.live import running
from tests.support.rollouts import NOON, Rollout
from tests.support.spending import Spent, home, thread_id

SECONDS = 20.0
#: What an endpoint needs to answer, beside its path.
NEEDED = {
    "session": "thread={thread}",
    "thread-calls": "thread={thread}",
    "call": "call={call}",
    "context": "call={call}",
}
OPTIONS: dict[str, Any] = {
    "zone": "UTC",
    "privacy": lambda answer: answer,
    "lang": "en",
    "context_api": "explicit",
    "refresh": True,
}


class Told(NamedTuple):
    """A response."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        """The body, decoded."""
        return json.loads(self.body)


@contextmanager
def serving(places: Places, **changes: Any) -> Iterator[Server]:
    """A server on a free port."""
    with running(Server(0, places=places, **(OPTIONS | changes))) as server:
        yield server


def port_of(server: Server) -> int:
    """Where a server listens."""
    return int(server.url.split(":")[2].split("/")[0])


def ask_for(
    server: Server, path: str, method: str = "GET", *, token: bool = True, body: Any = None, **headers: str
) -> Told:
    """One request; `headers` have underscores for dashes."""
    sent = {"X-Codex-Usage-Token": server.token} if token else {}
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    with closing(http.client.HTTPConnection("127.0.0.1", port_of(server), timeout=SECONDS)) as connection:
        connection.request(method, path, body, sent)
        response = connection.getresponse()
        return Told(response.status, response.headers, response.read())


def answer(server: Server, path: str) -> Any:
    """The JSON of a good answer."""
    told = ask_for(server, path)
    assert told.status == 200, told.body
    return told.json


@contextmanager
def stream(server: Server) -> Iterator[Any]:
    """The lines of the event stream, behind its first sign of life."""
    with closing(http.client.HTTPConnection("127.0.0.1", port_of(server), timeout=SECONDS)) as connection:
        connection.request("GET", "/api/events", headers={"X-Codex-Usage-Token": server.token})
        response = connection.getresponse()
        assert response.headers["content-type"].startswith("text/event-stream")
        assert response.readline() == b": here\n"
        with response:
            yield response


def until(holds: Callable[[], bool]) -> None:
    """Wait for something that the server does by itself."""
    end = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < end
        threading.Event().wait(0.01)


def heard(lines: Any, word: bytes) -> bool:
    """Does a line with the word come? The socket bounds the wait."""
    return any(word in line for line in iter(lines.readline, b""))


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Places:
    """A home of 120 calls in 12 threads, and a secret-looking project."""
    calls = [
        Spent(
            at=f"2026-11-{1 + n % 20:02d}T{n % 24:02d}:{n % 60:02d}Z", thread=n % 12, folder=f"hidden-{n % 3}",
            input=1000 + n, cached=n,
        )
        for n in range(120)
    ]  # fmt: skip
    return home(tmp_path_factory.mktemp("http"), calls)


@pytest.fixture(scope="module")
def server(places: Places) -> Iterator[Server]:
    """The server of that home."""
    with serving(places) as server:
        assert answer(server, "/api/usage?limit=0")["total"] == 120
        yield server


def path_of(server: Server, name: str) -> str:
    """An endpoint's URL with what it needs."""
    call = answer(server, "/api/calls?period=all&limit=1")["rows"][0]["call_id"] if name in NEEDED else ""
    query = NEEDED.get(name, "").format(thread=thread_id(3), call=call)
    return f"/api/{name.format(section='concentration')}?{query}"


# -- answers ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in RESULTS if name != "refresh"])
def test_every_endpoint_answers_as_its_document_says(server: Server, name: str) -> None:
    told = answer(server, path_of(server, name))
    schema = document()["paths"][f"/api/{name}"]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    jsonschema.validate(told, {**schema, "components": document()["components"]})


def test_an_endpoint_tells_what_the_answer_tells_elsewhere(server: Server, places: Places) -> None:
    values = {"period": "2026-11-01..2026-11-20", "by": "project", "provider": "codex"}
    with open_index(places.index) as index:
        expected = ask(make_context(index, "UTC"), Asked("summary", values)).model_dump_json()
    query = "&".join(f"{name}={value}" for name, value in values.items())
    assert ask_for(server, f"/api/summary?{query}").body.decode() == expected
    assert json.loads(expected)["total"]["calls"] == 120


def test_pages_of_calls_join_to_all_of_them(server: Server) -> None:
    pages = [answer(server, f"/api/usage?limit=50&offset={start}")["calls"]["id"] for start in (0, 50, 100)]
    assert [len(page) for page in pages] == [50, 50, 20]
    assert len({call for page in pages for call in page}) == 120


def test_the_document_lists_exactly_the_routes(server: Server) -> None:
    routes = {route.path for route in server.config.app._app.routes}  # type: ignore[union-attr]
    assert routes == set(document()["paths"])
    assert answer(server, "/openapi.json") == document()


def test_the_page_holds_no_data_and_needs_no_token(server: Server) -> None:
    told = ask_for(server, "/", token=False)
    assert told.status == 200
    assert '"live": true' in (text := told.body.decode())
    assert "hidden-1" not in text and thread_id(3) not in text and server.token not in text
    assert "script-src 'sha256-" in told.headers["content-security-policy"]


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("summary?colour=red", "no argument 'colour'"),
        ("summary?period=soon", "Unknown period"),
        ("summary?limit=-1", "whole number"),
        ("summary?limit=9999999999", "whole number"),
        ("threads?order=%00", "use cost"),
        ("calls?model=gpt-9", "No model"),
        ("calls?cursor=x", "whole number"),
        ("session", "needs a thread"),
        ("thread-calls?period=all", "needs a thread"),
        ("call", "call"),
        ("diagnostics/everything", "Unknown section"),
        ("context?call=zz", "call"),
        ("context?call=zz&raw=1", "no argument 'raw'"),
        ("usage?limit=ten", "whole number"),
    ],
)
def test_a_mistake_is_one_sentence_with_the_mend(server: Server, path: str, words: str) -> None:
    told = ask_for(server, f"/api/{path}")
    assert told.status == 400
    assert words in told.json["error"] and "\n" not in told.json["error"]


def test_no_answer_has_more_rows_than_a_client_can_take(server: Server) -> None:
    assert len(answer(server, "/api/calls?period=all&limit=999999999")["rows"]) == 120
    assert served._MOST <= 1_000 and served._MOST_USAGE <= 100_000


# -- who may ask ------------------------------------------------------------------------------------------------

OPEN = ["/", "/health", "/openapi.json"]


@pytest.mark.parametrize("path", [*OPEN, "/api/status", "/api/events", "/nothing"])
@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:{port}",
        "127.0.0.1:1",
        "127.0.0.1.evil.example",
        "localhost.",
        "0.0.0.0:{port}",
        "",
    ],
)
def test_a_name_that_was_rebound_to_this_machine_gets_nothing(server: Server, path: str, host: str) -> None:
    told = ask_for(server, path, Host=host.format(port=port_of(server)))
    assert told.status == 403
    assert told.json["error"].startswith("This server is not")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "LOCALHOST"])
@pytest.mark.parametrize("end", ["", ":{port}"])
def test_this_machines_own_names_are_served(server: Server, host: str, end: str) -> None:
    own = (host + end).format(port=port_of(server))
    assert ask_for(server, "/api/status", Host=own).status == 200
    assert ask_for(server, "/api/status", Host=own, Origin=f"http://{own.lower()}").status == 200


@pytest.mark.parametrize("path", [*OPEN, "/api/board"])
@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "https://127.0.0.1:{port}"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "http://localhost:{port}"},
        {"Origin": ""},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
        {"Origin": "http://127.0.0.1:{port}", "Sec_Fetch_Site": "cross-site"},
    ],
)
def test_another_site_is_refused_even_with_the_token(server: Server, path: str, headers: Mapping[str, str]) -> None:
    sent = {name: value.format(port=port_of(server)) for name, value in headers.items()}
    told = ask_for(server, path, **sent)
    assert told.status == 403
    assert "access-control-allow-origin" not in told.headers


@pytest.mark.parametrize("site", ["same-origin", "none"])
def test_the_page_itself_and_a_typed_address_are_served(server: Server, site: str) -> None:
    assert ask_for(server, "/api/status", Sec_Fetch_Site=site).status == 200


@pytest.mark.parametrize("name", [*RESULTS, "events", "unknown"])
def test_nothing_below_api_is_told_without_the_token(server: Server, name: str) -> None:
    method, path = "POST" if name == "refresh" else "GET", f"/api/{name}"
    wrong = ["", server.token[:-1], server.token + "x", server.token.swapcase(), "é", "null"]
    for token in wrong:
        told = ask_for(server, path, method, token=False, X_Codex_Usage_Token=token)
        assert told.status == 401, token
        assert "token" in told.json["error"] and server.token not in told.json["error"]
    assert ask_for(server, f"{path}?token={server.token}", method, token=False).status == 401
    assert ask_for(server, path, method, token=False, Cookie=f"token={server.token}").status == 401


def test_a_token_has_256_bits_and_every_server_its_own(places: Places) -> None:
    with serving(places) as one, serving(places) as other:
        assert len(one.token) >= 43 and one.token != other.token
        assert one.url.endswith(f"/#token={one.token}")
        assert ask_for(other, "/api/status", token=False, X_Codex_Usage_Token=one.token).status == 401


def test_a_form_of_another_site_cannot_make_it_read_logs(server: Server) -> None:
    kind = "application/x-www-form-urlencoded"
    assert ask_for(server, "/api/refresh", "POST", token=False, body="a=1", Content_Type=kind).status == 401
    assert ask_for(server, "/api/refresh", "POST", body="a=1", Origin="http://evil.example").status == 403
    assert ask_for(server, "/api/refresh", "POST", body="a=1").json["coverage"]["complete"] is True


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD", "TRACE", "BREW"])
def test_only_get_is_taken_and_post_to_refresh(server: Server, method: str) -> None:
    for path in ("/", "/api/status", "/api/events", "/nothing"):
        told = ask_for(server, path, method)
        assert (told.status, told.headers["allow"]) == (405, "GET")
    told = ask_for(server, "/api/refresh", "GET" if method == "POST" else method)
    assert (told.status, told.headers["allow"]) == (405, "POST")


@pytest.mark.parametrize(
    "path",
    ["/..%2f..%2fetc/passwd", "/../../etc/passwd", "//etc/passwd", "/index.sqlite", "/page/core.js",
     "/api/../index.sqlite", "/api/diagnostics/..%2f..%2fstatus", "/api/diagnostics/../../etc", "/%00", "/api/board/",
     "/api/sessions/..\\..\\x", "/.git/config", "/static/style.css"],
)  # fmt: skip
def test_no_path_leads_to_a_file(server: Server, path: str) -> None:
    told = ask_for(server, path)
    assert told.status in (400, 404)
    assert b"root:" not in told.body and b"SQLite" not in told.body


@pytest.mark.parametrize("path", ["/", "/health", "/api/status", "/api/nothing", "/api/status?x=1"])
@pytest.mark.parametrize("token", [True, False])
def test_every_response_keeps_to_itself(server: Server, path: str, token: bool) -> None:
    headers = ask_for(server, path, token=token).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-store"
    assert headers["cross-origin-opener-policy"] == headers["cross-origin-resource-policy"] == "same-origin"
    assert "default-src 'none'" in headers["content-security-policy"]
    assert headers["content-security-policy"].endswith("frame-ancestors 'none'")
    assert "server" not in headers


# -- rude clients -----------------------------------------------------------------------------------------------


def test_a_large_body_is_refused_unread(server: Server) -> None:
    assert ask_for(server, "/api/refresh", "POST", Content_Length=str(guard.MOST_BODY + 1)).status == 413
    assert ask_for(server, "/api/refresh", "POST", Content_Length=str(10**18)).status == 413
    assert ask_for(server, "/api/status", body="x" * (guard.MOST_BODY + 1)).status == 413
    assert ask_for(server, "/api/refresh", "POST", body=iter([b"x"]), Transfer_Encoding="chunked").status == 413
    assert ask_for(server, "/api/refresh", "POST", body="x" * guard.MOST_BODY).status == 200


@pytest.mark.parametrize(
    "sent",
    [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc", b"GET / HTTP/1.1\r\n\r\n",
     b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n", b"\x00" * 4000,
     b"GET /" + b"a" * 200_000, b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 200_000 + b"\r\n\r\n",
     b"POST /api/refresh HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"],
)  # fmt: skip
def test_what_is_no_request_is_turned_away(server: Server, sent: bytes) -> None:
    with socket.create_connection(("127.0.0.1", port_of(server)), timeout=SECONDS) as client:
        try:
            client.sendall(sent)
            told = client.recv(100)
        except ConnectionError:
            told = b""
    assert told == b"" or re.match(rb"HTTP/1.1 4\d\d ", told)
    assert ask_for(server, "/health", token=False).status == 200


def test_a_client_that_never_finishes_its_request_is_hung_up_on(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "_PATIENCE", 0.2)
    with serving(places) as server:
        address = ("127.0.0.1", port_of(server))
        with socket.create_connection(address, SECONDS) as slow, socket.create_connection(address, SECONDS) as mute:
            slow.sendall(b"GET /health HTTP/1.1\r\nHost: loc")
            assert ask_for(server, "/health", token=False).status == 200
            assert (slow.recv(10), mute.recv(10)) == (b"", b"")
        with closing(http.client.HTTPConnection(*address, timeout=SECONDS)) as again:  # also behind a good request
            again.request("GET", "/health")
            assert again.getresponse().read()
            again.sock.sendall(b"GET /hea")
            assert again.sock.recv(10) == b""


@pytest.mark.parametrize("ends", [b"", b"Connection: close\r\n"])
def test_a_client_that_takes_no_answer_is_let_go(places: Places, monkeypatch: pytest.MonkeyPatch, ends: bytes) -> None:
    monkeypatch.setattr(guard, "_PATIENCE", 0.2)
    monkeypatch.setattr(Server, "front", lambda *_: "x" * 30_000_000)
    with serving(places) as server, socket.create_connection(("127.0.0.1", port_of(server)), SECONDS) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n" + ends + b"\r\n")
        assert client.recv(5) == b"HTTP/"
        until(lambda: not server.server_state.connections)


def test_fifty_clients_at_once_are_all_answered_while_streams_are_open(server: Server) -> None:
    paths = ["/api/status", "/api/board", "/api/usage?limit=100", "/api/summary?period=all", "/health"]
    with stream(server), stream(server), ThreadPoolExecutor(50) as clients:
        told = list(clients.map(lambda n: ask_for(server, paths[n % 5]), range(200)))
    assert {one.status for one in told} == {200}
    assert [len({one.body for one in told[n::5]}) for n in range(1, 5)] == [1, 1, 1, 1]


FUZZED = schemathesis.openapi.from_dict(document()).exclude(path="/api/events")


@FUZZED.parametrize()
@settings(max_examples=12, derandomize=True)
def test_nothing_that_fits_its_document_or_does_not_breaks_it(server: Server, case: Any) -> None:
    response = case.call(base_url=server.url.split("/#")[0], headers={"X-Codex-Usage-Token": server.token})
    good = [checks.not_a_server_error, checks.status_code_conformance, checks.content_type_conformance]
    case.validate_response(response, checks=[*good, checks.response_schema_conformance])
    assert "Traceback" not in response.text


# -- the index and the logs change ------------------------------------------------------------------------------


def log_of(folder: Path) -> tuple[Rollout, Path, Places]:
    """A home with one log of one call."""
    log = Rollout(now=NOON).turn().call(input=100, output=7)
    return log, log.write(folder / "home"), places_of(folder / "home", data=folder)


def append(log: Rollout, path: Path) -> None:
    """One more call at the end of a log."""
    before = len(log.bytes)
    log.call(input=50, output=3)
    with path.open("ab") as file:
        file.write(log.bytes[before:])


def test_a_call_appended_to_a_log_is_told_within_two_seconds(tmp_path: Path) -> None:
    log, path, places = log_of(tmp_path)
    with serving(places) as server:
        assert answer(server, "/api/usage")["total"] == 1
        with stream(server) as lines:
            append(log, path)
            began = time.monotonic()
            assert heard(lines, b"event: changed")
            assert time.monotonic() - began < 2
            assert answer(server, "/api/usage")["total"] == 2
            other = Rollout(now=NOON + 86_400_000).turn().call(input=5)
            other.write(tmp_path / "home")  # a new day's folder
            assert heard(lines, b"event: changed")
            assert answer(server, "/api/usage")["total"] == 3


def test_a_log_that_is_archived_and_compressed_stays_counted_once(tmp_path: Path) -> None:
    log, path, places = log_of(tmp_path)
    with serving(places) as server:
        assert answer(server, "/api/usage")["total"] == 1
        with stream(server) as lines:
            log.write(tmp_path / "home", archived=True)
            path.unlink()
            assert heard(lines, b"event: changed")
            log.write(tmp_path / "home", archived=True, zst=True)
            log.path(tmp_path / "home", archived=True).unlink()
            assert heard(lines, b"event: changed")
        assert ask_for(server, "/api/refresh", "POST").status == 200
        assert answer(server, "/api/usage")["total"] == 1


@pytest.mark.parametrize("forget", ["clear-db", "rebuild-index"])
def test_the_index_may_be_made_anew_while_it_is_served(tmp_path: Path, forget: str) -> None:
    _, _, places = log_of(tmp_path)
    with serving(places) as server:
        assert answer(server, "/api/usage")["total"] == 1
        if forget == "clear-db":
            remove(places.index)
        else:
            with open_index(places.index) as index:
                empty(index)
            refreshed(places)
        assert answer(server, "/api/usage")["total"] == 1


def test_while_another_process_writes_the_answer_is_what_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("codex_usage.serve.ask._LOCK_SECONDS", 0.05)
    log, path, places = log_of(tmp_path)
    with serving(places) as server:
        assert answer(server, "/api/usage")["total"] == 1
        append(log, path)
        with closing(sqlite3.connect(places.index, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            assert ask_for(server, "/api/refresh", "POST").json["coverage"]["busy"] is True
            assert answer(server, "/api/usage")["total"] == 1
            other.execute("ROLLBACK")
        assert ask_for(server, "/api/refresh", "POST").json["coverage"]["busy"] is False
        assert answer(server, "/api/usage")["total"] == 2


def test_without_refresh_logs_are_left_alone_and_the_index_is_watched(tmp_path: Path) -> None:
    log, path, places = log_of(tmp_path)
    refreshed(places)
    with serving(places, refresh=False) as server:
        append(log, path)
        assert answer(server, "/api/usage")["total"] == 1
        assert answer(server, "/api/diagnostics/overview?refresh=1")["status"] == "never computed"
        told = ask_for(server, "/api/refresh", "POST")
        assert told.status == 403 and "--no-refresh" in told.json["error"]
        with stream(server) as lines:
            refreshed(places)
            assert heard(lines, b"event: changed")
        assert answer(server, "/api/usage")["total"] == 2


@pytest.mark.parametrize(
    ("error", "status"), [(IndexBusy("in use"), 503), (NoHome("no home"), 409), (RuntimeError("secret /path"), 500)]
)
def test_what_goes_wrong_inside_is_told_without_a_trace(
    places: Places, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int
) -> None:
    def fail(*_: Any) -> Any:
        raise error

    monkeypatch.setattr(served, "ask", fail)
    with serving(places) as server:
        told = ask_for(server, "/api/status")
        assert told.status == status
        assert "secret" not in told.json["error"]


# -- what may be shown ------------------------------------------------------------------------------------------


def test_context_that_is_switched_off_says_how_to_switch_it_on(places: Places) -> None:
    with serving(places, context_api="disabled") as server:
        told = ask_for(server, path_of(server, "context"))
        assert told.status == 403
        assert "--context-api explicit" in told.json["error"]


def test_a_privacy_mode_holds_for_every_answer_and_for_mistakes(places: Places, tmp_path: Path) -> None:
    with serving(places, privacy=shield("strict", tmp_path)) as server:
        call = answer(server, "/api/calls?period=all&limit=1")["rows"][0]["call_id"]
        for name in RESULTS:
            method = "POST" if name == "refresh" else "GET"
            query = NEEDED.get(name, "").format(thread=thread_id(3), call=call)
            told = ask_for(server, f"/api/{name.format(section='concentration')}?{query}", method)
            assert b"hidden-" not in told.body and thread_id(3).encode() not in told.body, name
            assert str(places.data).encode() not in told.body, name


# -- start and end ----------------------------------------------------------------------------------------------


def test_a_busy_port_is_one_sentence_with_the_mend(server: Server, places: Places) -> None:
    with pytest.raises(BadInput, match="--port 0 takes a free one"):
        Server(port_of(server), places=places, **OPTIONS)


PROGRAM = """
import sys
from pathlib import Path
from codex_usage.homes import Places
from codex_usage.serve.http import run
home, data = Path(sys.argv[1]), Path(sys.argv[2])
run(0, places=Places((home,), (), data, data / "index.sqlite"), zone="UTC", privacy=lambda answer: answer, lang="en",
    context_api="explicit", refresh=True, open_browser=False, say=lambda text: print(text, flush=True))
"""


@pytest.mark.skipif(os.name != "posix", reason="signals as Unix has them")
@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly_with_streams_open(tmp_path: Path, sign: signal.Signals) -> None:
    _, _, places = log_of(tmp_path)
    command = [sys.executable, "-c", PROGRAM, str(places.codex[0]), str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout and process.stderr
            found = re.search(r"http://127\.0\.0\.1:(\d+)/#token=(\S+)", process.stdout.readline())
            assert found
            with closing(http.client.HTTPConnection("127.0.0.1", int(found[1]), timeout=SECONDS)) as connection:
                connection.request("GET", "/api/events", headers={"X-Codex-Usage-Token": found[2]})
                lines = connection.getresponse()
                assert lines.readline() == b": here\n"
                process.send_signal(sign)
                assert not heard(lines, b"event")  # it ends
                lines.close()
            assert process.wait(SECONDS) == 0
            assert process.stderr.read() == ""
        finally:
            process.kill()
