"""Real Codex binaries, each in a home of its own.

In: a version to `install` from npm, and a `MockResponses` to point it at. Out: `CodexLab`, which runs
`codex exec`, `resume`, `fork` and the app server in a throwaway folder (home, CODEX_HOME, git work folder)
with nothing of the caller's environment that could change what Codex does. Every wait is bounded.
`python -m tests.lab.codex VERSION...` installs ahead of a test run.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.lab.appserver import AppServer
from tests.lab.responses import MockResponses

REPOSITORY = Path(__file__).resolve().parents[2]
MCP_SERVER = Path(__file__).with_name("mcp_tiny.py")
THREAD = re.compile(r'(?:"(?:thread|session)_id":"|session id: )([0-9a-f]{8}-[0-9a-f-]{27})')
STRIPPED = re.compile(r"(openai|codex|git|python|pytest)_|.*_proxy$|.*_api_key$", re.IGNORECASE)
FILES = {"a.py": "print(1)\n", "test_a.py": "def test_ok():\n    assert True\n\n\ndef test_bad():\n    assert 1 == 2\n"}


class NpmError(Exception):
    """A package could not be installed; the message has npm's last words."""


def install(version: str) -> Path:
    """The `codex` of `@openai/codex@version`, from the cache folder or from npm. Raises NpmError."""
    program = Path("node_modules", ".bin", "codex")
    return installed(version, f"@openai/codex@{version}", lambda folder: _works(folder / program, version)) / program


def npm_install(folder: Path, package: str, seconds: float) -> str:
    """Install a package of npm into an empty folder; npm's last words."""
    if not shutil.which("npm"):
        return "npm is not on the PATH"
    done = run(["npm", "install", "--prefix", str(folder), "--no-audit", "--no-fund", package], folder, seconds)
    return done.stderr[-500:]


def installed(
    name: str, package: str, works: Callable[[Path], bool], seconds: float = 240.0, attempts: int = 3,
    put: Callable[[Path, str, float], str] = npm_install,
) -> Path:  # fmt: skip
    """The folder `name` of the cache with a package that works, `put` there if need be. Raises NpmError."""
    cache = Path(os.environ.get("CODEX_USAGE_TEST_CACHE") or REPOSITORY / ".cache" / "codex")
    cache.mkdir(parents=True, exist_ok=True)
    (cache / ".gitignore").write_text("*\n", encoding="utf-8")
    folder = cache / name
    with (cache / f"{name}.lock").open("w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        said = ""
        for _ in range(attempts):
            if works(folder):
                break
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            said = put(folder, package, seconds)
        if not works(folder):
            raise NpmError(f"{package}: {said}")
    return folder


def _works(binary: Path, version: str) -> bool:
    if not binary.exists():
        return False
    return run([str(binary), "--version"], binary.parent, 30).stdout.split()[-1:] == [version]


@dataclass(frozen=True, slots=True)
class Run:
    """A finished command. `returncode` is None when it was killed for taking too long."""

    returncode: int | None
    stdout: str
    stderr: str

    @property
    def thread_id(self) -> str:
        """The thread the command worked on. LookupError when it named none."""
        found = THREAD.search(self.stdout) or THREAD.search(self.stderr)
        if not found:
            raise LookupError(f"no thread id in: {self.stdout[-500:]} {self.stderr[-500:]}")
        return found[1]

    @property
    def events(self) -> list[dict[str, Any]]:
        """The JSON lines of `codex exec --json`."""
        return [json.loads(line) for line in self.stdout.splitlines() if line.startswith("{")]


def run(command: list[str], folder: Path, seconds: float, environment: dict[str, str] | None = None) -> Run:
    """Run `command` in `folder` with no input; its whole process group is killed after `seconds`."""
    with subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,
    ) as process:
        try:
            out, err = process.communicate(timeout=seconds)
            return Run(process.returncode, out, err)
        except subprocess.TimeoutExpired:
            kill_group(process)
            out, err = process.communicate(timeout=10)
            return Run(None, out, err)


