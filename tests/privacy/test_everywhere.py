"""Every command and tool in every mode, about all recorded homes at once: nothing that was said gets out, and nothing
that the mode hides."""

from __future__ import annotations

import json
import re
import shlex
import sys
import tempfile
import webbrowser
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from click.testing import CliRunner

from codex_usage.answers import GROUP_WORDS
from codex_usage.answers.calls import call_id
from codex_usage.answers.diagnostics import SECTIONS
from codex_usage.cli import checks, collector
from codex_usage.cli.commands import cli
from codex_usage.homes import find_places
from codex_usage.index import open_index, refresh
from codex_usage.index.facts import refresh_facts
from codex_usage.index.telemetry import add_events, open_telemetry, telemetry_path
from codex_usage.logs.otlp import read_export
from codex_usage.model import UsageError
from codex_usage.present.privacy import MODES
from codex_usage.serve import http, otlp
from codex_usage.serve.ask import answer
from codex_usage.serve.tools import TOOLS
from tests.privacy.test_canaries import CANARY, TOKEN, leaked, plant, plant_claude
from tests.privacy.test_modes import RENAMED, ids, shown, true_words
from tests.support import telemetry
from tests.support.cases import case_folders
from tests.support.rollouts import NOON

#: Commands in the order in which they run; {…} stand for a thread, a call, a log and a folder to write into.
QUESTIONS = f"""
summary --period all --by thread,project --limit 0
{"".join(f"summary --period all --by {word} --limit 0;" for word in GROUP_WORDS)}
report --period all --by thread,project; report --period all --by home,agent --format csv
report --period all --by directory --format markdown -o {{out}}/report.md; summary --ytd; report --source nobody
summary --by nonsense
explain; explain --period 2026-11-21..2026-11-22 --baseline 2026-11-01..2026-11-10; explain --period 2026-11-21
recommendations --period all
{"".join(f"diagnostics {word} --period all;" for word in SECTIONS)}
threads --period all --limit 0; threads --project zebracorp-web --period all
session {{thread}}; session nobody
calls --period all --limit 0; calls --thread {{thread}}; calls --model nobody; calls --project nobody
allowance; allowance --thread {{thread}}; allowance --call {{call}}; allowance --call 0000
pricing-coverage; status; inspect-log {{log}}; inspect-log {{log}}.gone; context 0000; doctor; refresh; demo --own
"""
OTHERS = """
setup; setup --uninstall; doctor --suggest-repair; support-bundle -o {out}/bundle.json; serve-dashboard; otlp
completion bash
export --format json; export --format json -o {out}/calls.json; export --format csv
export --format csv -o {out}/calls.csv; dashboard -o {out}/page.html; open-dashboard
budget 5 --per day --project zebracorp-web; status
init-pricing; init-projects; init-thresholds; init-allowance; parse-allowance "5h 79% Weekly 33%" --save
pin-pricing; update-rate-card; update-pricing --source-file {log}
ingest-cli --log {log}; ingest-app-server --log {log}; export --bundle {out}/shared.json
import --bundle {out}/shared.json
push --endpoint http://collector.example --user u --machine m; push --endpoint http://collector.example --dry-run
"""
LAST = """
rebuild-index; clear-db --older-than 2026-11-20 --yes; clear-db --yes; clear-db --telemetry --yes
clear-db --imported --yes
"""
CONTEXT = "context {call} --tool-output --compaction-history; context {call} --mode full --json"
#: What tells the user's own settings again, and what only this installation reads.
OWN = {"budget 5 --per day --project zebracorp-web", "budgets.json", "status.json"}
#: What telemetry says that nobody may keep.
SAID = dict.fromkeys(("prompt", "arguments", "output", "error__message", "user__email", "tool_name"), CANARY)
TOOL_ARGUMENTS: dict[str, list[dict[str, Any]]] = {
    "usage_summary": [{"period": "all", "by": word, "limit": 100} for word in GROUP_WORDS],
    "usage_explain": [{}, {"period": "2026-11-21..2026-11-22"}, {"thread": "{thread}", "period": "2026-11-21"}],
    "usage_recommendations": [{"period": "all", "limit": 50}],
    "usage_threads": [{"period": "all", "limit": 100}, {"thread": "{thread}"}],
    "usage_calls": [{"period": "all", "limit": 100}, {"thread": "{thread}"}, {"project": "nobody"}],
    "diagnostics": [{"section": word, "period": "all", "limit": 100} for word in SECTIONS],
    "usage_call_context": [{"call": "{call}"}],
    "usage_dashboard": [{}],
}


