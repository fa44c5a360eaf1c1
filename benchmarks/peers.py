"""The programs we are measured against, from their registries.

In: the cache folder. Out: how to call each on a Codex home, offline. ccusage is installed once with npm; its
command is a Node launcher around a native program, and both are measured.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .measure import Command, Failed

CCUSAGE = "20.0.24"
_ARGUMENTS = ("codex", "daily", "--json", "--offline")


@dataclass(frozen=True, slots=True)
class Ccusage:
    """``ccusage codex daily``: as installed, and without its launcher."""

    launcher: Path
    native: Path

    def command(self, env: Mapping[str, str], native: bool = False) -> Command:
        """It finds the logs through CODEX_HOME and keeps no index; ``--offline`` uses the prices it ships."""
        return Command([str(self.native if native else self.launcher), *_ARGUMENTS], env)


def ccusage(cache: Path, given: Path | None = None) -> Ccusage:
    """The pinned ccusage: ``given`` (a ``node_modules/.bin/ccusage``), or installed into the cache."""
    prefix = cache / "npm"
    launcher = given or prefix / "node_modules" / ".bin" / "ccusage"
    if not launcher.exists():
        npm = shutil.which("npm")
        if npm is None:
            raise Failed("npm is needed to install ccusage; or give --ccusage PATH")
        prefix.mkdir(parents=True, exist_ok=True)
        quiet = ["--no-audit", "--no-fund", "--loglevel=error"]
        subprocess.run([npm, "install", "--prefix", str(prefix), *quiet, f"ccusage@{CCUSAGE}"], check=True)
    modules = launcher.parent.parent
    version = json.loads((modules / "ccusage" / "package.json").read_text(encoding="utf-8"))["version"]
    if version != CCUSAGE:
        raise Failed(f"ccusage {version} found, {CCUSAGE} wanted")
    natives = sorted((modules / "@ccusage").glob("ccusage-*/bin/ccusage*"))
    if not natives:
        raise Failed("ccusage has no native program here")
    return Ccusage(launcher, natives[0])


def ccusage_totals(answer: bytes) -> dict[str, int]:
    """Its totals under our names: it counts uncached, written and read input apart."""
    totals: dict[str, Any] = json.loads(answer)["totals"]
    read, write = totals["cacheReadTokens"], totals["cacheCreationTokens"]
    return {
        "input_tokens": totals["inputTokens"] + write + read,
        "cached_input_tokens": read,
        "output_tokens": totals["outputTokens"],
        "reasoning_output_tokens": totals["reasoningOutputTokens"],
    }


def line_count(home: Path, pipe: bool = True) -> Command:
    """Reading every byte once: ``cat … | wc -l`` over all logs.

    Pipes are slow on some virtual machines; without ``pipe`` wc reads the files itself.
    """
    folders = [name for name in ("sessions", "archived_sessions") if (home / name).is_dir()]
    script = f"find {' '.join(folders)} -name '*.jsonl' -print0 | xargs -0 {'cat | wc -l' if pipe else 'wc -l'}"
    return Command(["sh", "-c", f"cd '{home}' && {script}"], dict(os.environ))
