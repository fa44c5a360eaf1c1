"""What a model pays, in o200k tokens: up front, for the tools, for an answer, for the skill."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from codex_usage.serve.ask import answer
from codex_usage.serve.tools import INSTRUCTIONS, TOOLS
from tests.support.spending import Spent, home, thread_id
from tests.support.tokens import tokens

ROOT = Path(__file__).resolve().parents[2]
SKILL = ROOT / "SKILL.md"


@pytest.fixture(scope="session")
def words(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the vocabulary is unpacked."""
    return tmp_path_factory.mktemp("o200k")


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """A home as a busy month leaves it: 14 models, 15 projects, 60 threads with long names, 900 calls."""
    models = [
        "gpt-5.5",
        "gpt-5.6-sol",
        "gpt-5.6-luna",
        "gpt-6-sol",
        "gpt-5-codex",
        "gpt-5.1-codex-max",
        "gpt-5.1-codex-mini",
        "gpt-5.2-codex",
        "gpt-5.3-codex-spark",
        "codex-auto-review",
        "gpt-5.4",
        "gpt-5",
        "gpt-oss-120b",
        "o4-mini",
    ]
    reset = int(time.time()) + 9000
    budgets = [{"amount": 500, "unit": "usd", "per": "week"}, {"amount": 900, "unit": "credits", "per": "day"}]
    (tmp_path / "budgets.json").write_text(json.dumps({"budgets": budgets}), encoding="utf-8")
    calls = [
        Spent(
            at=f"2026-11-{1 + n % 21:02d}T{n % 24:02d}:{n * 7 % 60:02d}:{n * 13 % 60:02d}.{n % 1000:03d}Z",
            thread=n % 60,
            model=models[n * 5 % 14],
            folder=f"customer-platform-service-{n % 60 % 15}",
            effort=("high", "medium", None)[n % 3],
            input=200_000 + n * 997,
            cached=150_000 + n * 911,
            output=4000 + n * 31,
            reasoning=2000 + n * 7,
            limits={
                "limit_id": "codex",
                "primary": {"used_percent": 61, "window_minutes": 300, "resets_at": reset},
                "secondary": {"used_percent": 55 + n / 30, "window_minutes": 10080, "resets_at": reset},
            },
        )
        for n in range(900)
    ]
    home(tmp_path, calls)
    names = (f"Investigate the flaky checkout integration test on branch {n} and mend it" for n in range(60))
    lines = (json.dumps({"id": thread_id(n), "thread_name": name}) + "\n" for n, name in enumerate(names))
    (tmp_path / "home" / "session_index.jsonl").write_text("".join(lines), encoding="utf-8")
    return {
        "CODEX_HOME": str(tmp_path / "home"),
        "CLAUDE_CONFIG_DIR": str(tmp_path / "none"),
        "CODEX_USAGE_HOME": str(tmp_path),
    }


def test_the_server_costs_at_most_60_tokens_up_front(words: Path) -> None:
    assert tokens(f"mcp__codex_usage: {INSTRUCTIONS}", words) <= 60


def test_the_skill_costs_at_most_100_tokens_in_the_listing(words: Path) -> None:
    head = SKILL.read_text(encoding="utf-8").split("---")[1]
    description = next(
        line.removeprefix("description: ") for line in head.splitlines() if line.startswith("description: ")
    )
    assert tokens(f"- codex-usage: {description} (file: /home/dev/.agents/skills/codex-usage/SKILL.md)", words) <= 100


def test_all_tools_cost_at_most_1100_tokens_listed(words: Path) -> None:
    listed = [{"name": tool.name, "description": tool.description, "inputSchema": tool.schema} for tool in TOOLS]
    assert tokens(json.dumps(listed, separators=(",", ":")), words) <= 1100


def test_all_tools_cost_at_most_1100_tokens_in_code_mode(words: Path) -> None:
    """There the instructions are repeated for every tool."""
    listed = [
        {
            "name": f"mcp__codex_usage__{tool.name}",
            "description": f"{INSTRUCTIONS}\n\n{tool.description}",
            "parameters": tool.schema,
        }
        for tool in TOOLS
    ]
    assert tokens("\n".join(json.dumps(tool, separators=(",", ":")) for tool in listed), words) <= 1100


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("usage_summary", {}),
        ("usage_summary", {"by": "project"}),
        ("usage_summary", {"by": "day"}),
        ("usage_summary", {"by": "thread"}),
        ("usage_summary", {"by": "model,project", "period": "all"}),
        ("usage_explain", {}),
        ("usage_recommendations", {}),
        ("diagnostics", {}),
        ("diagnostics", {"section": "concentration"}),
        ("usage_threads", {}),
        ("usage_threads", {"thread": "current"}),
        ("usage_calls", {}),
        ("usage_calls", {"thread": "current"}),
    ],
)
def test_an_ordinary_answer_costs_at_most_700_tokens(
    words: Path, env: dict[str, str], monkeypatch: pytest.MonkeyPatch, tool: str, arguments: dict[str, str]
) -> None:
    monkeypatch.setenv("CODEX_USAGE_TZ", "Europe/Berlin")
    monkeypatch.setenv("CODEX_USAGE_HOME", env["CODEX_USAGE_HOME"])
    text = answer(tool, {"period": "2026-11-15..2026-11-21", **arguments}, thread_id(7), env)
    assert tool in ("usage_explain", "usage_recommendations", "diagnostics") or json.loads(text)["total"]["calls"] >= 4
    assert tokens(text, words) <= 700, text
    if tool == "usage_summary":
        assert list(json.loads(text)["budgets"]) == ["500 usd a week", "900 credits a day"]
        assert list(json.loads(text)["allowance"]) == ["5-hour", "weekly"]


def test_the_skill_itself_costs_at_most_600_tokens(words: Path) -> None:
    assert tokens(SKILL.read_text(encoding="utf-8"), words) <= 600
