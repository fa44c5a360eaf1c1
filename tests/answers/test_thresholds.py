"""thresholds.json: the user's numbers over ours; what is wrong is told and costs nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from codex_usage.answers.thresholds import DEFAULTS, load_thresholds, template_thresholds


def load(folder: Path, text: str) -> tuple[object, list[str]]:
    """The thresholds of a file with this text."""
    (folder / "thresholds.json").write_text(text, encoding="utf-8")
    return load_thresholds({"CODEX_USAGE_HOME": str(folder)})


def test_without_a_file_our_own_hold(tmp_path: Path) -> None:
    assert load_thresholds({"CODEX_USAGE_HOME": str(tmp_path)}) == (DEFAULTS, [])


def test_the_template_changes_nothing(tmp_path: Path) -> None:
    assert load(tmp_path, template_thresholds()) == (DEFAULTS, [])


def test_the_users_numbers_win(tmp_path: Path) -> None:
    own, problems = load(tmp_path, json.dumps({"low_cache_ratio": 0.25, "high_cost_usd": 2, "idle_gap_minutes": 30}))
    assert own == DEFAULTS._replace(low_cache_ratio=0.25, high_cost_usd=2.0, idle_gap_minutes=30.0)
    assert problems == []


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{"low_cache_ratio": 7}', "low_cache_ratio must be a number from 0 to 1; the built-in value holds."),
        ('{"high_context_percent": "high"}', "high_context_percent must be a number from 0 to 100; the built-in"),
        ('{"high_cost_usd": true}', "high_cost_usd must be a number from 0 to 1,000,000,000,000;"),
        ('{"high_cost_usd": -1}', "high_cost_usd must be a number"),
        ('{"high_cost_usd": 1e999999}', "high_cost_usd must be a number"),
        ('{"high_cost": 1}', "high_cost is unknown and ignored; did you mean 'high_cost_usd'?"),
        ("[]", "must be an object {...}"),
        ("{", "not JSON"),
    ],
)
def test_what_is_wrong_is_told_and_left_out(tmp_path: Path, text: str, problem: str) -> None:
    own, problems = load(tmp_path, text)
    assert own == DEFAULTS
    assert len(problems) == 1 and problem in problems[0]
