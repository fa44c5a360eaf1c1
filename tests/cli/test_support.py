"""The support bundle says how an installation is, and nothing of what its user does."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from codex_usage import __version__
from codex_usage.cli import checks, install, support
from codex_usage.homes import Places
from codex_usage.index import open_index
from codex_usage.index.schema import VERSION
from codex_usage.model import BadInput
from tests.support.index import places_of, refreshed
from tests.support.rollouts import Rollout

CONFIG = """
model = "kanarie"
[mcp_servers.kanarie]
command = "codex-usage-mcp"
env = {KANARIE = "kanarie"}
[plugins."codex-usage@kanarie"]
[otel]
exporter = {otlp-http = {endpoint = "https://kanarie:kanarie@kanarie/v1/logs"}}
[projects."/kanarie"]
"""


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Places:
    """A user whose every name is a canary: folders, model, branch, thread, project, files of settings, a server."""
    home, data = tmp_path / "kanarie" / "codex", tmp_path / "kanarie" / "data"
    log = Rollout(
        model="kanarie-5", cwd="/kanarie", meta_fields={"git": {"branch": "kanarie", "repository_url": "kanarie"}}
    )
    log.turn().call(input=10, output=1).item(
        "message", role="user", content=[{"type": "input_text", "text": "kanarie"}]
    )
    log.raw(b"kanarie").write(home)
    name = {"id": log.thread, "thread_name": "kanarie"}
    (home / "session_index.jsonl").write_text(json.dumps(name), encoding="utf-8")
    (home / "config.toml").write_text(CONFIG, encoding="utf-8")
    data.mkdir(mode=0o700)
    (data / "budgets.json").write_text('{"kanarie": "kanarie"}', encoding="utf-8")
    (data / "projects.json").write_text('{"aliases": {"kanarie": "kanarie"}}', encoding="utf-8")
    (tmp_path / "kanarie.json").write_text('{"aliases": {"kanarie": 1}}', encoding="utf-8")
    monkeypatch.setenv("CODEX_USAGE_HOME", str(data))
    monkeypatch.setenv("CODEX_USAGE_PRICING", str(tmp_path / "kanarie.json"))
    monkeypatch.setenv("HOME", str(tmp_path / "kanarie"))
    monkeypatch.setenv("PATH", f"{tmp_path / 'kanarie'}:/usr/bin:/bin")
    found = places_of(home, data=data)
    refreshed(found)
    return found


def write(path: Path, places: Places, privacy_mode: str = "strict") -> str:
    """The text of a bundle, doctor included."""
    found = checks.examine(
        places,
        places.codex[0],
        skills_home=places.data / "skills",
        server_command=places.data / "codex-usage-mcp",
        version=__version__,
    )
    assert sum("kanarie" in check.detail for check in found) > 5
    return support.write_bundle(path, places, found, privacy_mode).read_text(encoding="utf-8")


@pytest.mark.parametrize("privacy_mode", ["strict", "redacted"])
def test_no_name_path_or_content_gets_into_a_bundle(places: Places, tmp_path: Path, privacy_mode: str) -> None:
    """Not of logs, settings, Codex's configuration, or folders."""
    shown = write(tmp_path / "bundle.json", places, privacy_mode)
    assert "kanarie" not in shown.lower()
    assert str(tmp_path) not in shown


def test_the_normal_mode_adds_where_things_are_and_nothing_else(places: Places, tmp_path: Path) -> None:
    """Each path with its role; no other place in the bundle has the name."""
    bundle: dict[str, Any] = json.loads(write(tmp_path / "bundle.json", places, "normal"))
    paths = dict(bundle.pop("paths"))
    assert paths["Codex home"] == str(places.codex[0])
    assert "kanarie" not in json.dumps(bundle).lower()


def test_a_bundle_has_versions_states_and_counters(places: Places, tmp_path: Path) -> None:
    """What is there or not, what was counted and skipped, and what the doctor found in words without names."""
    bundle: dict[str, Any] = json.loads(write(tmp_path / "bundle.json", places))
    assert bundle["privacy_mode"] == "strict"
    assert bundle["versions"]["codex-usage"] == __version__
    assert {"mcp", "msgspec", "pydantic"} <= set(bundle["packages"])
    there = {place["role"]: place["exists"] for place in bundle["places"]}
    assert (there["Codex home"], there["Codex config.toml"], there["skill"]) == (True, True, False)
    assert bundle["own_files"] == {
        "pricing.json": {"problems": 1}, "budgets.json": {"problems": 1}, "projects.json": {"problems": 0}
    }  # fmt: skip
    index = bundle["index"]
    assert (index["schema"], index["logs"], index["calls"], index["pending_logs"]) == (VERSION, 1, 1, 0)
    assert sum(index["skipped_lines"].values()) == 1
    findings = {check["name"]: check["finding"] for check in bundle["doctor"]}
    assert findings["Other servers"] == "… starts codex-usage a second time."
    assert findings["Settings"] == "2 problems in your own files: …"


def test_a_broken_installation_has_a_bundle_too(places: Places, tmp_path: Path) -> None:
    """An index that is not one is told as a kind of trouble."""
    places.index.write_bytes(b"kanarie" * 999)
    for end in ("-wal", "-shm"):
        places.index.with_name(places.index.name + end).unlink(missing_ok=True)
    shown = write(tmp_path / "bundle.json", places)
    assert json.loads(shown)["index"] == {"schema": VERSION, "trouble": "IndexForeign"}
    assert "kanarie" not in shown.lower()


@pytest.mark.skipif(os.name != "posix", reason="modes are those of POSIX")
def test_a_bundle_is_for_the_user_alone_and_replaces_the_last_one_whole(places: Places, tmp_path: Path) -> None:
    """Nothing is left beside it."""
    path = tmp_path / "out" / "bundle.json"
    path.parent.mkdir()
    path.write_text("x" * 99_999, encoding="utf-8")
    path.chmod(0o644)
    json.loads(write(path, places))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(path.parent) == ["bundle.json"]


def test_a_bundle_that_cannot_be_written_is_told_in_one_sentence(places: Places, tmp_path: Path) -> None:
    """The place is taken by a folder."""
    (tmp_path / "bundle.json").mkdir()
    with pytest.raises(BadInput, match="Cannot write"):
        write(tmp_path / "bundle.json", places)


def test_without_an_index_none_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bundle looks; it does not change a thing."""
    monkeypatch.setenv("CODEX_USAGE_HOME", str(tmp_path / "data"))
    monkeypatch.setattr(install, "server_command", lambda: tmp_path / "none")
    places = places_of(tmp_path / "codex", data=tmp_path / "data")
    support.write_bundle(tmp_path / "bundle.json", places, [])
    assert json.loads((tmp_path / "bundle.json").read_bytes())["index"] == {"schema": VERSION}
    assert os.listdir(tmp_path) == ["bundle.json"]
    open_index(places.index).close()
    support.write_bundle(tmp_path / "bundle.json", places, [])
    assert json.loads((tmp_path / "bundle.json").read_bytes())["index"]["calls"] == 0
