"""Other MCP clients at fixed versions, from npm and PyPI: a name in, the program that runs it out.

`python -m tests.clients.packages` installs all of them ahead of a test run.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.lab.codex import NpmError, installed, run

#: The inspector needs a newer Node than some systems have.
NPM = {
    "node": ("node", "22.23.3"),
    "claude": ("@anthropic-ai/claude-code", "2.1.330"),
    "opencode": ("opencode-ai", "1.18.33"),
    "mcp-inspector": ("@modelcontextprotocol/inspector", "2.12.0"),
}
PYPI = {"fastmcp": "4.1.1", "mcp": "1.30.0"}
#: One takes half a minute; a registry that hangs shall not hold up the tests for long.
_SECONDS = 150.0


def program(name: str, attempts: int = 1) -> Path:
    """The program of a package of npm. Raises NpmError."""
    package, version = NPM[name]
    place = Path("node_modules", ".bin", name)
    asked = [] if name == "mcp-inspector" else ["--version"]  # it would want its newer Node
    folder = installed(
        f"{name}-{version}", f"{package}@{version}",
        lambda folder: (folder / place).exists() and (not asked or version in _said(folder / place, *asked)),
        _SECONDS, attempts,
    )  # fmt: skip
    return folder / place


def python(name: str, attempts: int = 1) -> Path:
    """A Python in an environment of its own that has a package of PyPI. Raises NpmError."""
    version, place = PYPI[name], Path("bin", "python")
    code = f"import importlib.metadata as m; print(m.version('{name}'))"
    folder = installed(
        f"{name}-{version}", f"{name}=={version}",
        lambda folder: (folder / place).exists() and version in _said(folder / place, "-c", code),
        _SECONDS, attempts, _pip_install,
    )  # fmt: skip
    return folder / place


def _pip_install(folder: Path, package: str, seconds: float) -> str:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    pip = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python"), "install", "--quiet"]
    return run([*pip, package], folder, seconds).stderr[-500:]


def _said(command: Path, *words: str) -> str:
    variables = {"PATH": os.environ["PATH"], "HOME": str(command.parent)}
    return run([str(command), *words], command.parent, 30, variables).stdout


if __name__ == "__main__":
    for names, find in ((NPM, program), (PYPI, python)):
        for wanted in names:
            try:
                print(find(wanted, 3))
            except NpmError as error:  # its tests are skipped, and say why
                print(error, file=sys.stderr)
