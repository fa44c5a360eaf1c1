"""Reports, exports and pictures as their user meets them: every format shows the figures of the summary."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from importlib import util
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from codex_usage.answers import EXPORT_COLUMNS, Summary
from codex_usage.cli import commands
from codex_usage.cli.commands import cli
from codex_usage.present.terminal import Console, show
from tests.support.live import refused, run
from tests.support.spending import Spent, home, thread_id

#: Sixteen days, the 12th the dearest; two projects, one of them named like a formula and like markup.
SPENT = [
    Spent(at=f"2026-10-{day:02d}T10:00Z", thread=1 + day % 2, folder=("demo", "=<b>|x")[day % 2],
          input=(900_000 if day == 12 else 10_000 * day), output=100, model=("gpt-5.5", "gpt-6-sol")[day % 2])
    for day in range(1, 17)
]  # fmt: skip
ALL = ("--from", "2026-10-01", "--to", "2026-10-16")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with these calls."""
    home(tmp_path, SPENT)
    for name, value in (
        ("CODEX_HOME", "home"), ("CLAUDE_CONFIG_DIR", "none"), ("CODEX_USAGE_HOME", "data"), ("HOME", "user"),
    ):  # fmt: skip
        monkeypatch.setenv(name, str(tmp_path / value))
    monkeypatch.setenv("CODEX_USAGE_TZ", "UTC")
    return tmp_path


def table(*words: str) -> list[dict[str, str]]:
    """The rows of a report as CSV."""
    return list(csv.DictReader(io.StringIO(run("report", *words, "--format", "csv"))))


def asked(*words: str) -> dict[str, Any]:
    """An answer as JSON."""
    found: dict[str, Any] = json.loads(run(*words, "--json"))
    return found