def kill_group(process: subprocess.Popen[str]) -> None:
    """Kill a process started in its own session, and its children."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


@dataclass
class CodexLab:
    """One Codex binary, one home, one work folder, one mock.

    `root` becomes HOME; `top` is TOML for the head of config.toml, `tables` TOML tables for its end.
    `builtin_provider` points Codex's own OpenAI provider at the mock (remote compaction needs it). Change
    an attribute and the next command sees it: the configuration is written before each.
    """

    binary: Path
    mock: MockResponses
    root: Path
    model: str | None = None
    approval: str = "never"
    sandbox: str = "danger-full-access"
    top: str = ""
    tables: str = ""
    builtin_provider: bool = False
    environment: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.home.mkdir(parents=True, exist_ok=True)
        self.work.mkdir(exist_ok=True)
        for name, text in FILES.items():
            (self.work / name).write_text(text, encoding="utf-8")
        remote = "https://github.com/example/demo.git"
        for command in ("init -q -b main", "add .", "commit -qm init", f"remote add origin {remote}"):
            author = ["-c", "user.name=Dev", "-c", "user.email=dev@example.com"]
            assert run(["git", *author, *command.split()], self.work, 20, self.variables()).returncode == 0
        said = run([str(self.binary), "--version"], self.work, 30, self.variables()).stdout
        self.version = tuple(int(part) for part in re.findall(r"\d+", said)[:3])

    @property
    def home(self) -> Path:
        """CODEX_HOME."""
        return self.root / ".codex"

    @property
    def work(self) -> Path:
        """The git repository Codex works in."""
        return self.root / "demo"

    def exec(self, prompt: str, *options: str, seconds: float = 90.0) -> Run:
        """`codex exec PROMPT`."""
        return self.codex(*self._exec(), *options, prompt, seconds=seconds)

    def resume(self, thread: str, prompt: str, *options: str, seconds: float = 90.0) -> Run:
        """`codex exec resume THREAD PROMPT`."""
        return self.codex(*self._exec(), *options, "resume", thread, prompt, seconds=seconds)

    def fork(self, thread: str, prompt: str, *options: str, seconds: float = 90.0) -> Run:
        """`codex exec fork THREAD PROMPT` (0.169)."""
        return self.codex(*self._exec(), *options, "fork", thread, prompt, seconds=seconds)

    def codex(self, *arguments: str, seconds: float = 90.0) -> Run:
        """Any `codex` command; the mock has finished its answers when this returns."""
        self.write_config()
        done = run([str(self.binary), *arguments], self.work, seconds, self.variables())
        self.mock.settle()
        return done

    def app_server(self, client: str = "codex_vscode") -> AppServer:
        """A running `codex app-server`; use it as a context manager."""
        self.write_config()
        return AppServer([str(self.binary), "app-server"], self.work, self.variables(), client, self.mock)

    def rollouts(self) -> list[Path]:
        """All rollout files, archived ones included, in the order of their names."""
        found = [*self.home.glob("sessions/**/rollout-*"), *self.home.glob("archived_sessions/rollout-*")]
        return sorted(found, key=lambda path: path.name)

    def thread_ids(self) -> list[str]:
        """The threads that have a rollout, oldest file first, each once."""
        ids = [re.findall(r"[0-9a-f]{8}-[0-9a-f-]{27}", path.name)[0] for path in self.rollouts()]
        return list(dict.fromkeys(ids))

    def lines(self, thread: str | None = None) -> list[dict[str, Any]]:
        """The rollout lines of one thread, or of all, as objects."""
        chosen = [path for path in self.rollouts() if thread is None or thread in path.name]
        return [json.loads(line) for path in chosen for line in path.read_text(encoding="utf-8").splitlines()]

    def write_config(self) -> None:
        """Write config.toml: the mock as the provider, telemetry off, the work folder trusted."""
        model = f'model = "{self.model}"\n' if self.model else ""
        own = f'openai_base_url = "{self.mock.url}"\nforced_login_method = "api"'
        provider = own if self.builtin_provider else 'model_provider = "mock"'
        telemetry = '[otel]\nexporter = "none"\n' if self.version >= (0, 50) and "[otel]" not in self.tables else ""
        text = f"""{model}{provider}
approval_policy = "{self.approval}"
sandbox_mode = "{self.sandbox}"
check_for_update_on_startup = false
{self.top}
[model_providers.mock]
name = "mock"
base_url = "{self.mock.url}"
env_key = "MOCK_KEY"
wire_api = "responses"
requires_openai_auth = false
request_max_retries = 2
stream_max_retries = 2
stream_idle_timeout_ms = 20000
[analytics]
enabled = false
[projects."{self.work}"]
trust_level = "trusted"
{telemetry}{self.tables}
"""
        (self.home / "config.toml").write_text(text, encoding="utf-8")

    def _exec(self) -> list[str]:
        return ["exec", *(["--json"] if self.version >= (0, 44) else []), "--skip-git-repo-check"]

    def variables(self) -> dict[str, str]:
        """The environment commands run in: the caller's, less what could change Codex, plus this home."""
        kept = {name: value for name, value in os.environ.items() if not STRIPPED.match(name)}
        git = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
        ours = {"HOME": str(self.root), "CODEX_HOME": str(self.home), "MOCK_KEY": "key", "NO_PROXY": "127.0.0.1"}
        keys = dict.fromkeys(("OPENAI_API_KEY", "CODEX_API_KEY"), "sk-mock") if self.builtin_provider else {}
        return {**kept, **git, **ours, **keys, "TERM": "xterm-256color", **self.environment}


if __name__ == "__main__":
    for wanted in sys.argv[1:]:
        print(install(wanted))
