"""Documentation tells the truth: what exists has its line.

In: the pages and the product's own tables of commands, tools, columns and fields. Out: a failure that names
what a page does not mention.
"""

from __future__ import annotations

import dataclasses
import json
import re
import sqlite3
import tomllib
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from pydantic import BaseModel

from codex_usage.answers import (
    advice_results,
    board_results,
    call,
    diagnostics_results,
    inspect,
    results,
    story_results,
)
from codex_usage.answers.thresholds import DEFAULTS, load_thresholds
from codex_usage.cli import options
from codex_usage.cli.commands import _ALIASES, cli
from codex_usage.evidence import results as evidence
from codex_usage.homes.config import ConfigFile
from codex_usage.homes.project_config import load_projects
from codex_usage.index import Refreshed, schema
from codex_usage.logs import shapes
from codex_usage.model import ORIGINS
from codex_usage.money.config import load_budgets, load_pricing, load_rate_card
from codex_usage.money.reading import load_allowance
from codex_usage.present import page as html
from codex_usage.serve.tools import TOOLS, Tool

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = ROOT / "docs" / "reference"
#: Files that people edit, and what reads them.
YOURS: dict[str, Callable[[dict[str, str]], object]] = {
    "pricing.json": load_pricing,
    "rate-card.json": load_rate_card,
    "budgets.json": load_budgets,
    "allowance.json": load_allowance,
    "thresholds.json": load_thresholds,
    "projects.json": load_projects,
}
CLASSES = {"measure", "label", "identity", "path", "name"}

COMMANDS = sorted(cli.commands.items())
RESULTS = [
    model
    for module in (
        results,
        advice_results,
        story_results,
        diagnostics_results,
        board_results,
        call,
        inspect,
        html,
        evidence,
    )
    for model in vars(module).values()
    if isinstance(model, type) and issubclass(model, BaseModel) and model.__module__ == module.__name__
]
# a recommendation and a call both have evidence
FIELDS = {
    "Evidence of a call" if model is evidence.Evidence else model.__name__: [
        field.alias or name for name, field in model.model_fields.items()
    ]
    for model in RESULTS
    if model.model_fields
} | {"Refreshed": [field.name for field in dataclasses.fields(Refreshed)]}


def text(page: Path) -> str:
    """A page's text."""
    return page.read_text(encoding="utf-8")


def section(page: Path, heading: str) -> str:
    """What stands under a heading, down to the next one of its rank. Fails when there is none."""
    found = re.search(rf"^(#+) {re.escape(heading)}$(.*?)(?=^#{{1,2}} |\Z)", text(page), re.M | re.S)
    assert found, f"{page.name} has no section {heading!r}"
    return found[2]


def rows(part: str) -> dict[str, str]:
    """The tables of a part of a page: what stands in backquotes at a row's begin, and the rest of the row."""
    found: dict[str, str] = {}
    for line in part.splitlines():
        if line.startswith("| `"):
            first, rest = line.strip("| ").replace("\\|", "/").split(" | ", 1)
            found |= dict.fromkeys(re.findall(r"`([^`]+)`", first), rest)
    return found


def is_explained(word: str, part: str) -> bool:
    """Is the word in backquotes, alone or before its values?"""
    return re.search(rf"`{re.escape(word)}[ `]", part) is not None


def label(value: object) -> str | None:
    """A parameter's name in the test's own."""
    return value.name if isinstance(value, Tool | Path) else None


# -- commands ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "command"), COMMANDS, ids=[name for name, _ in COMMANDS])
def test_a_command_has_a_section_that_explains_its_options(name: str, command: click.Command) -> None:
    """Every option stands in the command's section or in one of those that several commands share."""
    page = REFERENCE / "commands.md"
    own = section(page, name)
    shared = section(page, "Global options")
    shared += section(page, "Periods") if "(#periods)" in own else ""
    shared += section(page, "Filters") if "(#filters)" in own else ""
    names = [flag for option in command.params if isinstance(option, click.Option) for flag in option.opts]
    assert [flag for flag in names if not is_explained(flag, own + shared)] == []


def test_a_choice_of_an_option_is_explained() -> None:
    """The values of an option with fixed values stand beside it."""
    page = text(REFERENCE / "commands.md").replace("\\|", "|")
    for _, command in COMMANDS:
        for option in command.params:
            if isinstance(option.type, click.Choice):
                assert f"{option.opts[0]} {'|'.join(option.type.choices)}`" in page