class Terminal(io.StringIO):
    """A file that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def on_terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """What a terminal of some width shows of an answer."""

    def shown(*words: str, columns: int, model: Any = Summary, **env: str) -> str:
        with monkeypatch.context() as patch:
            for name, value in {"COLUMNS": str(columns), "TERM": "xterm", **env}.items():
                patch.setenv(name, value)
            file = Terminal()
            show(model.model_validate_json(run(*words, "--json")), file)
        return file.getvalue()

    return shown


# -- the rows ---------------------------------------------------------------------------------------------------


def test_a_report_has_every_row_where_a_summary_has_the_first_ones() -> None:
    rows = asked("report", *ALL)["rows"]
    assert [row["labels"] for row in rows] == [[f"2026-10-{day:02d}"] for day in range(1, 17)]
    whole = asked("summary", *ALL, "--by", "day", "--limit", "99")
    assert rows == whole["rows"]
    assert whole["total"] == asked("report", *ALL, "--by", "model")["total"]


def test_a_period_has_the_names_that_people_know() -> None:
    assert len(asked("report", "--since", "2026-10-03", "--until", "2026-10-04")["rows"]) == 2
    assert len(asked("report", "--from", "2026-10-03T09:00", "--to", "2026-10-04T10:00Z")["rows"]) == 2
    assert asked("report", "--today")["period"]["label"] == "today"
    assert asked("report", "--last", "12h")["period"]["label"] == "12h"
    assert asked("summary", "--last", "7d")["period"] == asked("summary", "--period", "7d")["period"]
    assert "not both" in refused("report", "--today", "--from", "2026-10-03")


def test_the_ranking_of_days_begins_with_the_costliest() -> None:
    ranked = table(*ALL, "--order", "cost")
    costs = [float(row["cost_usd"]) for row in ranked]
    assert ranked[0]["day"] == "2026-10-12"
    assert costs == sorted(costs, reverse=True)
    assert [row["day"] for row in table(*ALL, "--order", "time")] == sorted(row["day"] for row in ranked)
    assert "use cost, or time of days" in refused("report", "--by", "model", "--order", "time")
    assert "use cost, or time of days" in refused("summary", "--order", "size")


def test_time_comes_first_and_then_what_was_asked_for() -> None:
    rows = table(*ALL, "--group", "month", "--by", "model")
    assert [(row["month"], row["model"]) for row in rows] == [("2026-10", "gpt-5.5"), ("2026-10", "gpt-6-sol")]
    assert {(row["week"], row["project"]) for row in table(*ALL, "--group", "week", "--by", "project")} == {
        (week, project) for week in ("2026-09-28", "2026-10-05", "2026-10-12") for project in ("demo", "'=<b>|x")
    }


@pytest.mark.parametrize(
    ("word", "column", "labels"),
    [
        ("session", "thread", {thread_id(1), thread_id(2)}),
        ("agent", "agent", {"user"}),
        ("source", "home", {"home"}),
        ("home", "home", {"home"}),
        ("provider", "provider", {"codex"}),
    ],
)
def test_a_report_is_split_by_what_it_is_asked_for(word: str, column: str, labels: set[str]) -> None:
    rows = table(*ALL, "--by", word)
    assert {row[column] for row in rows} == labels
    assert sum(int(row["calls"]) for row in rows) == len(SPENT)


def test_only_what_is_from_a_home_is_counted() -> None:
    assert asked("report", *ALL, "--source", "HOME")["total"]["calls"] == len(SPENT)
    assert "No source 'laptop' is in the index; it has home" in refused("report", "--source", "laptop")


def test_combined_is_every_provider() -> None:
    assert asked("summary", *ALL, "--provider", "combined") == asked("summary", *ALL)
    assert asked("summary", *ALL, "--provider", "claude")["total"]["calls"] == 0


def test_weeks_begin_on_the_day_that_the_user_says(monkeypatch: pytest.MonkeyPatch) -> None:
    weeks = ["2026-09-27", "2026-10-04", "2026-10-11"]
    assert [row["week"] for row in table(*ALL, "--group", "week", "--week-start", "sunday")] == weeks
    sunday = asked("summary", "--period", "last_week", "--week-start", "sunday")["period"]
    monkeypatch.setenv("CODEX_USAGE_WEEK_START", "sunday")
    assert [row["week"] for row in table(*ALL, "--group", "week")] == weeks
    assert asked("summary", "--period", "last_week")["period"] == sunday
    assert table(*ALL, "--group", "week", "--week-start", "monday")[0]["week"] == "2026-09-28"
    monkeypatch.setenv("CODEX_USAGE_WEEK_START", "friday")
    assert "Weeks begin on monday or sunday" in refused("summary")


# -- formats ----------------------------------------------------------------------------------------------------


def test_csv_has_the_figures_of_json() -> None:
    rows, lines = asked("report", *ALL, "--by", "project,model")["rows"], table(*ALL, "--by", "project,model")
    assert list(lines[0]) == ["project", "model", *rows[0]["sums"], "share"]
    for row, line in zip(rows, lines, strict=True):
        assert [line["project"].removeprefix("'"), line["model"]] == row["labels"]
        told = {**row["sums"], "share": row["share"]}
        assert {name: line[name] for name in told} == {
            name: "" if value is None else str(value) for name, value in told.items()
        }


def test_a_spreadsheet_never_takes_a_group_for_a_formula() -> None:
    assert {row["project"] for row in table(*ALL, "--by", "project")} == {"demo", "'=<b>|x"}


def test_markdown_is_a_table_that_no_name_can_break() -> None:
    lines = run("report", *ALL, "--by", "project", "--format", "markdown").splitlines()
    cells = [re.split(r" (?<!\\)\| ", line.strip("| ")) for line in lines if line.startswith("|")]
    assert {len(row) for row in cells} == {9}
    assert [row[0] for row in cells] == ["project", "---", "demo", r"=\<b\>\|x", "all"]
    assert cells[4][4] == str(len(SPENT))
    assert "$" in lines[0]


@pytest.mark.parametrize("kind", ["table", "json", "csv", "markdown"])
def test_a_file_holds_what_standard_output_would_show(folder: Path, kind: str) -> None:
    file = folder / "report.txt"
    assert run("report", *ALL, "--format", kind, "-o", str(file)) == f"16 rows written to {file}\n"
    assert file.read_text(encoding="utf-8") == run("report", *ALL, "--format", kind)


def test_a_file_that_cannot_be_written_is_one_sentence() -> None:
    assert refused("report", "-o", "/nonexistent/x").startswith("Cannot write /nonexistent/x: ")


def test_parquet_has_the_calls_of_json_with_times_as_times(folder: Path) -> None:
    from pyarrow import parquet

    file = folder / "calls.parquet"
    assert run("export", "--format", "parquet", "-o", str(file)) == f"16 calls written to {file}\n"
    found = parquet.read_table(file)
    assert tuple(found.column_names) == EXPORT_COLUMNS
    rows = json.loads(run("export"))
    for row in found.to_pylist():
        row["timestamp"] = row["timestamp"].isoformat(timespec="milliseconds").replace("+00:00", "Z")
        assert row == rows.pop(0)
    run("export", "--format", "parquet", "--to", "2001-01-01", "-o", str(file))
    assert parquet.read_table(file).num_rows == 0


def test_without_pyarrow_parquet_names_the_mend_and_writes_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "kept.parquet").write_bytes(b"kept")
    monkeypatch.setattr(commands, "find_spec", lambda name: None if name == "pyarrow" else util.find_spec(name))
    sentence = refused("export", "--format", "parquet", "-o", str(folder / "kept.parquet"))
    assert sentence == "Parquet needs pyarrow; get it with: pip install codex-usage-mcp[parquet]"
    assert (folder / "kept.parquet").read_bytes() == b"kept"


# -- cards and pictures -----------------------------------------------------------------------------------------


def test_the_year_so_far_has_its_days_sessions_and_mean(folder: Path) -> None:
    today = f"{json.loads(run('status', '--json'))['day_ends_at'][:4]}-01-01"
    if today.startswith("2026"):
        year = asked("summary", "--ytd")["ytd"]
        assert (year["days"], year["sessions"], year["highest_day"]) == (16, 2, "2026-10-12")
        assert year["average_usd"] == pytest.approx(year["total"]["cost_usd"] / 16, abs=1e-6)
        assert "on 16 active days in 2 sessions; $" in run("summary", "--ytd")
        assert asked("summary", "--ytd", "--model", "gpt-5.5")["ytd"]["days"] == 8
    assert asked("summary")["ytd"] is None


def test_days_have_bars_on_a_terminal_only(on_terminal: Callable[..., str]) -> None:
    shown = on_terminal("report", *ALL, columns=120)
    lines = [line for line in shown.splitlines() if re.match(r"2026-10-\d\d +\$", line)]
    bars = [line.count("█") for line in lines]
    assert max(bars) == bars[11] == 18
    assert len([line for line in lines if line[-1] in "█▏▎▍▌▋▊▉"]) == 16
    assert "█" not in run("report", *ALL)
    assert "█" not in on_terminal("report", *ALL, "--by", "model", columns=120)


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_a_report_fits_a_narrow_terminal_with_its_days_costs_and_bars(
    on_terminal: Callable[..., str], columns: int
) -> None:
    shown = on_terminal("report", *ALL, columns=columns, NO_COLOR="1")
    assert "\x1b" not in shown
    assert max(map(len, shown.splitlines())) <= columns
    for row in asked("report", *ALL)["rows"]:
        line = next(line for line in shown.splitlines() if line.startswith(f"{row['labels'][0]}  "))
        assert f"${row['sums']['cost_usd']:,.2f}" in line
        assert line[-1] in "█▏▎▍▌▋▊▉"


def test_wide_letters_and_long_words_keep_a_line_within_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    monkeypatch.setenv("NO_COLOR", "1")
    file = Terminal()
    Console(file).print("見積もり 見積もり 見積もり and e\u0301e\u0301e\u0301e\u0301 more words", "bold")
    assert file.getvalue() == "見積もり 見積もり\n見積もり and e\u0301e\u0301e\u0301e\u0301\nmore words\n"


def test_colours_go_with_no_color_and_with_a_dumb_terminal(on_terminal: Callable[..., str]) -> None:
    assert "\x1b[1m" in on_terminal("summary", *ALL, columns=80)
    assert "\x1b" not in on_terminal("summary", *ALL, columns=80, NO_COLOR="1")
    assert "\x1b" not in on_terminal("summary", *ALL, columns=80, TERM="dumb")


def test_a_thread_shows_the_course_of_its_context() -> None:
    lines = run("session", thread_id(1)).splitlines()
    at = lines.index("Context of its calls, up to 900.0k tokens:")
    assert (len(lines[at + 1]), lines[at + 1].index("█")) == (8, 5)
    assert asked("session", thread_id(1))["context"] == [call.input for call in SPENT if call.thread == 1]


def test_expensive_is_the_costliest_calls() -> None:
    assert run("expensive", *ALL) == run("calls", *ALL)
    assert asked("expensive", *ALL)["rows"][0]["input_tokens"] == 900_000


# -- json and completion ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        "report", "summary --ytd", "demo", "setup", "setup --uninstall", "support-bundle -o {out}/bundle.json",
        "completion bash", "rebuild-index", "clear-db --older-than 2026-10-03 --yes", "clear-db --yes", "refresh",
        "refresh --quiet", "export -o {out}/calls.csv --format csv", "budget", "inspect-log {out}", "pin-pricing",
        "dashboard -o {out}/page.html", "doctor",
    ],
)  # fmt: skip
def test_every_command_answers_in_json(folder: Path, words: str) -> None:
    log = next((folder / "home").rglob("rollout-*.jsonl"))
    line = words.replace("inspect-log {out}", f"inspect-log {log}").format(out=folder)
    done = CliRunner().invoke(cli, [*line.split(), "--json"], standalone_mode=False)
    assert json.loads(done.stdout) is not None


def completed(line: str) -> set[str]:
    """What a shell offers behind a line, from a process of its own."""
    words = line.split(" ")
    env = {"COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1), "_CODEX_USAGE_COMPLETE": "bash_complete"}
    done = subprocess.run(
        [sys.executable, "-m", "codex_usage.cli"], env=os.environ | env, capture_output=True, text=True, check=True,
        timeout=60,
    )  # fmt: skip
    return {answer.partition(",")[2] for answer in done.stdout.splitlines() if answer}


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("codex-usage repo", {"report"}),
        ("codex-usage report --gro", {"--group"}),
        ("codex-usage summary --period last_m", {"last_month"}),
        ("codex-usage summary --by day,pro", {"day,project", "day,provider"}),
        ("codex-usage report --model gpt-6", {"gpt-6-sol"}),
        ("codex-usage calls --project d", {"demo"}),
        ("codex-usage session ", {thread_id(1)[-8:], thread_id(2)[-8:]}),
    ],
)
def test_a_shell_completes_commands_options_and_values(line: str, offered: set[str]) -> None:
    run("refresh")
    assert completed(line) == offered


def test_completing_without_an_index_offers_nothing_and_makes_none(folder: Path) -> None:
    assert completed("codex-usage report --model g") == set()
    assert not (folder / "data").exists()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_a_shell_asks_the_command(shell: str) -> None:
    script = run("completion", shell)
    assert f"_CODEX_USAGE_COMPLETE={shell}_complete" in script
    if shell == "bash":
        code = f"{script}\ncomplete -p codex-usage"
        done = subprocess.run(["bash", "-c", code], capture_output=True, text=True, check=True, timeout=20)
        assert "codex-usage" in done.stdout
