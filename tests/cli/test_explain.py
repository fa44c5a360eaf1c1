"""`explain` at a terminal: the sentence first, then causes whose amounts add up as they are shown."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.causes import BASELINE, PERIOD, plant

COMMAND = str(Path(sys.executable).with_name("codex-usage"))


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """The command over the planted home."""
    env = os.environ | {
        "CODEX_HOME": str(folder / "home"), "CLAUDE_CONFIG_DIR": str(folder / "none"), "TZ": "UTC",
        "CODEX_USAGE_HOME": str(folder / "own"), "COLUMNS": "160",
    }  # fmt: skip
    return subprocess.run([COMMAND, *words], env=env, capture_output=True, text=True, timeout=60, check=False)


def test_the_causes_that_are_shown_add_up_to_the_change_that_is_shown(tmp_path: Path) -> None:
    plant(tmp_path, context_size=2.5, delegation=3.0)
    done = run(tmp_path, "explain", "--period", PERIOD, "--baseline", BASELINE)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0].startswith(f"{PERIOD}: $")
    assert "First cause: context size ($" in lines[0]
    amounts = [float(match[1].replace("$", "").replace(",", "")) for line in lines[3:]
               if (match := re.match(r"[a-z ]+?  +([+-]\$[\d.,]+)  ", line))]  # fmt: skip
    *parts, whole = amounts
    assert len(parts) >= 2
    assert sum(parts) == pytest.approx(whole, abs=0.005 * len(parts))
    assert lines[-1].endswith(" calls counted.")


def test_json_holds_all_ten_causes_and_filters_apply(tmp_path: Path) -> None:
    plant(tmp_path, output=4.0)
    done = run(tmp_path, "explain", "--period", PERIOD, "--baseline", BASELINE, "--model", "gpt-6-sol", "--json")
    told = json.loads(done.stdout)
    assert len(told["drivers"]) == 10
    assert told["drivers"][0]["driver"] == "output"
    assert {part["id"] for part in told["contributors"]["model"]} == {"gpt-6-sol"}


@pytest.mark.parametrize(
    ("words", "mend"),
    [
        (("--metric", "joy"), "use cost_usd, credits, total_tokens"),
        (("--baseline", "all", "--period", PERIOD), "give one such as last_week"),
        (("--baseline", "never"), "use today, last_7_days"),
    ],
)
def test_a_question_it_cannot_answer_is_one_line_with_its_mend(
    tmp_path: Path, words: tuple[str, ...], mend: str
) -> None:
    plant(tmp_path)
    done = run(tmp_path, "explain", *words)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert mend in done.stderr
