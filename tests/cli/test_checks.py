"""The doctor names what is wrong and its mend, and never breaks down itself."""

from __future__ import annotations

import os
import re
import shlex
import socket
import sys
import textwrap
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from codex_usage.cli import checks, codex_config, install, probe, service
from codex_usage.cli.demo import write_demo_home
from codex_usage.homes import find_places
from codex_usage.index import open_index
from codex_usage.index.queries import quality
from tests.support.index import refreshed
from tests.support.rollouts import Rollout

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

    def examine(self, *words: str) -> dict[str, checks.Check]:
        found = checks.examine(
            find_places(env=self.env),
            self.home,
            skills_home=self.skills,
            server_command=self.server,
            version="1.2.3",
            words=words,
        )
        return {check.name: check for check in found}

    def codex(self, says: str) -> None:
        """Put a codex on the PATH that tells its version."""
        path = self.server.with_name("codex")
        path.write_text(f"#!/bin/sh\necho {shlex.quote(says)}\n", encoding="utf-8")
        path.chmod(0o755)

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
    patient = Patient(tmp_path)
    monkeypatch.setenv("CODEX_USAGE_HOME", str(patient.data))
    monkeypatch.setenv("PATH", f"{patient.server.parent}:/usr/bin:/bin")
    patient.codex("codex-cli 0.169.0")
    return patient


@posix
def test_a_healthy_installation_has_nothing_to_mend(patient: Patient) -> None:
    """No check fails, none is without a sentence, and none that is well has a remedy."""
    found = patient.examine()
    assert [check.name for check in found.values() if check.ok is False] == []
    assert all(check.detail.endswith(".") and check.remedy is None for check in found.values())
    assert {check.repair for check in found.values()} <= {None, "codex-usage update-pricing"}
    assert found["Codex"].detail == "Codex 0.169.0 is on the PATH."
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
        (
            "[mcp_servers.codex-usage]",
            "[mcp_servers.codex-usage2]",
            "Other servers",
            "codex-usage2 starts codex-usage a second time",
        ),
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
    assert (check.ok, check.remedy, check.repair) == (False, "Run codex-usage setup.", "codex-usage setup")
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
    assert patient.examine()["Other servers"].repair == "codex plugin remove codex-usage@local"
    install.uninstall(patient.home, skills_home=patient.skills, env=patient.env)
    found = patient.examine()
    assert found["Other servers"].ok
    assert (found["Skill"].ok, found["Configuration"].ok, found["Command"].ok) == (None, None, True)
    assert (found["Environment"].ok, "2 tools" in found["Server"].detail) == (True, True)


