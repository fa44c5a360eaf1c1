"""Record cases: `python -m tests.lab.record --version 0.169.0 [--scenario NAME] [--out FOLDER]`.

In: a Codex version and scenario names (all that work on it by default). Out: one folder per case,
`<version>-<scenario>/codex_home` and `expected.json`; then the cases derived from recorded ones
(`--derive`): a home whose parent rollout is gone, and one whose rollout is compressed.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import zstandard

from tests.lab import neutral, scenarios
from tests.lab.codex import CodexLab, install
from tests.lab.expected import expected, ledger_rows, rollouts
from tests.lab.responses import MockResponses

ORPHANS = ("0.98.0-fork_app", "0.130.0-fork_app", "0.169.0-fork_exec")
COMPRESSED = "0.169.0-resume"


def record(version: str, name: str, out: Path) -> dict[str, Any]:
    """Run one scenario on one version and write its case; the content of expected.json."""
    root = Path(tempfile.mkdtemp(prefix="codex-lab-")).resolve()
    run = scenarios.SCENARIOS[name]
    try:
        with MockResponses() as mock:
            lab = CodexLab(install(version), mock, root)
            lab.model = scenarios.models(lab.version)[0]
            run(lab)
            mock.settle()
            case = out / f"{version}-{name}"
            neutral.copy_home(lab.home, root, case / "codex_home")
            return save(case, (run.__doc__ or "").strip(), ledger_rows(mock.requests))
    finally:
        shutil.rmtree(root, ignore_errors=True)


def save(case: Path, about: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Write expected.json of a case whose home is in place."""
    content = expected(case.name, about, rows, case)
    neutral.write(case / "expected.json", json.dumps(content, indent=1) + "\n")
    return content


def derive(out: Path) -> list[dict[str, Any]]:
    """Write the cases made by hand from recorded ones that are in `out`."""
    made = []
    for name in ORPHANS:
        if (case := copy(out, name, "orphan")) is not None:
            rollouts(case)[0].unlink()
            made.append(again(case, "The first thread's rollout was deleted; its forks are still there."))
    if (case := copy(out, COMPRESSED, "zst")) is not None:
        for path in rollouts(case):
            path.with_name(f"{path.name}.zst").write_bytes(zstandard.ZstdCompressor().compress(path.read_bytes()))
            path.unlink()
        made.append(again(case, "The rollout is compressed, as Codex leaves old ones."))
    return made


def copy(out: Path, name: str, prefix: str) -> Path | None:
    """A fresh copy of a recorded case under a prefixed name, if it was recorded."""
    target = out / f"{prefix}-{name}"
    shutil.rmtree(target, ignore_errors=True)
    return shutil.copytree(out / name, target) if (out / name).exists() else None


def again(case: Path, about: str) -> dict[str, Any]:
    """Judge anew what a changed case's home still shows."""
    before = json.loads((case / "expected.json").read_text(encoding="utf-8"))
    told = ("recoverable", "logged_cache_write", "file", "line", "source")
    rows = [{key: value for key, value in call.items() if key not in told} for call in before["calls"]]
    return save(case, f"{before['about']} {about}", rows)


def main() -> int:
    """Record what the command line asks for; 1 when a scenario failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--version")
    parser.add_argument("--scenario", action="append", choices=sorted(scenarios.SCENARIOS))
    parser.add_argument("--out", type=Path, default=Path("tests/cases/codex"))
    parser.add_argument("--derive", action="store_true")
    asked = parser.parse_args()
    failed = 0
    version = tuple(int(part) for part in (asked.version or "0").split("."))
    working = [name for name, since in scenarios.SINCE.items() if version >= since]
    for name in (asked.scenario or working) if asked.version else []:
        began = time.monotonic()
        try:
            tell(record(asked.version, name, asked.out), began)
        except Exception as error:
            failed += 1
            print(f"{asked.version}-{name}: FAILED {type(error).__name__}: {error}", flush=True)
    for content in derive(asked.out) if asked.derive else []:
        tell(content, time.monotonic())
    return 1 if failed else 0


def tell(content: dict[str, Any], began: float) -> None:
    """One line about a case."""
    calls = f"{content['recoverable_calls']} of {content['billed_calls']} calls recoverable"
    print(f"{content['case']}: {calls} ({time.monotonic() - began:.1f} s)", flush=True)


if __name__ == "__main__":
    sys.exit(main())
