"""The doctor names what is wrong and its mend, and never breaks down itself."""

from __future__ import annotations

import os
import shlex
import sys
import textwrap
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from codex_usage.cli import checks, install, probe
from codex_usage.cli.demo import write_demo_home
from codex_usage.homes import find_places
from codex_usage.index import open_index

SERVER = """
    import json, sys
    for line in sys.stdin:
        asked = json.loads(line)
        if "id" in asked:
            result = {"tools": [{}, {}]} if asked["method"] == "tools/list" else {}
            print(json.dumps({"jsonrpc": "2.0", "method": "notifications/message"}))
            print(json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": result}), flush=True)
"""
posix = pytest.mark.skipif(os.name != "posix", reason="scripts and modes are those of POSIX")


def script(path: Path, text: str) -> Path:
    """A program in Python that can be started by its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    code = path.with_suffix(".py")
    code.write_text(textwrap.dedent(text), encoding="utf-8")
    path.write_text(f"#!/bin/sh\nexec {shlex.quote(sys.executable)} -S {shlex.quote(str(code))}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


class Patient:
    """A user's folders with everything installed and in order, to be broken by a test."""

    def __init__(self, root: Path) -> None:
        self.home = root / "codex"
        self.skills = root / "skills"
        self.data = root / "data"
        self.env = {"CODEX_HOME": str(self.home), "CLAUDE_CONFIG_DIR": str(root / "claude")}
        self.env["CODEX_USAGE_HOME"] = str(self.data)
        self.server = script(root / "bin" / "codex-usage-mcp", SERVER)
        self.home.mkdir()
        self.config = self.home / "config.toml"
        self.install()

    def install(self) -> None:
        install.install(
            self.home, skills_home=self.skills, server_command=self.server, source=install.skill_source(), env=self.env
        )

    def examine(self) -> dict[str, checks.Check]:
        found = checks.examine(
            find_places(env=self.env), self.home, skills_home=self.skills, server_command=self.server, version="1.2.3"
        )
        return {check.name: check for check in found}

    def replace(self, old: str, new: str) -> None:
        text = self.config.read_text(encoding="utf-8")
        assert old in text
        self.config.write_text(text.replace(old, new), encoding="utf-8")

    def add(self, text: str) -> None:
        self.config.write_text(self.config.read_text(encoding="utf-8") + text, encoding="utf-8")