@posix
def test_a_plugin_whose_server_is_not_on_the_path_is_told(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Codex would go on without the tools, and say nothing; setup names the server by its place."""
    patient.add('\n[plugins."codex-usage@local"]\nenabled = true\n')
    install.uninstall(patient.home, skills_home=patient.skills, env=patient.env)
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    check = patient.examine()["Command"]
    assert (check.ok, check.repair) == (False, "codex-usage setup")
    assert check.detail.startswith("codex-usage-mcp does not exist")


@posix
def test_telemetry_that_comes_here_is_told_with_whether_somebody_listens(
    patient: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the port that setup writes; another exporter is none of ours."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        monkeypatch.setattr(checks, "PORT", listener.getsockname()[1])
        text = codex_config.with_telemetry(patient.config.read_text(encoding="utf-8"))
        patient.config.write_text(text, encoding="utf-8")
        assert "(exporter) to codex-usage, which listens;" in patient.examine()["Telemetry"].detail
    assert "which is not listening now" in patient.examine()["Telemetry"].detail
    patient.replace("/v1/logs", "/v1/other")
    assert "to codex-usage" not in patient.examine()["Telemetry"].detail


@posix
def test_a_service_that_does_not_run_is_told_with_its_start(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is none, or where it runs, there is nothing to mend."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(patient.data))
    monkeypatch.setenv("HOME", str(patient.data))
    assert patient.examine()["Service"].ok is None
    there = service.service(patient.server, [], os.environ)
    assert there
    there.path.parent.mkdir(parents=True)
    there.path.touch()
    found = patient.examine()["Service"]
    assert (found.ok, found.repair) == (False, shlex.join(there.start))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/#token=secret"
        with service.told(patient.data, url):
            found = patient.examine()["Service"]
    assert found.ok
    assert "secret" not in found.detail


@posix
def test_telemetry_is_told_without_its_address(patient: Patient) -> None:
    """Endpoints and headers may hold secrets."""
    patient.add('\n[otel]\nexporter = {otlp-http = {endpoint = "https://u:secret@h/v1/logs", protocol = "json"}}\n')
    check = patient.examine()["Telemetry"]
    assert check.ok is None
    assert "(exporter)" in check.detail
    assert "secret" not in check.detail


@posix
def test_a_data_folder_open_to_others_and_a_foreign_index_are_told(patient: Patient) -> None:
    """Both hold what nobody else should change."""
    patient.data.mkdir()
    patient.data.chmod(0o755)
    found = patient.examine()
    assert found["Data folder"].repair == f"chmod 700 {patient.data}"
    patient.data.chmod(0o700)
    find_places(env=patient.env).index.write_bytes(b"not a database, but long enough to be looked at" * 99)
    found = patient.examine()
    assert found["Data folder"].ok
    assert found["Index"].ok is False
    assert "not a codex-usage index" in found["Index"].detail


@posix
def test_a_damaged_index_is_told_with_the_command_that_makes_it_anew(patient: Patient) -> None:
    """Logs are all that is needed for a new one."""
    Rollout().turn().call(input=10, output=1).write(patient.home)
    places = find_places(env=patient.env)
    refreshed(places)
    pages = bytearray(places.index.read_bytes())
    pages[4096:] = b"\xff" * (len(pages) - 4096)
    places.index.write_bytes(pages)
    check = patient.examine("--db", "x.sqlite")["Index"]
    assert (check.ok, check.repair) == (False, "codex-usage --db x.sqlite clear-db")


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


@posix
@pytest.mark.parametrize(
    ("says", "ok", "told", "mended"),
    [
        ("codex-cli 0.169.0", True, "Codex 0.169.0 is", False),
        ("codex-cli 0.98.0-alpha.1", None, "was not tried", True),
        ("codex 0.20.0", False, "logs no token usage", True),
        ("Hello!", None, "No codex command", False),
    ],
)
def test_a_codex_that_is_too_old_is_told_with_its_update(
    patient: Patient, says: str, ok: bool | None, told: str, mended: bool
) -> None:
    """Older ones work in part, or log nothing that could be counted; none at all is no fault, with an editor's."""
    patient.codex(says)
    check = patient.examine()["Codex"]
    assert (check.ok, told in check.detail) == (ok, True)
    assert check.repair == ("npm install -g @openai/codex@latest" if mended else None)


@posix
def test_a_repair_is_exact_and_names_the_program_of_this_installation(patient: Patient, tmp_path: Path) -> None:
    """With the options that were given, quoted; and by its path where the shell would start another one."""
    patient.replace("[mcp_servers.codex-usage]", "[mcp_servers.other]")
    (patient.skills / "codex-usage" / "SKILL.md").unlink()
    found = patient.examine("--codex-home", "/a b")
    assert found["Skill"].repair == found["Configuration"].repair == "codex-usage --codex-home '/a b' setup"
    own = script(patient.server.with_name("codex-usage"), "")
    assert patient.examine()["Shell"].ok
    patient.server = script(tmp_path / "other" / "codex-usage-mcp", SERVER)
    script(tmp_path / "other" / "codex-usage", "")
    found = patient.examine()
    assert found["Skill"].repair == f"{tmp_path / 'other' / 'codex-usage'} setup"
    assert (found["Shell"].ok, str(own) in found["Shell"].detail) == (None, True)


@posix
def test_a_server_that_is_slower_than_codex_waits_is_told(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its tools would be missing from a session's first request."""
    monkeypatch.setattr(checks, "CODEX_WAITS", 0.0)
    check = patient.examine()["Server"]
    assert (check.ok, "Codex waits 0.0 s" in check.detail) == (False, True)


@posix
def test_every_further_server_is_named_with_its_removal(patient: Patient) -> None:
    """By its script, by a runner, and as a plugin; what only looks like it stays."""
    patient.add('[mcp_servers.b]\ncommand = "uvx"\nargs = ["codex-usage-mcp"]\n[mcp_servers.c]\ncommand = "x"\n')
    patient.add("[mcp_servers.d]\ncommand = 'python'\nargs = ['-m', 'codex_usage.serve.mcp']\n")
    patient.add('[plugins."codex-usage@market"]\n[plugins."codex-usage@off"]\nenabled = false\n')
    repair = "codex mcp remove b && codex mcp remove d && codex plugin remove codex-usage@market"
    assert patient.examine()["Other servers"].repair == repair


@posix
def test_lines_that_were_skipped_and_logs_to_be_read_are_counted(patient: Patient) -> None:
    """By kind; neither is a fault of the installation."""
    Rollout().turn().call(input=10, output=1).raw(b"{not json").write(patient.home)
    places = find_places(env=patient.env)
    refreshed(places)
    with open_index(places.index) as index:
        assert sum(quality(index).skipped.values()) == 1
        index.sql.execute("UPDATE files SET read = 0")
    found = patient.examine()
    assert found["Data quality"].ok is None
    assert found["Data quality"].detail.startswith("1 call counted; skipped lines: ")
    assert (found["Pending logs"].ok, found["Pending logs"].repair) == (None, "codex-usage refresh")


@posix
def test_what_is_wrong_in_the_users_own_files_is_told(patient: Patient) -> None:
    """Each entry that was left out, whichever file it is in."""
    patient.data.mkdir(mode=0o700)
    (patient.data / "budgets.json").write_text('{"budgets": [{"amount": 5}]}', encoding="utf-8")
    (patient.data / "thresholds.json").write_text('{"high_cost_usd": -1}', encoding="utf-8")
    (patient.data / "projects.json").write_text("{}", encoding="utf-8")
    check = patient.examine()["Settings"]
    assert check.ok is False
    assert check.detail.startswith("2 problems in your own files: budgets.json: ")
    assert "thresholds.json: high_cost_usd must be" in check.detail
    assert {name: len(told) for name, told in checks.own_files().items()} == {
        "budgets.json": 1, "projects.json": 0, "thresholds.json": 1
    }  # fmt: skip


@posix
def test_prices_that_have_been_here_for_long_are_told(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Newer models may have no price in them."""
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 400 * 86_400)
    check = patient.examine()["Prices"]
    assert (check.ok, check.repair) == (None, "codex-usage update-pricing")
    assert int(re.findall(r"\d+", check.detail)[0]) >= 400


@posix
def test_a_finding_never_holds_what_is_the_users_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is wrong: paths, names of servers and plugins, commands, and what files say."""
    patient = Patient(tmp_path / "kanarie")
    monkeypatch.setenv("CODEX_USAGE_HOME", str(patient.data))
    patient.data.mkdir(mode=0o777)
    (patient.data / "budgets.json").write_text('{"kanarie": 1}', encoding="utf-8")
    patient.replace(str(patient.server), "/kanarie/codex-usage-mcp")
    patient.add('[mcp_servers.kanarie]\ncommand = "codex-usage-mcp"\n[plugins."codex-usage@kanarie"]\n')
    patient.add('[otel]\nexporter = {kanarie = {endpoint = "kanarie"}}\n')
    shown: list[checks.Check] = list(patient.examine().values())
    patient.config.write_text("kanarie = [", encoding="utf-8")
    patient.data.chmod(0o700)
    find_places(env=patient.env).index.write_bytes(b"kanarie" * 999)
    shown += patient.examine().values()
    assert sum("kanarie" in check.detail for check in shown) > 12
    assert [check for check in shown if "kanarie" in check.finding or "\0" in check.detail] == []
    assert all(check.finding for check in shown)


def test_nothing_installed_at_all_is_told_and_nothing_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The doctor looks; it does not change a thing."""
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("CODEX_USAGE_HOME", str(tmp_path / "CODEX_USAGE_HOME"))
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
