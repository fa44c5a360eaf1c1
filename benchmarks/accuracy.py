"""How many recorded homes each program counts exactly: `tests/cases/codex`, each with the ledger of a provider.

In: the recorded cases and the programs, from their registries. Out: one row for each program. Exact means that input
and output tokens are those of the calls that the logs show.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from .measure import Failed
from .peers import Ccusage, ccusage_totals
from .rows import Row

CASES = Path(__file__).resolve().parents[1] / "tests" / "cases" / "codex"
TRACKER = "codex-usage-tracking"
_QUERY = {"dataset": "calls", "operation": "aggregate", "dimensions": ["model"], "limit": 25, "descending": True}
_REQUEST = {"requests": [_QUERY | {"measures": ["input_tokens", "output_tokens"], "order_by": "input_tokens"}]}

#: Given a Codex home and a folder of its own: input and output tokens together.
Counter = Callable[[Path, Path], int]


def counted(argv: list[str], ccusage: Ccusage, cache: Path) -> Iterator[Row]:
    """A row for codex-usage, ccusage, and the older and the newer codex-usage-tracker."""
    old, new = (_tracker(cache, version) for version in ("0.10.1", "0.27.0"))
    counters: dict[str, Counter] = {
        "codex-usage": lambda home, own: _ours(argv, home, own),
        "ccusage": lambda home, own: _sum(ccusage_totals(_run(ccusage.command({}).argv, home, own))),
        f"{TRACKER} 0.10.1": lambda home, own: _older(old, home, own),
        f"{TRACKER} 0.27.0": lambda home, own: _newer(new, home, own),
    }
    cases = [folder for folder in sorted(CASES.iterdir()) if (folder / "expected.json").exists()]
    for name, count in counters.items():
        over, under, error = 0, 0, 0.0
        for case in cases:
            truth = _sum(json.loads((case / "expected.json").read_text(encoding="utf-8"))["recoverable"])
            with tempfile.TemporaryDirectory() as own:
                # some write beside the logs
                shutil.copytree(case / "codex_home", Path(own, "home"))
                counted = count(Path(own, "home"), Path(own))
            if counted != truth:
                print(f"    {name}: {case.name}: {counted} of {truth}", file=sys.stderr)
            over, under = over + (counted > truth), under + (counted < truth)
            error += min(1.0, abs(counted - truth) / max(truth, 1)) / len(cases)
        exact = len(cases) - over - under
        told = f"{exact} exact, {over} over, {under} under; a home is wrong by {error:.1%} on average"
        met = exact == len(cases) if name == "codex-usage" else None
        yield Row(
            f"tokens of {len(cases)} recorded homes, {name}", "all exact" if met is not None else "–", told, "", met
        )


def _run(argv: Sequence[Any], home: Path, own: Path) -> bytes:
    """What a program prints that sees this home only."""
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(own),
        "CODEX_HOME": str(home),
        "CODEX_USAGE_HOME": str(own / "data"),
        "TZ": "UTC",
    }
    env["CLAUDE_CONFIG_DIR"] = str(own / "none")
    done = subprocess.run(list(map(str, argv)), env=env, capture_output=True, check=False)
    if done.returncode:
        raise Failed(f"{argv[0]}: {done.stderr.decode(errors='replace')[-300:]}")
    return done.stdout


def _sum(tokens: dict[str, int]) -> int:
    return sum(tokens.get(name, 0) for name in ("input", "output", "input_tokens", "output_tokens"))


def _ours(argv: list[str], home: Path, own: Path) -> int:
    return _sum(json.loads(_run([*argv, "summary", "--period", "all", "--json"], home, own))["total"])


def _older(tracker: Path, home: Path, own: Path) -> int:
    _run([tracker, "--db", own / "x.db", "refresh", "--codex-home", home, "--include-archived"], home, own)
    answer = json.loads(_run([tracker, "--db", own / "x.db", "summary", "--group-by", "model", "--json"], home, own))
    return sum(map(_sum, answer["rows"]))


def _newer(tracker: Path, home: Path, own: Path) -> int:
    _run([tracker, "setup"], home, own)
    _run([tracker, "refresh", "--wait", "30"], home, own)
    try:
        answer = json.loads(_run([tracker, "query", "--request", json.dumps(_REQUEST)], home, own))
    except Failed as error:
        if "no active" in str(error):
            return 0  # there is no log that it reads
        raise
    return sum(_sum(row) for result in answer["results"] for row in result["rows"])


def _tracker(cache: Path, version: str) -> Path:
    """An installed codex-usage-tracker, from the cache or from PyPI."""
    folder = cache / f"{TRACKER}-{version}"
    if not (folder / "bin" / "codex-usage-tracker").exists():
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        subprocess.run([folder / "bin" / "pip", "install", "--quiet", f"{TRACKER}=={version}"], check=True)
    return folder / "bin" / "codex-usage-tracker"