def test_an_alias_is_named_in_the_section_of_its_command() -> None:
    """Another name for a command is found under the command."""
    for alias, name in _ALIASES.items():
        assert f"`{alias}`" in section(REFERENCE / "commands.md", name)


def test_the_words_to_group_and_order_by_are_explained() -> None:
    """Every word that --by and --order take is in the section of the command."""
    from codex_usage.answers import GROUP_WORDS, ORDER_WORDS
    from codex_usage.answers.calls import CALL_ORDERS
    from codex_usage.model.questions import PERIOD_WORDS as WORDS

    page = REFERENCE / "commands.md"
    for heading, words in (
        ("summary", GROUP_WORDS),
        ("threads", ORDER_WORDS),
        ("calls", CALL_ORDERS),
        ("Periods", WORDS),
    ):
        assert [word for word in words if f"`{word}`" not in section(page, heading)] == []


def test_every_section_of_a_command_is_of_one_that_exists() -> None:
    """A command that was removed leaves no section behind."""
    headings = set(re.findall(r"^## ([a-z-]+)$", text(REFERENCE / "commands.md"), re.M))
    assert headings == set(cli.commands)


# -- MCP tools ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tool", TOOLS, ids=label)
def test_a_tool_has_a_section_that_explains_its_arguments(tool: Tool) -> None:
    """Arguments and their fixed values stand in the tool's section or among the common ones."""
    page = REFERENCE / "mcp-tools.md"
    own, common = section(page, tool.name), section(page, "Common arguments")
    for name, kind in tool.properties.items():
        assert is_explained(name, own), f"{tool.name} does not list {name}"
        assert [word for word in kind.get("enum", []) if f"`{word}`" not in own + common] == []


def test_every_column_of_an_answer_to_a_model_is_explained() -> None:
    """The names that the compact form gives to columns are on the page of the tools."""
    from codex_usage.present import compact

    page = text(REFERENCE / "mcp-tools.md")
    columns = [*compact._SUM_COLUMNS, *compact._CALL_COLUMNS]
    assert [name for name in columns if f"`{name}`" not in page] == []


def test_every_key_of_an_answer_to_a_model_is_explained() -> None:
    """Literal keys in the compact form are on the page of the tools."""
    source = text(ROOT / "server/codex_usage/present/compact.py")
    keys = set(re.findall(r'shown\["(\w+)"\]|shown\.get\("(\w+)"', source))
    page = text(REFERENCE / "mcp-tools.md")
    assert [name for pair in keys for name in pair if name and f"`{name}`" not in page] == []


# -- files, environment, index, answers --------------------------------------------------------------------


def test_every_environment_variable_in_the_code_is_explained() -> None:
    """Ours and those of the programs whose logs are read."""
    source = "".join(text(path) for path in sorted((ROOT / "server").rglob("*.py")))
    names = set(re.findall(r"\b(?:CODEX_USAGE_[A-Z_]*[A-Z]|CODEX_HOME|CLAUDE_CONFIG_DIR|NO_COLOR)\b", source))
    explained = rows(section(REFERENCE / "files-and-environment.md", "Environment"))
    assert sorted(names - explained.keys()) == []


def test_every_file_that_the_code_names_is_explained() -> None:
    """Data, settings and pages, by the names that they have in the source."""
    sources = [path for path in sorted((ROOT / "server").rglob("*.py")) if path.parent.name != "page"]
    names = set(re.findall(r"[/\"]([a-z-]+\.(?:json|sqlite|html|url))\"", "".join(map(text, sources))))
    page = text(REFERENCE / "files-and-environment.md")
    # the page's template is part of the package, the demo's index in its folder, and one name is served only
    assert sorted(name for name in names - {"template.html", "index.sqlite", "openapi.json"} if name not in page) == []