class Machine(NamedTuple):
    """A user's folder, what the {…} of the commands stand for, and what strict mode may not show."""

    folder: Path
    given: dict[str, str]
    words: set[str]

    def files(self) -> list[Path]:
        """All that the product wrote."""
        homes = {self.folder / "home", self.folder / "claude"}
        return [path for path in self.folder.rglob("*") if path.is_file() and not homes & set(path.parents)]


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """All recorded homes in one, canaries in them, and names that no sentence of ours has."""
    home, claude = tmp_path / "home", tmp_path / "claude"
    for case in case_folders():
        if case.name[0].isdigit():  # the others are copies of these
            plant(case, home, RENAMED)
    plant_claude(claude)
    names = [{"id": one, "thread_name": f"Fix invoices of Zebra {one[-4:]}"} for one in ids(home)]
    (home / "session_index.jsonl").write_text("\n".join(map(json.dumps, names)), encoding="utf-8")
    for name, folder in (
        ("CODEX_HOME", "home"), ("CLAUDE_CONFIG_DIR", "claude"), ("CODEX_USAGE_HOME", "data"), ("HOME", "user"),
        ("TMPDIR", "temp"), ("SQLITE_TMPDIR", "temp"), ("OUT", "out"),
    ):  # fmt: skip
        (tmp_path / folder).mkdir(exist_ok=True, mode=0o700)
        monkeypatch.setenv(name, str(tmp_path / folder))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temp"))
    monkeypatch.setattr(webbrowser, "open", lambda _: True)
    monkeypatch.setattr(http, "run", lambda *_, say, **__: say("served"))
    monkeypatch.setattr(otlp, "receive", lambda _port, _places, say: say("received"))
    monkeypatch.setattr(collector.Collector, "send", sent_to(tmp_path / "out" / "pushed.json"))
    monkeypatch.setattr(checks, "ask_server", lambda *_: (0.1, len(TOOLS)))
    places = find_places()
    with open_index(places.index) as index:
        refresh(index, places)
        refresh_facts(index, places)
        uid, thread, log = index.sql.execute(
            "SELECT c.uid, t.uuid, f.path FROM calls c JOIN threads t ON t.id = c.thread_id JOIN files f"
            " ON f.id = c.file_id WHERE t.agent IS NOT NULL ORDER BY c.time_ms DESC LIMIT 1"
        ).fetchone()
        words = true_words(home, index) | {str(home), str(claude)}
    with open_telemetry(telemetry_path(places.index)) as received:
        kinds = (telemetry.request, telemetry.response, telemetry.decision, telemetry.tool)
        events = telemetry.export(*(kind(NOON, thread=thread, **SAID) for kind in kinds))
        add_events(received, read_export(events, False, b"k" * 32))
    return Machine(tmp_path, {"call": call_id(uid), "thread": thread, "log": log, "out": str(tmp_path / "out")}, words)


def sent_to(file: Path) -> Callable[..., None]:
    """A collector that writes down what it is sent, but for ids of calls: these are hashes that every mode tells, as a
    team's calls count once by them."""

    def send(_: collector.Collector, url: str, request: dict[str, Any]) -> None:
        known = re.sub(r'("codex_usage.call_id", "value": {"stringValue": ")[0-9a-f]{16}', r"\1", json.dumps(request))
        with file.open("a", encoding="utf-8") as out:
            out.write(f"{url} {known}\n")

    return send


def commands(text: str, given: dict[str, str]) -> list[list[str]]:
    """The words of each command."""
    lines = [line.strip() for line in text.replace("\n", ";").split(";") if line.strip()]
    return [[word.format(**given) for word in shlex.split(line)] for line in lines]


def said(words: list[str], monkeypatch: pytest.MonkeyPatch) -> str:
    """All that a command prints, and the sentence it fails with."""
    monkeypatch.setattr(sys, "argv", ["codex-usage", *words])
    done = CliRunner().invoke(cli, words)
    assert done.exception is None or isinstance(done.exception, UsageError | SystemExit), (words, done.exception)
    return done.output + (str(done.exception) if isinstance(done.exception, UsageError) else "")


