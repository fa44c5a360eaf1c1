"""From the built wheel, as a new user installs it: every step works without anything of the developer's."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from codex_usage import __version__
from tests.lab.codex import REPOSITORY, Run, run

pytestmark = [
    pytest.mark.timeout(900),  # dependencies may have to be fetched
    pytest.mark.skipif(os.name != "posix", reason="folders of an environment as Unix has them"),
]


def must(command: list[str], folder: Path, variables: dict[str, str] | None = None, ends: int = 0) -> str:
    """What a command prints; it must succeed, or end as it should."""
    done = run(command, folder, 400, variables)
    assert done.returncode == ends, done.stdout + done.stderr
    return done.stdout


def fetched(command: list[str], folder: Path) -> None:
    """Run pip, three times at most: a registry may be out of reach for a moment."""
    done = Run(None, "", "")
    for _ in range(3):
        done = run(command, folder, 300)
        if done.returncode == 0:
            return
    pytest.skip(f"pip could not fetch what is needed: {done.stderr[-500:]}")


class NewUser:
    """An empty home, and an environment with the wheel in it and what the wheel asks for."""

    def __init__(self, root: Path, programs: Path) -> None:
        self.root = root
        self.programs = programs
        self.env = {"HOME": str(root), "PATH": f"{programs}:{os.defpath}", "LC_ALL": "C.UTF-8", "TZ": "UTC"}

    def run(self, *words: str) -> str:
        """What `codex-usage …` prints."""
        return must([str(self.programs / "codex-usage"), *words], self.root, self.env)


def environment(root: Path) -> Path:
    """The programs of a fresh environment with the wheel and what it asks for; a skip where they can't be fetched."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    fetched([*pip, "wheel", "--no-deps", "--wheel-dir", str(root), str(REPOSITORY)], root)
    (wheel,) = root.glob("*.whl")
    assert wheel.name == f"codex_usage_mcp-{__version__}-py3-none-any.whl"
    must([sys.executable, "-m", "venv", "--without-pip", "env"], root)
    fetched([*pip, "--python", str(root / "env" / "bin" / "python"), "install", str(wheel)], root)
    return root / "env" / "bin"


def test_a_new_user_gets_from_nothing_to_an_answer_and_back(tmp_path: Path) -> None:
    """Each step says what it did and what comes next; one test, as two would install everything twice."""
    user = NewUser(tmp_path, environment(tmp_path))
    said = user.run("setup")
    assert f"✓ Put the skill in {tmp_path}/.agents/skills/codex-usage.\n" in said
    assert f"✓ Added the MCP server in {tmp_path}/.codex/config.toml.\n" in said
    assert "No logs yet" in said
    assert re.search(r"✓ \d+ of \d+ checks are well", said)
    assert "Ask Codex:  use $codex-usage" in said
    doctor_finds_nothing(user)
    server_shakes_hands(user)
    said = user.run("demo")
    (options,) = re.findall(r"Go on with: codex-usage (.*) …", said)
    assert "against the period before" in said
    assert json.loads(user.run(*options.split(), "summary", "--json"))["total"]["calls"] > 100
    page = tmp_path / "usage.html"
    assert "calls" in user.run(*options.split(), "dashboard", "-o", str(page))
    assert "<html" in page.read_text(encoding="utf-8")
    dashboard_is_served(user, options.split())
    said = user.run("setup", "--uninstall")
    assert "✓ Removed the skill" in said
    assert "delete that folder to forget" in said
    assert list((tmp_path / ".agents" / "skills").iterdir()) == []
    assert not (tmp_path / ".codex" / "config.toml").exists()


def doctor_finds_nothing(user: NewUser) -> None:
    """All that setup put is well; a busy machine may start the server too late."""
    done = run([str(user.programs / "codex-usage"), "doctor", "--json"], user.root, 60, user.env)
    failed = {check["name"]: check["detail"] for check in json.loads(done.stdout) if check["ok"] is False}
    assert failed.keys() <= {"Server"}, failed
    assert all("Codex waits" in detail for detail in failed.values())


def server_shakes_hands(user: NewUser) -> None:
    """With its tools, in an environment without the developer's packages."""
    hello = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
    asked = [{"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello}]
    asked += [{"jsonrpc": "2.0", "method": "notifications/initialized"}]
    asked += [{"jsonrpc": "2.0", "id": 2, "method": "tools/list", "params": {}}]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [user.programs / "codex-usage-mcp"], env=user.env, stdin=pipe, stdout=pipe, text=True
    ) as server:
        assert server.stdin and server.stdout
        server.stdin.write("".join(json.dumps(line) + "\n" for line in asked))
        server.stdin.flush()
        answers = [json.loads(server.stdout.readline()) for _ in range(2)]
        server.stdin.close()
        assert server.wait(30) == 0
    assert answers[0]["result"]["serverInfo"]["version"] == __version__
    assert "usage_summary" in {tool["name"] for tool in answers[1]["result"]["tools"]}
    known = must([str(user.programs / "python"), "-c", "import sys, hypothesis"], user.root, user.env, ends=1)
    assert known == ""


def dashboard_is_served(user: NewUser, options: list[str]) -> None:
    """Its page is in the wheel."""
    command = [user.programs / "codex-usage", *options, "serve-dashboard", "--port", "0"]
    with subprocess.Popen(command, env=user.env, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout
            url = re.search(r"http\S+/", server.stdout.readline())
            assert url
            with urllib.request.urlopen(url[0], timeout=30) as answer:
                assert b"<html" in answer.read()
            server.send_signal(signal.SIGTERM)
            assert server.wait(30) == 0
        finally:
            server.kill()