@pytest.mark.parametrize("name", YOURS)
def test_every_key_of_a_file_of_yours_is_explained_and_the_example_has_no_mistake(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The keys are those that its reader says it knows."""
    part = re.split(r"^##", section(REFERENCE / "files-and-environment.md", name), flags=re.M)[0]
    (tmp_path / name).write_text(re.findall(r"```json\n(.*?)```", part, re.S)[0], encoding="utf-8")
    known, check = set[str](), ConfigFile._check_keys

    def note(file: ConfigFile, at: str, value: dict[str, object], keys: tuple[str, ...]) -> None:
        known.update(keys)
        check(file, at, value, keys)

    monkeypatch.setattr(ConfigFile, "_check_keys", note)
    told = YOURS[name]({"CODEX_USAGE_HOME": str(tmp_path)})
    assert getattr(told, "problems", told[-1] if isinstance(told, tuple) else None) == []
    assert known
    # how a rate stands to the bundled one is worked out
    assert sorted(key for key in known - {"state"} if f"`{key}`" not in part) == []


def tables() -> dict[str, list[str]]:
    """Every table of the index with its columns, as SQLite understands them."""
    with sqlite3.connect(":memory:") as sql:
        sql.executescript(schema.TABLES)
        names = [row[0] for row in sql.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {name: [row[1] for row in sql.execute(f"PRAGMA table_info({name})")] for name in names}


@pytest.mark.parametrize(("table", "columns"), tables().items(), ids=tables())
def test_every_column_of_a_table_has_its_line_and_a_privacy_class(table: str, columns: list[str]) -> None:
    """The section of a table lists exactly its columns, each with one of the five classes."""
    explained = rows(section(REFERENCE / "index-schema.md", table))
    assert list(explained) == columns
    assert {line.rsplit("| ", 1)[-1].strip() for line in explained.values()} <= CLASSES


def test_every_database_index_is_named() -> None:
    """The indices stand at the end of the page."""
    part = section(REFERENCE / "index-schema.md", "Indices")
    assert [name for name in schema.INDICES if f"`{name}`" not in part] == []


@pytest.mark.parametrize(("name", "fields"), FIELDS.items(), ids=FIELDS)
def test_every_field_of_an_answer_has_its_line(name: str, fields: list[str]) -> None:
    """The section of a result lists exactly its fields, in their order."""
    assert list(rows(section(REFERENCE / "json.md", name))) == fields


def test_every_finding_of_the_doctor_has_its_line() -> None:
    """`doctor --json` prints these."""
    checks = pytest.importorskip("codex_usage.cli.checks")
    fields = [field.name for field in dataclasses.fields(checks.Check)]
    assert list(rows(section(REFERENCE / "json.md", "Check"))) == fields


def test_every_dependency_is_explained() -> None:
    """Those to run, to build and to develop each have a line that says why."""
    project = tomllib.loads(text(ROOT / "pyproject.toml"))
    wanted = [*project["project"]["dependencies"], *project["build-system"]["requires"]]
    wanted += [name for group in project["dependency-groups"].values() for name in group]
    names = {re.split(r"[^\w.-]", entry)[0] for entry in wanted}
    assert set(rows(text(ROOT / "docs/explanation/dependencies.md"))) >= names


# -- explanation -------------------------------------------------------------------------------------------


def test_every_origin_and_every_kind_of_skipped_line_is_explained() -> None:
    """What the index stores as a number, and what data quality counts."""
    page = ROOT / "docs/explanation/counting.md"
    lines = [f"| {code} | {o.who} | `{o.reason}` | {o.sure} |" for code, o in enumerate(ORIGINS)]
    assert [line for line in lines if line not in section(page, "Origin")] == []
    rooms = [ROOT / "server/codex_usage" / room for room in ("logs", "ledger")]
    source = "".join(text(path) for room in rooms for path in room.glob("*.py"))
    kinds = set(re.findall(r'skip\("(\w+)"\)', source))
    assert kinds == set(rows(section(page, "Lines that are skipped")))


def test_every_hazard_names_a_case_that_is_recorded() -> None:
    """H1 to H19 are there, and the cases they refer to exist."""
    table = section(ROOT / "docs/explanation/counting.md", "Hazards")
    assert re.findall(r"^\| (H\d+) \|", table, re.M) == [f"H{number}" for number in range(1, 20)]
    cases = set(re.findall(r"`(\d+\.\d+\.\d+-\w+)`", table))
    assert [name for name in sorted(cases) if not (ROOT / "tests/cases/codex" / name).is_dir()] == []


def test_every_room_is_in_the_table_of_the_readme_and_of_the_architecture() -> None:
    """A new room is explained before it is entered."""
    rooms = {path.parent.name for path in (ROOT / "server/codex_usage").glob("*/__init__.py")}
    places = rows(section(ROOT / "README.md", "Where things are"))
    assert {f"server/codex_usage/{room}" for room in rooms} <= places.keys()
    assert set(rows(section(ROOT / "docs/explanation/architecture.md", "Rooms"))) == rooms


def test_the_readme_counts_the_recorded_cases_rightly() -> None:
    """How many homes of how many versions stand in the folder of cases."""
    names = [path.parent.name for path in (ROOT / "tests/cases/codex").glob("*/expected.json")]
    versions = {re.search(r"\d+\.\d+\.\d+", name)[0] for name in names}  # type: ignore[index]
    told = f"`tests/cases` holds {len(names)} such homes of {len(versions)} versions"
    assert told in text(ROOT / "README.md")


# -- what else is told ------------------------------------------------------------------------------------


def test_the_first_thing_in_the_readme_are_the_two_commands() -> None:
    """After the title's paragraph stands how to see it and how to check it."""
    before, block, _ = text(ROOT / "README.md").split("```", 2)
    assert before.count("\n\n") == 2
    assert re.findall(r"^\$ (make \w+)", block, re.M) == ["make demo", "make test"]


def test_the_skill_knows_only_tools_and_arguments_that_exist() -> None:
    """Calls in the skill's pages are JSON whose keys and fixed values the tool takes."""
    properties = {tool.name: tool.properties for tool in TOOLS}
    pages = [ROOT / "SKILL.md", *sorted((ROOT / "skill").rglob("*.md"))]
    calls = [call for page in pages for call in re.findall(r"(usage_\w+) (\{[^}]*\})", text(page))]
    assert calls
    for name, arguments in calls:
        for key, value in json.loads(arguments).items():
            assert value in properties[name][key].get("enum", [value])


def test_the_global_options_of_the_code_are_those_of_the_page() -> None:
    """Neither more nor fewer."""
    flags = {flag for names in options._GLOBAL for flag in names.split() if flag.startswith("-")}
    listed = rows(section(REFERENCE / "commands.md", "Global options"))
    assert {name.split()[0] for name in listed} == flags | {"-h", "--help"}


def test_no_message_or_tool_body_has_a_shape() -> None:
    """The decoded shapes name no field that holds what was said, as docs/explanation/privacy.md promises."""
    said = {"content", "text", "message", "arguments", "output", "summary", "instructions", "title"}
    names = {
        field
        for shape in vars(shapes).values()
        if hasattr(shape, "__struct_fields__")
        for field in shape.__struct_fields__
    }
    # `message` is Claude Code's envelope of id, model and usage
    assert names & said <= {"message"}
    assert set(shapes.ClaudeMessage.__struct_fields__) == {"id", "model", "usage"}


def test_every_check_of_the_doctor_is_in_the_table_of_its_page() -> None:
    """Neither more nor fewer; homes are named by their kind."""
    names = set(re.findall(r'yield "([A-Z][\w ]*)"', text(ROOT / "server/codex_usage/cli/checks.py")))
    page = ROOT / "docs/how-to/troubleshoot.md"
    assert set(rows(section(page, "What the doctor looks at"))) == names | {"Codex home", "Claude home"}


def test_every_language_and_threshold_is_explained() -> None:
    """What --lang takes, and the keys of thresholds.json with their built-in numbers."""
    languages = rows(section(REFERENCE / "commands.md", "Global options"))["--lang WORD"]
    assert [word for word in html.LANGUAGES if f"`{word}`" not in languages] == []
    explained = rows(section(REFERENCE / "files-and-environment.md", "thresholds.json"))
    told = {name: line.rsplit("| ", 1)[-1].strip().replace(",", "") for name, line in explained.items()}
    built_in = DEFAULTS._asdict()
    assert {name: None if value == "null" else float(value) for name, value in told.items()} == built_in


def test_every_endpoint_of_the_live_server_is_listed_and_no_other() -> None:
    """Those of its OpenAPI document; telemetry is received beside them."""
    from codex_usage.serve import openapi

    listed = rows(section(REFERENCE / "http.md", "Endpoints")).keys()
    assert set(openapi.document()["paths"]) == {path for path in listed if re.match(r"/(?!v1/)", path)}


def test_every_endpoint_of_the_live_server_has_a_result_that_is_explained() -> None:
    """What its answers are made of stands on the page of JSON answers."""
    from codex_usage.serve import openapi

    assert [model.__name__ for model in openapi.RESULTS.values() if model not in RESULTS] == []
