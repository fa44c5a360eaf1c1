"""Real Codex takes what setup writes: the server is listed, no key is unknown, the skill is found."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from codex_usage.cli import install
from tests.lab.codex import Run, run


class Setup:
    """Setup run into an empty user's home, for one Codex binary."""

    def __init__(self, binary: Path, root: Path) -> None:
        self.binary = binary
        self.home = root / ".codex"
        self.root = root
        self.server = root / "bin" / "codex-usage-mcp"
        self.server.parent.mkdir()
        self.server.write_text("#!/bin/sh\n", encoding="utf-8")
        self.home.mkdir()

    @property
    def config(self) -> Path:
        return self.home / "config.toml"

    def install(self, telemetry: bool = False) -> None:
        install.install(
            self.home,
            skills_home=self.root / ".agents" / "skills",
            server_command=self.server,
            source=install.skill_source(),
            env={},
            telemetry=telemetry,
        )

    def codex(self, *arguments: str) -> Run:
        """Any command of Codex with nothing of the caller's environment but PATH."""
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.root), "CODEX_HOME": str(self.home)}
        return run([str(self.binary), *arguments], self.root, 60, environment)


@pytest.fixture(params=["codex_169", "codex_130"])
def user(request: pytest.FixtureRequest, tmp_path: Path) -> Setup:
    """A user of the newest and of an older Codex."""
    return Setup(request.getfixturevalue(request.param), tmp_path)


@pytest.fixture
def new(codex_169: Path, tmp_path: Path) -> Setup:
    """A user of Codex 0.169."""
    return Setup(codex_169, tmp_path)


LAYOUTS = [
    "",
    'mcp_servers.other.command = "x"\r\n[analytics]\r\nenabled = false',
    '\ufeffmcp_servers = {\n  other = { command = "x" },\n}\n',
    '[mcp_servers.codex-usage]\ntool_timeout_sec = 90\ncommand = "/old/codex-usage-mcp"\n',
]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_codex_lists_the_server_in_whatever_layout_the_file_was(user: Setup, layout: str) -> None:
    """With the script's path and the names of the environment; other servers stay."""
    user.config.write_bytes(layout.encode())
    user.install()
    done = user.codex("mcp", "list", "--json")
    assert done.returncode == 0, done.stderr
    servers = {server["name"]: server for server in json.loads(done.stdout)}
    assert servers["codex-usage"]["transport"]["command"] == str(user.server)
    assert "CODEX_HOME" in servers["codex-usage"]["transport"]["env_vars"]
    assert ("other" in servers) == ("other" in layout)


def test_codex_knows_every_key_that_setup_writes(new: Setup) -> None:
    """Strict reading is content with our table, and would not be with another key in it."""
    strict = ("app-server", "--strict-config", "--print-startup-config")
    new.install(telemetry=True)
    assert new.codex(*strict).returncode == 0
    with new.config.open("a", encoding="utf-8") as file:
        file.write('no_such_key = "x"\n')
    done = new.codex(*strict)
    assert done.returncode != 0
    assert "no_such_key" in done.stdout


def test_codex_finds_the_skill(new: Setup) -> None:
    """It is named among the skills that a session starts with."""
    new.install()
    done = new.codex("debug", "prompt-input", "hello")
    assert done.returncode == 0, done.stderr
    assert ".agents/skills" in done.stdout
    assert "- codex-usage: " in done.stdout
