"""Public prices from a file or a server in this process: checked before they count, kept when newer ones are bad."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from genai_prices import __version__
from hypothesis import given
from hypothesis import strategies as st

from codex_usage.model import BadInput, UsageError
from codex_usage.money import catalog as module
from codex_usage.money.catalog import Catalog, catalog, update

BUNDLED = f"genai-prices {__version__}"


def provider(name: str = "openai", **prices: float) -> dict[str, Any]:
    """A provider as genai-prices publishes it, with a model for each price of a million input tokens."""
    models = [
        {
            "id": model.replace("_", "-"),
            "match": {"or": [{"equals": model.replace("_", "-")}, {"regex": f"^{model}$"}]},
            "prices": {"input_mtok": price, "output_mtok": {"base": 10, "tiers": [{"start": 272000, "price": 15}]}},
        }
        for model, price in prices.items()
    ]
    return {"id": name, "name": name, "api_pattern": "https://api.example.invalid", "models": models}


def price(found: Catalog, model: str) -> str:
    """What a million input tokens cost."""
    _, info = found.snapshot.find_provider_model(model, None, "openai", None)
    return str(getattr(info.prices, "input_mtok", None))


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The usage home, empty."""
    monkeypatch.setenv("CODEX_USAGE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return tmp_path


def source(folder: Path, value: Any) -> Path:
    """A file to update from."""
    path = folder / "data.json"
    path.write_bytes(value if isinstance(value, bytes) else json.dumps(value).encode())
    return path


class Server:
    """A web server on this machine that answers every request alike."""

    def __init__(self) -> None:
        self.status, self.body = 200, b""
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(outer.status)
                self.send_header("Location", "/elsewhere")
                self.end_headers()
                self.wfile.write(outer.body)

            def log_message(self, *_: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}/data.json"


@pytest.fixture
def server() -> Iterator[Server]:
    """A server that runs as long as the test."""
    server = Server()
    thread = threading.Thread(target=server.http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.http.shutdown()
    server.http.server_close()
    thread.join()


def test_without_a_fetched_file_the_bundled_prices_count() -> None:
    found = catalog()
    assert (found.source, found.problem) == (BUNDLED, None)
    assert found.snapshot.find_provider_model("gpt-5.5", None, "openai", None)[1].id == "gpt-5.5"


def test_fetched_prices_count_at_once_and_only_of_the_two_providers(folder: Path, server: Server) -> None:
    server.body = json.dumps(
        [provider(gpt_x=3.25), provider("anthropic", claude_x=1), provider("xyz", other=1)]
    ).encode()
    report = update(url=server.url)
    found = catalog()
    assert found.source == report.source
    assert found.source.endswith("(update-pricing)")
    assert (price(found, "gpt-x"), found.problem) == ("3.25", None)
    assert [each.id for each in found.snapshot.providers] == ["openai", "anthropic"]
    assert report.models_added == ["claude-x", "gpt-x"]
    assert "gpt-5.5" in report.models_removed
    stored = json.loads(report.path.read_text())
    assert (stored["url"], stored["genai_prices"]) == (server.url, __version__)
    assert report.path.stat().st_mode & 0o777 == 0o600


def test_a_second_update_tells_what_is_new_changed_and_gone(folder: Path) -> None:
    update(source(folder, [provider(same=1, dearer=1, gone=1)]))
    report = update(source(folder, [provider(same=1, dearer=2, new=1)]))
    assert (report.models_added, report.models_changed, report.models_removed) == (["new"], ["dearer"], ["gone"])


def test_a_prices_json_can_be_taken_to_another_machine_with_its_date(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = update(source(folder, [provider(gpt_x=3)])).path
    stored = json.loads(path.read_text()) | {"fetched_at": "2026-05-04T00:00:00Z", "genai_prices": "0.0.1"}
    monkeypatch.setenv("CODEX_USAGE_HOME", str(folder / "other"))
    report = update(source(folder, stored))
    assert report.source == "genai-prices of 2026-05-04 (update-pricing)"
    assert (catalog().source, price(catalog(), "gpt-x")) == (report.source, "3")


def test_prices_fetched_with_another_version_of_genai_prices_do_not_count(folder: Path) -> None:
    path = update(source(folder, [provider(gpt_x=3)])).path
    path.write_text(json.dumps(json.loads(path.read_text()) | {"genai_prices": "0.0.1"}))
    found = catalog()
    assert found.source == BUNDLED
    assert found.problem == (
        f"prices.json was fetched with genai-prices 0.0.1; the prices of {BUNDLED} count;"
        " run codex-usage update-pricing again."
    )


@pytest.mark.parametrize("text", ["", "{", "[]", '{"providers": []}', "[" * 100_000, "\x00", '{"a": 1e400}'])
def test_a_broken_prices_json_does_not_count_and_is_told_in_one_line(folder: Path, text: str) -> None:
    (folder / "home").mkdir()
    (folder / "home" / "prices.json").write_text(text)
    found = catalog()
    assert (found.source, price(found, "gpt-5.5") != "None") == (BUNDLED, True)
    assert found.problem is not None
    assert found.problem.startswith("prices.json is not as update-pricing writes it (")
    assert found.problem.isprintable()


def test_a_folder_in_place_of_prices_json_is_told(folder: Path) -> None:
    (folder / "home" / "prices.json").mkdir(parents=True)
    assert catalog().problem == "prices.json is not a file; remove it, or put a file in its place."


def broken(**change: Any) -> list[dict[str, Any]]:
    """A provider whose one model has something wrong."""
    good = provider(gpt_x=3)
    return [good | {"models": [good["models"][0] | change]}]


BAD = {
    "not JSON": b"<html>",
    "not UTF-8": b'["\xff"]',
    "a word": "prices",
    "nothing": [],
    "an empty object": {},
    "strings": ["openai"],
    "no OpenAI": [provider("anthropic", claude_x=1)],
    "no model": [provider()],
    "no price": broken(prices={}),
    "no prices in a list": broken(prices=[]),
    "a negative price": broken(prices={"input_mtok": -1, "output_mtok": 1}),
    "an endless price": b'[{"id": "openai", "name": "o", "api_pattern": "", "models": [{"id": "m", "match": '
    b'{"equals": "m"}, "prices": {"input_mtok": 1e400, "output_mtok": 1}}]}]',
    "a price in words": broken(prices={"input_mtok": "cheap", "output_mtok": 1}),
    "a broken pattern": broken(match={"regex": "("}),
    "a pattern that is a number": broken(match={"regex": 5}),
    "a rule we do not know": broken(match={"sounds_like": "gpt"}),
    "deep": b"[" * 100_000,
}


@pytest.mark.parametrize("value", BAD.values(), ids=BAD)
def test_a_bad_file_is_refused_in_one_line_and_the_last_good_prices_stay(folder: Path, value: Any) -> None:
    path = update(source(folder, [provider(gpt_x=3)])).path
    before = path.read_bytes()
    with pytest.raises(BadInput) as caught:
        update(source(folder, value))
    assert str(caught.value).startswith("data.json holds no prices we can use (")
    assert str(caught.value).isprintable()
    assert path.read_bytes() == before
    assert price(catalog(), "gpt-x") == "3"


@pytest.mark.parametrize(
    ("status", "body"), [(500, b"[]"), (404, b""), (302, b""), (200, b"<html>"), (200, b"[]"), (200, b"")]
)
def test_a_bad_download_is_no_error_of_the_user_and_the_last_good_prices_stay(
    folder: Path, server: Server, status: int, body: bytes
) -> None:
    path = update(source(folder, [provider(gpt_x=3)])).path
    before = path.read_bytes()
    server.status, server.body = status, body
    with pytest.raises(UsageError) as caught:
        update(url=server.url)
    assert not isinstance(caught.value, BadInput)
    assert server.url in str(caught.value)
    assert str(caught.value).isprintable()
    assert path.read_bytes() == before


def test_a_download_without_end_is_cut_off(folder: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_BYTES", 1_000_000)
    server.body = b" " * 3_000_000
    with pytest.raises(UsageError, match="sends more than 1 MB"):
        update(url=server.url)
    with pytest.raises(BadInput, match="is larger than 1 MB"):
        update(source(folder, server.body))


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/", "ftp://x/", "file:///etc/passwd", "nonsense", "http://["])
def test_an_address_that_can_not_be_fetched_is_told_in_one_line(url: str) -> None:
    with pytest.raises(UsageError, match="Cannot fetch") as caught:
        update(url=url)
    assert str(caught.value).isprintable()


def test_without_an_address_the_one_of_genai_prices_is_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    from genai_prices.update_prices import DEFAULT_UPDATE_URL

    asked = []
    monkeypatch.setattr(module, "_download", lambda url: asked.append(url) or json.dumps([provider(gpt_x=3)]).encode())
    update()
    assert asked == [DEFAULT_UPDATE_URL]


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="there is no file"):
        update(tmp_path / "none.json")


KEYS = st.sampled_from(["id", "models", "match", "prices", "regex", "or", "tiers"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda below: (
        st.lists(below, max_size=3)
        | st.dictionaries(
            st.sampled_from(["id", "models", "match", "prices", "regex", "or", "tiers"]), below, max_size=4
        )
    ),
    max_leaves=15,
)


@given(models=JSON, more=JSON)
def test_any_json_at_all_is_refused_in_one_line_or_taken(
    models: Any, more: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    value = [{"id": "openai", "name": "o", "api_pattern": "", "models": models}, more]
    with pytest.raises(BadInput) as caught:
        update(source(tmp_path_factory.getbasetemp(), value))
    assert str(caught.value).isprintable()
