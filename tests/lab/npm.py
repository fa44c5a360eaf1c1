"""Packages of npm that only tests need, at fixed versions: a name in, its folder out.

`python -m tests.lab.npm` installs all of them ahead of a test run; `... check` type-checks the page's scripts.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
VERSIONS = {"axe-core": "4.14.1", "typescript": "7.0.2"}
SCRIPTS = REPOSITORY / "server" / "codex_usage" / "present" / "page"
#: The scripts are one program of the browser's own words.
STRICT = ("--checkJs", "--strict", "--noEmit", "--target", "es2022", "--lib", "es2022,dom,dom.iterable", "--types", "")


class NpmError(Exception):
    """A package could not be installed; the message has npm's last words."""


def package(name: str, seconds: float = 240.0, attempts: int = 3) -> Path:
    """The folder of a package, from the cache or from npm. Raises NpmError."""
    version = VERSIONS[name]
    cache = Path(os.environ.get("CODEX_USAGE_TEST_CACHE") or REPOSITORY / ".cache" / "codex")
    cache.mkdir(parents=True, exist_ok=True)
    (cache / ".gitignore").write_text("*\n", encoding="utf-8")
    prefix = cache / f"{name}-{version}"
    folder = prefix / "node_modules" / name
    with (cache / f"{name}.lock").open("w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        said = "npm is not on the PATH"
        for _ in range(attempts if shutil.which("npm") else 0):
            if _has(folder, version):
                break
            shutil.rmtree(prefix, ignore_errors=True)
            said = _install(prefix, f"{name}@{version}", seconds)
        if not _has(folder, version):
            raise NpmError(f"{name}@{version}: {said}")
    return folder


def _install(prefix: Path, wanted: str, seconds: float) -> str:
    prefix.mkdir(parents=True)
    command = ["npm", "install", "--prefix", str(prefix), "--no-audit", "--no-fund", wanted]
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False).stderr[-500:]
    except subprocess.TimeoutExpired:
        return f"npm took longer than {seconds:.0f} s"


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
