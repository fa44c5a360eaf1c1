"""Whoever comes from another tool finds each of its commands, and what stands beside it runs."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.docs.examples import ROOT, Reader
from tests.support.mcp import Server

PAGE = (ROOT / "docs/reference/coming-from.md").read_text(encoding="utf-8")
#: What each tool has, by its own help, schemas, README or panels; written down from the versions that the page names.
THEIRS = {
    "codex-usage-tracker 0.10": """
        setup doctor install-plugin upgrade-plugin uninstall-plugin refresh inspect-log rebuild-index reset-db summary
        query recommendations session context dashboard open-dashboard serve-dashboard expensive pricing-coverage export
        init-pricing update-pricing pin-pricing init-allowance parse-allowance update-rate-card init-thresholds
        init-projects support-bundle --db --pricing --allowance --rate-card --thresholds --projects --lang
        --privacy-mode --codex-home --include-archived --preset --group-by --since --until --model --effort --thread
        --project --pricing-status --credit-confidence --min-tokens --min-credits --min-score --sort --direction
        --max-chars --max-entries --include-tool-output --include-compaction-history --host --context-api
        --no-context-api --no-refresh --limit --suggest-repair --tier --no-estimates --source-url
        refresh_usage_index usage_doctor usage_summary session_usage usage_call_context most_expensive_usage_calls
        usage_query usage_recommendations usage_pricing_coverage generate_usage_dashboard export_usage_csv
        init_usage_pricing_config init_usage_allowance_config update_usage_pricing_config""",
    "codex-usage-tracker 0.27": """
        setup status refresh query export open service config content repair package usage_status usage_refresh
        usage_query usage_evidence usage_allowance usage_job_status""",
    "codex-track": """
        run report export status web ui watch ingest-rollouts ingest-cli ingest-app-server purge-content purge-payloads
        vacuum clear-db --db --rollouts --no-content --redact --no-payloads --with-payloads""",
    "AI token usage dashboard": """
        scripts/run_local.sh scripts/render_tmux_status.py AI_USAGE_CODEX_SESSIONS_ROOT AI_USAGE_CLAUDE_PROJECTS_ROOT
        AI_USAGE_PRICING_FILE AI_USAGE_SERVER_PORT AI_USAGE_SERVER_HOST""",
}
SECTIONS = dict(re.findall(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", PAGE, re.M | re.S))
PARTS = [part for part in re.split(r"^##+ ", PAGE, flags=re.M) if "| here |" in part]


def rows(text: str) -> list[list[str]]:
    """The cells of every row: what is there, what is here, what is different."""
    lines = [line for line in re.findall(r"^\| .+\|$", text, re.M) if " | here | " not in line]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def here(row: list[str]) -> str:
    """What stands for it here: a command or a tool's call."""
    return row[1].strip("`")


@pytest.mark.parametrize("title", THEIRS)
def test_everything_that_the_other_tool_has_is_listed(title: str) -> None:
    """By the first word of its name."""
    listed = {name.split()[0] for row in rows(SECTIONS[title]) for name in re.findall(r"`([^`]+)`", row[0])}
    assert [name for name in THEIRS[title].split() if name not in listed] == []


#: Every command, under the first part of the page that names it.
COMMANDS: dict[str, list[str]] = {}
for part in PARTS:
    known = {command for commands in COMMANDS.values() for command in commands}
    found = dict.fromkeys(here(row) for row in rows(part) if "{" not in row[1])
    if fresh := [command for command in found if command not in known]:
        COMMANDS[part.splitlines()[0]] = fresh


@pytest.mark.timeout(600)
@pytest.mark.parametrize("commands", COMMANDS.values(), ids=COMMANDS)
def test_the_counterparts_of_a_tool_run_and_answer(commands: list[str], tmp_path: Path) -> None:
    """Each command ends well and says something, in a home with the demo's logs."""
    for command, done in zip(commands, Reader(tmp_path).run(commands), strict=True):
        assert done.code in ({0, 1} if " doctor" in command else {0}), f"{command}\n{done.printed}"
        assert done.printed.strip() or "suggest-repair" in command, command
        assert "Traceback" not in done.printed


def test_the_tool_calls_answer(tmp_path: Path) -> None:
    """Through the MCP server, as a model would ask."""
    calls = {here(row) for row in rows(PAGE) if " {" in here(row)}
    assert len(calls) > 8
    with Server(Reader(tmp_path).env | {"CODEX_USAGE_ALLOW_RAW_CONTEXT": "1"}) as server:
        for call in sorted(calls):
            tool, _, arguments = call.partition(" ")
            assert server.told(tool, json.loads(arguments)), call
