"""Packages of npm that only tests need, at fixed versions: a name in, its folder out.

`python -m tests.lab.npm` installs all of them ahead of a test run; `... check` type-checks the page's scripts.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.lab.codex import REPOSITORY, installed

VERSIONS = {"axe-core": "4.14.1", "typescript": "7.0.2"}
SCRIPTS = REPOSITORY / "server" / "codex_usage" / "present" / "page"
#: The scripts are one program of the browser's own words.
STRICT = ("--checkJs", "--strict", "--noEmit", "--target", "es2022", "--lib", "es2022,dom,dom.iterable", "--types", "")


def package(name: str) -> Path:
    """The folder of a package, from the cache or from npm. Raises NpmError."""
    version, place = VERSIONS[name], Path("node_modules", name)
    return installed(f"{name}-{version}", f"{name}@{version}", lambda folder: _has(folder / place, version)) / place


def _has(folder: Path, version: str) -> bool:
    try:
        return bool(json.loads((folder / "package.json").read_text(encoding="utf-8"))["version"] == version)
    except (OSError, ValueError):
        return False


def check() -> int:
    """Type-check the page's scripts as one program; the exit code."""
    compiler = package("typescript").parent / ".bin" / "tsc"
    return subprocess.run([compiler, *STRICT, *sorted(SCRIPTS.glob("*.js"))], check=False).returncode


if __name__ == "__main__":
    if sys.argv[1:] == ["check"]:
        sys.exit(check())
    for needed in VERSIONS:
        print(package(needed))