@pytest.fixture
def patient(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Patient:
    """All well. The server may take its time: this machine may be busy."""
    monkeypatch.setattr(checks, "CODEX_WAITS", 60.0)
    return Patient(tmp_path)


@posix
def test_a_healthy_installation_has_nothing_to_mend(patient: Patient) -> None:
    """No check fails, none is without a sentence, and none that is well has a remedy."""
    found = patient.examine()
    assert [check.name for check in found.values() if check.ok is False] == []
    assert all(check.detail.endswith(".") and check.remedy is None for check in found.values())
    assert "1.2.3" in found["Python"].detail
    assert "2 tools" in found["Server"].detail


@posix
def test_logs_and_the_index_are_counted(patient: Patient) -> None:
    """What can be read is told in numbers."""
    patient.config.unlink()
    patient.home.rmdir()
    write_demo_home(patient.home, now=datetime(2026, 11, 21, 12, tzinfo=UTC))
    open_index(find_places(env=patient.env).index).close()
    found = patient.examine()
    assert "has 6" in found["Codex home"].detail
    assert found["Index"].ok
    assert "MB" in found["Index"].detail


@posix
@pytest.mark.parametrize(
    ("old", "new", "name", "says"),
    [
        ("env_vars", "cwd = '/'\nx", "Environment", "does not pass CODEX_HOME"),
        ("command", "enabled = false\ncommand", "Configuration", "switched off"),
        ("/codex-usage-mcp", "/gone/codex-usage-mcp", "Command", "does not exist"),
        ("/codex-usage-mcp", "/gone/codex-usage-mcp", "Server", "cannot be started"),
        ("[mcp_servers.codex-usage]", "[mcp_servers.codex-usage2]", "Configuration", "does not name"),
        ("[mcp_servers.codex-usage]", "[mcp_servers.codex-usage2]", "Other servers", "codex-usage2 looks like"),
        ("command", "[", "Configuration", "line 2"),
    ],
)
def test_a_fault_in_config_toml_is_named(patient: Patient, old: str, new: str, name: str, says: str) -> None:
    """Each with a remedy."""
    patient.replace(old, new)
    check = patient.examine()[name]
    assert check.ok is False
    assert says in check.detail
    assert check.remedy


@posix
def test_a_server_of_another_installation_is_told(patient: Patient, tmp_path: Path) -> None:
    """An old virtual environment may still stand in config.toml."""
    patient.server = script(tmp_path / "other" / "codex-usage-mcp", SERVER)
    check = patient.examine()["Command"]
    assert (check.ok, check.remedy) == (False, "Run codex-usage setup.")
    assert "another installation" in check.detail


@posix
def test_a_missing_and_an_outdated_skill_are_told(patient: Patient) -> None:
    """By its contents, not by its version alone."""
    skill = patient.skills / "codex-usage" / "SKILL.md"
    skill.write_text("edited", encoding="utf-8")
    assert "differs" in patient.examine()["Skill"].detail
    skill.unlink()
    assert patient.examine()["Skill"].ok is False


@posix
def test_a_plugin_besides_setup_is_told_and_alone_is_fine(patient: Patient) -> None:
    """The same server twice is a question of which one answers; the plugin alone is an installation."""
    patient.add('\n[plugins."codex-usage@local"]\nenabled = true\n')
    assert "codex plugin remove codex-usage@local" in str(patient.examine()["Plugin"].remedy)
    install.uninstall(patient.home, skills_home=patient.skills, env=patient.env)
    found = patient.examine()
    assert found["Plugin"].ok
    assert (found["Skill"].ok, found["Configuration"].ok, found["Command"].ok) == (None, None, None)


@posix
def test_telemetry_is_told_without_its_address(patient: Patient) -> None:
    """Endpoints and headers may hold secrets."""
    patient.add('\n[otel]\nexporter = {otlp-http = {endpoint = "https://u:secret@h/v1/logs", protocol = "json"}}\n')
    check = patient.examine()["Telemetry"]
    assert check.ok is None
    assert "exporter otlp-http" in check.detail
    assert "secret" not in check.detail


@posix
def test_a_data_folder_open_to_others_and_a_foreign_index_are_told(patient: Patient) -> None:
    """Both hold what nobody else should change."""
    patient.data.mkdir()
    patient.data.chmod(0o777)
    find_places(env=patient.env).index.write_bytes(b"not a database, but long enough to be looked at" * 99)
    found = patient.examine()
    assert "chmod 700" in str(found["Data folder"].remedy)
    assert found["Index"].ok is False
    assert "not a codex-usage index" in found["Index"].detail


@posix
def test_a_check_that_breaks_down_is_told_as_one(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    """The others still run."""

    def broken(*_: object) -> None:
        raise RuntimeError("boom")

    monkeypatch.setattr(checks, "list_logs", broken)
    patient.home.joinpath("sessions").mkdir()
    found = patient.examine()
    assert "boom" in found["Homes"].detail
    assert found["Server"].ok


def test_nothing_installed_at_all_is_told_and_nothing_is_made(tmp_path: Path) -> None:
    """The doctor looks; it does not change a thing."""
    env = {name: str(tmp_path / name) for name in ("CODEX_HOME", "CLAUDE_CONFIG_DIR", "CODEX_USAGE_HOME")}
    found = checks.examine(
        find_places(env=env),
        tmp_path / "CODEX_HOME",
        skills_home=tmp_path / "skills",
        server_command=tmp_path / "codex-usage-mcp",
        version="1",
    )
    failed = [check.name for check in found if check.ok is False]
    assert failed == ["Codex home", "Skill", "Configuration", "Command", "Server"]
    assert all(check.remedy for check in found if check.ok is False)
    assert os.listdir(tmp_path) == []


# -- the probe ---------------------------------------------------------------------------------------------


def ask(tmp_path: Path, text: str, wait: float = 30.0) -> tuple[float, int]:
    """Ask a server written in Python."""
    code = tmp_path / "server.py"
    code.write_text(textwrap.dedent(text), encoding="utf-8")
    return probe.ask_server([sys.executable, "-S", str(code)], os.environ, wait)


def test_the_probe_counts_the_tools_and_the_seconds(tmp_path: Path) -> None:
    """Notifications in between are passed over."""
    seconds, tools = ask(tmp_path, SERVER)
    assert tools == 2
    assert 0 < seconds < 30


@pytest.mark.parametrize(
    ("text", "raised", "says"),
    [
        ("import sys; sys.exit(3)", EOFError, "ended before"),
        ("print('Welcome!', flush=True); input()", ValueError, "something else"),
        ('print(\'{"id": 0, "error": {}}\', flush=True); input()', ValueError, "an error"),
        ("import threading; threading.Event().wait()", TimeoutError, "in time"),
    ],
)
def test_a_server_that_does_not_answer_is_told_and_ended(
    tmp_path: Path, text: str, raised: type[Exception], says: str
) -> None:
    """Whatever it does instead; the wait has an end."""
    began = time.monotonic()
    with pytest.raises(raised, match=says):
        ask(tmp_path, text, wait=0.3 if raised is TimeoutError else 30.0)
    assert time.monotonic() - began < 30


@posix
def test_the_probe_leaves_no_process_behind(tmp_path: Path) -> None:
    """A server's own children end with it, even those that hold its pipes open."""
    text = f"""
        import os, subprocess, sys
        child = subprocess.Popen(["sleep", "600"])
        open({str(tmp_path / "pids")!r}, "w").write(f"{{os.getpid()}} {{child.pid}}")
        sys.stdin.readline(); print("no", flush=True); sys.stdin.readline()
    """
    with pytest.raises(ValueError, match="something else"):
        ask(tmp_path, text)
    server, child = map(int, (tmp_path / "pids").read_text().split())
    with pytest.raises(ProcessLookupError):
        os.kill(server, 0)
    deadline = time.monotonic() + 10
    while running(child):  # an orphan is collected by the system, when it gets round to it
        assert time.monotonic() < deadline


def running(pid: int) -> bool:
    """Does the process run? One that waits to be collected does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat")
    return not state.exists() or ") Z" not in state.read_text()
