"""The repository as a plugin of real Codex: added without a network, asked by its own name, removed again."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from codex_usage import __version__
from codex_usage.cli.codex_config import ENV_VARS
from codex_usage.cli.install import skill_hash
from tests.codex.test_product import COMMAND, ROOT, answers_in, ask, set_up
from tests.lab.calls import mcp
from tests.lab.codex import CodexLab, run
from tests.lab.responses import Step

PLUGIN = ROOT / "plugin"
ID = "codex-usage@codex-usage-local"
SUMMARY = mcp("codex_usage", "usage_summary", period="all")


def add_plugin(lab: CodexLab) -> Path:
    """Add the plugin as its guide says and keep what Codex wrote into config.toml; the folder that Codex made of it."""
    lab.environment["PATH"] = f"{Path(COMMAND).parent}{os.pathsep}{os.environ['PATH']}"
    lab.write_config()
    before = (lab.home / "config.toml").read_text(encoding="utf-8")
    for words in (["marketplace", "add", str(ROOT)], ["add", ID, "--json"]):
        done = run([str(lab.binary), "plugin", *words], lab.work, 60, lab.variables())
        assert done.returncode == 0, done.stderr
    written = (lab.home / "config.toml").read_text(encoding="utf-8")
    assert written.startswith(before)
    lab.tables += written.removeprefix(before)
    return Path(json.loads(done.stdout)["installedPath"])


def doctor(lab: CodexLab) -> dict[str, dict[str, str]]:
    """What `codex-usage doctor` finds, by name."""
    lab.write_config()
    done = run([COMMAND, "doctor", "--json"], lab.work, 60, lab.variables())
    return {check["name"]: check for check in json.loads(done.stdout)}


def test_the_plugin_is_the_skill_and_the_server_of_this_version() -> None:
    """Codex copies no links, so the skill stands there a second time: copy SKILL.md and skill/ when they change."""
    skill = PLUGIN / "skills" / "codex-usage"
    for file in ("SKILL.md", *(path.relative_to(ROOT) for path in (ROOT / "skill").rglob("*.md"))):
        assert (skill / file).read_bytes() == (ROOT / file).read_bytes()
    manifest = json.loads((PLUGIN / ".codex-plugin" / "plugin.json").read_text(encoding="utf-8"))
    assert manifest["version"] == __version__
    (server,) = json.loads((PLUGIN / ".mcp.json").read_text(encoding="utf-8"))["mcpServers"].items()
    assert server == ("codex-usage", {"command": "codex-usage-mcp", "cwd": ".", "env_vars": list(ENV_VARS)})


def test_codex_copies_the_plugin_and_nothing_else_of_the_repository(lab: CodexLab) -> None:
    """A checkout with its tests and environments would be a thousand times as large."""
    copy = add_plugin(lab)
    files = [path for path in copy.rglob("*") if path.is_file()]
    assert {path.relative_to(copy).parts[0] for path in files} == {".codex-plugin", ".mcp.json", "skills"}
    assert sum(path.stat().st_size for path in files) < 30_000
    assert skill_hash(copy / "skills" / "codex-usage") == skill_hash(PLUGIN / "skills" / "codex-usage")


@pytest.mark.parametrize("model", ["gpt-5.5", "gpt-5.6-luna"])
def test_asked_by_the_plugins_name_the_skill_leads_to_the_tools(lab: CodexLab, model: str) -> None:
    """Whether the model searches for tools or writes code; what they tell is what the provider billed."""
    lab.model, lab.sandbox, lab.approval = model, "read-only", "never"
    lab.mock.script = [Step(text="one")]
    lab.exec("first")
    billed = lab.mock.billed[0].billed
    add_plugin(lab)
    requests, answers = ask(lab, "use $codex-usage:codex-usage to show what I spent", SUMMARY, find=model == "gpt-5.5")
    assert "Answer from the MCP server" in requests[0].text
    assert "usage_summary" in requests[0].text
    own = [request.billed for request in requests if request.billed]
    calls = answers[0]["total"]["calls"]
    assert calls in (1, 2, 3)  # the response that calls the tool may not be on disk yet
    assert billed
    assert answers[0]["total"]["input_tokens"] == sum(used.input for used in [billed, *own][:calls] if used)
    found = doctor(lab)
    assert [found[name]["ok"] for name in ("Command", "Environment", "Other servers")] == [True, True, True]
    assert all("The plugin" in found[name]["detail"] for name in ("Skill", "Configuration"))


def test_beside_setup_the_doctor_names_the_plugin_and_its_mend_leaves_one(lab: CodexLab) -> None:
    """The skill would be listed twice; Codex starts the server that config.toml names."""
    set_up(lab)
    add_plugin(lab)
    check = doctor(lab)["Other servers"]
    assert (check["ok"], check["repair"]) == (False, f"codex plugin remove {ID}")
    both = lab.codex("debug", "prompt-input", "hello").stdout
    assert ("- codex-usage: " in both, "- codex-usage:codex-usage: " in both) == (True, True)
    done = run([str(lab.binary), *str(check["repair"]).split()[1:]], lab.work, 60, lab.variables())
    assert done.returncode == 0, done.stderr
    config = (lab.home / "config.toml").read_text(encoding="utf-8")
    assert f'[plugins."{ID}"]' not in config
    assert "[mcp_servers.codex-usage]" in config


def test_without_the_program_on_the_path_a_session_goes_on_and_the_doctor_says_why(lab: CodexLab) -> None:
    """Codex itself is silent about a server that does not start."""
    add_plugin(lab)
    folders = os.environ["PATH"].split(os.pathsep)
    lab.environment["PATH"] = os.pathsep.join(one for one in folders if not Path(one, "codex-usage-mcp").exists())
    lab.mock.script = [Step(text="hello")]
    assert lab.exec("use $codex-usage:codex-usage now").returncode == 0
    assert not list(answers_in([request.body for request in lab.mock.requests]))
    assert not any("codex_usage" in name for name in lab.mock.requests[0].tools)
    check = doctor(lab)["Command"]
    assert check["ok"] is False
    assert "codex-usage-mcp does not exist" in check["detail"]