def told(given: dict[str, str]) -> Iterator[tuple[str, str]]:
    """What each tool of the MCP server answers, or refuses with."""
    for tool in TOOLS:
        details: list[dict[str, str]] = [{}, {"detail": "full"}] if "detail" in tool.properties else [{}]
        for arguments, detail in product(TOOL_ARGUMENTS[tool.name], details):
            values = {key: of.format(**given) if isinstance(of, str) else of for key, of in arguments.items()}
            try:
                yield f"{tool.name} {values}", answer(tool.name, values | detail, given["thread"])
            except UsageError as error:
                yield f"{tool.name} {values}", str(error)


def hidden_in(mode: str, words: set[str]) -> set[str]:
    """Which of the true words a mode hides; what begins with /root/ is an agent's name."""
    paths = {word for word in words if re.match("/(?!root/)", word) or "zebracorp" in word}
    return {"normal": set[str](), "redacted": paths, "strict": words}[mode]


@pytest.mark.parametrize("mode", MODES)
def test_nothing_that_was_said_and_nothing_hidden_leaves_the_product(
    mode: str, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CODEX_USAGE_PRIVACY_MODE", mode)
    answers = [(" ".join(words), said(words, monkeypatch)) for words in commands(OTHERS, machine.given)]
    for words in commands(QUESTIONS, machine.given):
        answers += [(" ".join(each), said(each, monkeypatch)) for each in (words, [*words, "--json"])]
    answers += told(machine.given)
    artifacts = [path for path in machine.files() if path.suffix in (".json", ".csv", ".html")]
    names = {"calls.json", "calls.csv", "page.html", "bundle.json", "status.json", "pushed.json"}
    assert {path.name for path in artifacts} >= names
    answers += [(path.name, path.read_text("utf-8")) for path in artifacts]
    hidden = hidden_in(mode, machine.words)
    marks = (CANARY, TOKEN.lower())
    assert [name for name, text in answers if any(mark in text.lower() for mark in marks)] == []
    assert {name: found for name, text in answers if name not in OWN and (found := shown(hidden, text))} == {}
    assert mode != "normal" or shown(machine.words, dict(answers)["calls.json"]), "it tells what other modes hide"
    assert leaked(machine.files()) == set()
    for words in commands(LAST, machine.given):
        assert shown(hidden, said(words, monkeypatch)) == []
        assert leaked(machine.files()) == set()


@pytest.mark.parametrize("mode", MODES)
def test_evidence_that_was_asked_for_is_the_exception_but_never_a_secret_in_it(
    mode: str, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CODEX_USAGE_PRIVACY_MODE", mode)
    texts = [said(words, monkeypatch) for words in commands(CONTEXT, machine.given)]
    with pytest.raises(UsageError, match="only where the user set CODEX_USAGE_ALLOW_RAW_CONTEXT=1"):
        answer("usage_call_context", {"call": machine.given["call"]}, None)
    monkeypatch.setenv("CODEX_USAGE_ALLOW_RAW_CONTEXT", "1")
    texts.append(answer("usage_call_context", {"call": machine.given["call"], "tool_output": True}, None))
    assert [CANARY in text for text in texts] == [True] * len(texts)
    assert [TOKEN.lower() in text.lower() for text in texts] == [False] * len(texts)
    assert [shown(hidden_in(mode, machine.words), text) for text in texts] == [[]] * len(texts)
    assert leaked(machine.files()) == set()


def test_every_command_and_tool_is_run_above() -> None:
    given = dict.fromkeys(("call", "thread", "log", "out"), "x")
    run = {words[0] for text in (QUESTIONS, OTHERS, LAST, CONTEXT) for words in commands(text, given)}
    assert run == set(cli.commands)
    assert set(TOOL_ARGUMENTS) == {tool.name for tool in TOOLS}


@pytest.mark.parametrize("words", [["status"], ["export"], ["inspect-log", "{log}"], ["doctor"]])
def test_an_unknown_mode_shows_nothing(words: list[str], machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CODEX_USAGE_PRIVACY_MODE", "stritc")
    sentence = "Unknown privacy mode 'stritc'; use normal, redacted, strict."
    assert said([word.format(**machine.given) for word in words], monkeypatch) == sentence
    with pytest.raises(UsageError, match=sentence):
        answer("usage_summary", {}, None)
