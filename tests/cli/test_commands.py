"""The command line as its user meets it: every command as a process of its own, its words, its exit codes."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import re
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from codex_usage import answers
from codex_usage.answers import EXPORT_COLUMNS, CallLine, Calls, Session, Status, Summary, Threads
from codex_usage.cli.commands import cli
from codex_usage.index import open_index, refresh
from tests.support.index import places_of
from tests.support.rollouts import Rollout
from tests.support.spending import Spent, home, thread_id

COMMAND = str(Path(sys.executable).with_name("codex-usage"))
CASES = Path(__file__).resolve().parents[1] / "cases" / "codex"
ASKING = ("summary", "threads", "calls", "status", "export")


class Shell:
    """A user's shell: a home, our folder, and what they type."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.env = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "CODEX_HOME": str(folder / "home"),
            "TZ": "UTC",
            "CLAUDE_CONFIG_DIR": str(folder / "none"),
            "CODEX_USAGE_HOME": str(folder / "data"),
            "LANG": "C.UTF-8",
        }

    def run(self, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
        """Run a command; whatever happens, there is no traceback."""
        done = subprocess.run(
            [COMMAND, *words],
            env=self.env | env,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=60,
            check=False,
        )
        assert "Traceback" not in done.stdout + done.stderr
        return done

    def told(self, *words: str, **env: str) -> str:
        """The output of a command that succeeds and says nothing on the side."""
        done = self.run(*words, **env)
        assert (done.returncode, done.stderr) == (0, ""), done.stderr
        return done.stdout

    def refused(self, *words: str, code: int = 2, **env: str) -> str:
        """The one line of a command that fails."""
        done = self.run(*words, **env)
        assert (done.returncode, done.stdout) == (code, ""), done
        assert done.stderr.startswith("codex-usage: ")
        assert done.stderr.count("\n") == 1
        return done.stderr.removeprefix("codex-usage: ").rstrip("\n")

    def on_terminal(self, *words: str, columns: int = 100, **env: str) -> str:
        """What a terminal of some width shows."""
        keeper, line = pty.openpty()
        done = subprocess.Popen(
            [COMMAND, *words],
            env=self.env | {"TERM": "xterm-256color", "COLUMNS": str(columns)} | env,
            stdin=line,
            stdout=line,
            stderr=line,
            close_fds=True,
        )
        os.close(line)
        shown = b""
        while True:
            try:
                part = os.read(keeper, 65536)
            except OSError:
                break
            if not part:
                break
            shown += part
        os.close(keeper)
        assert done.wait(60) == 0, shown
        return shown.decode().replace("\r\n", "\n")


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """Four calls today, two of them without a price, in two threads."""
    today = time.strftime("%Y-%m-%d", time.gmtime())
    home(
        tmp_path,
        [
            Spent(at=f"{today}T00:00:01Z", thread=1, input=900_000, cached=300_000, output=5000, effort="high"),
            Spent(at=f"{today}T00:00:02Z", thread=1, model="gpt-5-codex", input=20_000, output=300),
            Spent(at=f"{today}T00:00:03Z", thread=2, model="nobody-knows", folder="=cmd", input=70),
            Spent(at=f"{today}T00:00:04Z", thread=2, model="nobody-knows", folder="=cmd", input=80),
        ],
    )
    names = [{"id": thread_id(1), "thread_name": "[bold]Mend[/bold] :boom: \x1b[31mred\x07 the wall"}]
    text = "".join(json.dumps(name) + "\n" for name in names)
    (tmp_path / "home" / "session_index.jsonl").write_text(text, encoding="utf-8")
    return Shell(tmp_path)


# -- words ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["", *cli.commands])
def test_help_comes_within_a_second_and_says_what_the_command_is_for(tmp_path: Path, command: str) -> None:
    shell = Shell(tmp_path)
    shell.told("--version")  # the first start of a machine compiles
    began = time.monotonic()
    shown = shell.told(*([command] if command else []), "--help")
    assert time.monotonic() - began <= 1.0
    assert "--codex-home" in shown
    assert "..." not in shown.partition("Commands:")[2], "a command's short help is cut"
    assert max(map(len, shown.splitlines())) <= 80
    if command in (*ASKING, "session") and command != "status":
        assert f"Example:\n    codex-usage {command} " in shown


def test_global_options_stand_before_or_after_the_command(shell: Shell) -> None:
    elsewhere = (
        "--codex-home",
        str(shell.folder / "home"),
        "--tz",
        "Asia/Tokyo",
        "--db",
        str(shell.folder / "other.sqlite"),
        "--json",
    )
    before = shell.told(*elsewhere, "summary", "--period", "all", CODEX_HOME="/nonexistent")
    after = shell.told("summary", "--period", "all", *elsewhere, CODEX_HOME="/nonexistent")
    assert json.loads(before) == json.loads(after)
    assert json.loads(after)["period"]["zone"] == "Asia/Tokyo"
    assert json.loads(after)["total"]["calls"] == 4


def test_an_unknown_command_suggests_the_one_that_was_meant(shell: Shell) -> None:
    assert shell.refused("sumary") == "unknown command 'sumary'; did you mean 'summary'?"
    assert "--help lists them" in shell.refused("xyz")
    assert shell.told("query", "--period", "all") == shell.told("calls", "--period", "all")


def test_a_summary_reads_as_a_person_would_say_it(shell: Shell) -> None:
    shown = shell.told("summary", "--period", "today").splitlines()
    assert re.fullmatch(r"today, \d{4}-\d\d-\d\d \(UTC\): at least \$[\d.]+ in 4 calls, 2 threads", shown[0])
    assert shown[1] == "920.1k tokens in (33% cached), 5,320 out"
    assert shown[2].split() == ["model", "cost", "credits", "share", "calls", "threads", "input", "cached", "output"]
    assert [line.split()[0] for line in shown[3:6]] == ["gpt-5.5", "gpt-5-codex", "nobody-knows"]
    assert "—" in shown[5]
    assert len({line.index("%") for line in shown[3:5]}) == 1  # columns stand under each other
    assert shown[6] == "Priced by name: gpt-5-codex as gpt-5."
    assert shown[7].startswith("No price known for nobody-knows: not in the cost.")
    assert shown[8] == (
        "API-equivalent cost. 2 logs read, 4 calls counted; 2 calls unpriced (no price is known for nobody-knows)."
    )
    assert "$0.00" not in "\n".join(shown)


def test_one_is_one_call_and_not_one_calls(tmp_path: Path) -> None:
    home(tmp_path, [Spent()])
    shown = Shell(tmp_path).told("summary", "--period", "all")
    assert "in 1 call, 1 thread\n" in shown
    assert "1 log read, 1 call counted." in shown


def test_the_rest_and_the_thread_are_told(shell: Shell) -> None:
    assert re.search(r"^\(2 more\) +≥ \$", shell.told("summary", "--limit", "1"), re.M)
    assert "1 more thread, " in shell.told("threads", "--limit", "1")
    assert "3 more calls; --limit shows more, export writes them all." in shell.told("calls", "--limit", "1")
    shown = shell.told("session", thread_id(1)[-8:])
    assert " in 2 calls, 2 turns\n" in shown
    assert "user in demo" in shown
    assert "at least" not in shown


def test_status_is_one_line_that_never_claims_more_than_it_knows(shell: Shell) -> None:
    shown = shell.told("status")
    assert shown.count("\n") == 1
    assert re.match(r"today ≥ \$[\d.]+ · week ≥ \$[\d.]+ · month ≥ \$", shown)


def test_what_a_log_says_cannot_command_the_terminal(shell: Shell) -> None:
    for shown in (
        shell.told("threads", "--period", "all"),
        shell.told("session", thread_id(1)),
        shell.on_terminal("threads", NO_COLOR="1"),
    ):
        assert "[bold]Mend[/bold] :boom:" in shown
        assert "\x07" not in shown
        assert "\x1b[31m" not in shown


@pytest.mark.parametrize("columns", [60, 80, 100, 160])
@pytest.mark.parametrize("command", ["summary", "threads", "calls"])
def test_ids_and_amounts_stay_whole_on_a_narrow_terminal(shell: Shell, columns: int, command: str) -> None:
    shown = re.sub(r"\x1b\[[0-9;]*m", "", shell.on_terminal(command, "--period", "all", columns=columns))
    lines = shown.splitlines()
    assert max(map(len, lines)) <= columns
    asked = json.loads(shell.told(command, "--period", "all", "--json"))
    for row in asked["rows"]:
        cost = row.get("cost_usd", row.get("sums", {}).get("cost_usd"))
        words = [row[name] for name in ("short_id", "call_id") if name in row]
        words += [f"${cost:,.2f}"] if cost is not None and cost >= 0.005 else []
        assert any(all(word in line for word in words) for line in lines), words


def test_colours_are_for_terminals_that_want_them(shell: Shell) -> None:
    assert "\x1b[1m" in shell.on_terminal("summary")
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]m", shell.on_terminal("summary", NO_COLOR="1"))
    for command in ("summary", "threads", "calls", "status"):
        assert "\x1b" not in shell.told(command)
        assert "\x1b" not in shell.told(command, TERM="xterm-256color", COLORTERM="truecolor")


def test_times_and_days_are_those_of_the_zone(shell: Shell) -> None:
    shown = shell.told("calls", "--period", "all", "--tz", "Asia/Kathmandu")
    assert " 05:45:01 " in shown
    assert "(Asia/Kathmandu)" in shown


# -- json, export -----------------------------------------------------------------------------------------------


def test_json_is_what_the_answers_are(shell: Shell) -> None:
    models = {"summary": Summary, "threads": Threads, "calls": Calls, "status": Status}
    for command, model in models.items():
        model.model_validate_json(shell.told(command, "--json"), strict=True)
    Session.model_validate_json(shell.told("session", thread_id(2), "--json"), strict=True)
    assert json.loads(shell.told("refresh", "--json"))["files"] == 2
    log = next((shell.folder / "home").rglob("rollout-*.jsonl"))
    assert json.loads(shell.told("inspect-log", str(log), "--json"))["producer"] == "codex"


def test_unpriced_is_null_and_not_zero(shell: Shell) -> None:
    asked = json.loads(shell.told("summary", "--model", "nobody-knows", "--json"))
    assert (asked["total"]["cost_usd"], asked["total"]["unpriced_calls"]) == (None, 2)


def test_json_and_csv_export_the_same_calls(shell: Shell) -> None:
    rows = json.loads(shell.told("export"))
    table = list(csv.DictReader(io.StringIO(shell.told("export", "--format", "csv"))))
    assert list(table[0]) == list(EXPORT_COLUMNS) == list(rows[0])
    assert len(rows) == len(table) == 4
    for row, line in zip(rows, table, strict=True):
        CallLine.model_validate(row)
        for name, value in row.items():
            shown = "" if value is None else str(value)
            assert line[name] in (shown, f"'{shown}")


def test_a_spreadsheet_never_takes_a_name_for_a_formula(shell: Shell) -> None:
    lines = list(csv.DictReader(io.StringIO(shell.told("export", "--format", "csv"))))
    assert {line["project"] for line in lines} == {"demo", "'=cmd"}
    assert all(not value.startswith(("=", "+", "-", "@", "\t", "\r")) for line in lines for value in line.values())


def test_export_writes_a_file_and_takes_periods_and_filters(shell: Shell) -> None:
    file = shell.folder / "calls.csv"
    assert (
        shell.told("export", "--format", "csv", "-o", str(file), "--model", "gpt-5.5") == f"1 call written to {file}\n"
    )
    assert len(file.read_text(encoding="utf-8").splitlines()) == 2
    assert json.loads(shell.told("export", "--until", "2001-01-01")) == []
    assert shell.told("export", "--format", "csv", "--until", "2001-01-01").startswith("call_id,timestamp,")


# -- pipes and interrupts ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["export", "export --format csv", "threads --json", "calls", "summary"])
def test_a_reader_that_leaves_early_is_no_error_to_talk_about(tmp_path: Path, command: str) -> None:
    home(
        tmp_path,
        [Spent(at=f"2026-11-20T{n // 3600:02d}:{n // 60 % 60:02d}:{n % 60:02d}Z", thread=n % 40) for n in range(800)],
    )
    shell = Shell(tmp_path)
    shell.told("refresh")
    done = subprocess.run(
        ["bash", "-c", f"{COMMAND} {command} --period all | head -1"],
        env=shell.env,
        capture_output=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.count(b"\n") == 1
    assert done.stderr == b""


@pytest.mark.timeout(60)
def test_ctrl_c_stops_with_one_line_and_keeps_what_was_read(tmp_path: Path) -> None:
    log = Rollout("0.98.0").turn()
    for number in range(3000):
        log.call(input=1000 + number, output=5)
    for number in range(120):
        other = log.copy()
        other.thread, other.lines = f"01a1f37c-ba00-7001-8000-{number:012x}", log.lines
        other.write(tmp_path / "home")
    shell = Shell(tmp_path)
    process = subprocess.Popen(
        [COMMAND, "refresh"], env=shell.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    time.sleep(0.6)
    assert process.poll() is None, "the refresh was too fast to be interrupted"
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out) == (130, "")
    assert err.strip() == "codex-usage: stopped; what was read so far is kept."
    (index,) = (tmp_path / "data").glob("index-*.sqlite")
    assert sqlite3.connect(index).execute("PRAGMA integrity_check").fetchone() == ("ok",)
    shell.told("refresh")
    assert "nothing new" in shell.told("refresh")


# -- mistakes ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("summary --period 2026-02-30", "impossible date '2026-02-30'; use today"),
        ("summary --period someday", "Unknown period"),
        ("summary --since 2026-02-30", "neither a date nor an ISO time; write 2026-11-14"),
        ("summary --since 2026-11-30 --until 2026-11-01", "give the earlier one first"),
        ("summary --period today --since 2026-11-01", "Give either a period or since/until"),
        ("summary --period 0001-01-01..9999-12-31", "out of range"),
        ("summary --by colour", "Cannot group by 'colour'; use model"),
        ("threads --order size", "use cost, tokens"),
        ("calls --order size", "use cost, tokens"),
        ("summary --model nope", "No model 'nope' is in the index; it has"),
        ("threads --project nope", "No project 'nope'"),
        ("calls --thread nope", "No thread 'nope'"),
        ("session nope", "No thread 'nope'"),
        ("session", "session needs a thread"),
        ("summary --provider azure", "'azure' is not one of"),
        ("summary --limit -1", "not in the range"),
        ("summary --limit x", "--limit"),
        ("summary words", "unexpected extra argument"),
        ("summary --colour", "No such option"),
        ("--tz Mars/Olympus summary", "Unknown time zone"),
        ("export --format xml", "'xml' is not one of"),
        ("export -o /nonexistent/x.json", "Cannot write /nonexistent/x.json: No such file"),
        ("inspect-log /nonexistent", "Cannot read /nonexistent: No such file"),
        ("--codex-home /etc/passwd summary", "/etc/passwd is not a folder"),
        ("summary --codex-home /nonexistent", "/nonexistent is not a folder; name a Codex home"),
    ],
)
def test_what_is_asked_wrongly_is_one_sentence_and_exit_code_2(shell: Shell, words: str, sentence: str) -> None:
    assert sentence in shell.refused(*words.split())


def test_without_a_home_it_says_where_it_looked_and_what_to_do(tmp_path: Path) -> None:
    for command in ("summary", "threads", "status", "export", "refresh", "rebuild-index"):
        sentence = Shell(tmp_path).refused(command, code=1)
        assert str(tmp_path / "home") in sentence
        assert "--codex-home" in sentence
    assert not list(tmp_path.glob("data/*"))


def test_an_empty_home_is_an_answer(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    shell = Shell(tmp_path)
    for command in ("summary", "threads", "calls"):
        shown = shell.told(command)
        assert "$0.00 in 0 calls, 0 threads" in shown
        assert "No logs found. Run Codex once" in shown
    assert shell.told("status") == "today $0.00 · week $0.00 · month $0.00\n"
    assert json.loads(shell.told("export")) == []
    assert shell.told("refresh").startswith("nothing new")


def test_a_period_without_calls_says_so(shell: Shell) -> None:
    shown = shell.told("summary", "--period", "2001-01-01")
    assert "No such calls in this period (2 logs read, 4 calls counted). Try --period all." in shown


def test_a_file_that_is_not_our_index_is_refused_and_left_alone(shell: Shell) -> None:
    file = shell.folder / "mine.sqlite"
    with sqlite3.connect(file) as other:
        other.execute("CREATE TABLE mine (id)")
    other.close()
    before = file.read_bytes()
    for command in (["summary"], ["refresh"], ["rebuild-index"], ["clear-db", "--yes"]):
        assert "is not a codex-usage index; name another file with --db" in shell.refused(
            *command, "--db", str(file), code=1
        )
    assert file.read_bytes() == before
    assert "is not a codex-usage index" in shell.refused("summary", "--db", "/etc/passwd", code=1)
    assert shell.run("summary", "--db", str(shell.folder)).returncode in (1, 2)


def test_a_newer_index_asks_for_an_upgrade(shell: Shell) -> None:
    shell.told("refresh")
    (index,) = (shell.folder / "data").glob("index-*.sqlite")
    with sqlite3.connect(index) as newer:
        newer.execute("PRAGMA user_version = 99")
    newer.close()
    assert "written by a newer codex-usage; upgrade" in shell.refused("summary", code=1)


def test_a_data_folder_that_cannot_be_written_names_the_mend(shell: Shell) -> None:
    sentence = shell.refused("summary", CODEX_USAGE_HOME="/proc/nowhere")
    assert "set CODEX_USAGE_HOME to a folder you can write" in sentence
    assert "Errno" not in sentence
    assert "set CODEX_USAGE_HOME" in shell.refused("summary", CODEX_USAGE_HOME="/dev/null/x")


def test_while_another_process_writes_the_answer_says_what_may_be_missing(shell: Shell) -> None:
    shell.told("refresh")
    home(shell.folder, [Spent(thread=3)])
    (index,) = (shell.folder / "data").glob("index-*.sqlite")
    writer = sqlite3.connect(index, isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    shown = shell.told("summary", "--period", "all")
    writer.execute("ROLLBACK")
    writer.close()
    assert "in 4 calls" in shown
    assert "Another process is reading new logs: the newest calls may be missing." in shown
    assert "in 5 calls" in shell.told("summary", "--period", "all")


# -- homes and the index ----------------------------------------------------------------------------------------


def test_two_homes_are_one_answer_and_each_alone_another(shell: Shell, tmp_path: Path) -> None:
    home(tmp_path / "second", [Spent(thread=9, input=77)])
    second = str(tmp_path / "second" / "home")
    both = json.loads(
        shell.told(
            "summary", "--period", "all", "--json", "--codex-home", str(tmp_path / "home"), "--codex-home", second
        )
    )
    alone = json.loads(shell.told("--codex-home", second, "summary", "--period", "all", "--json"))
    assert (both["total"]["calls"], alone["total"]["calls"]) == (5, 1)
    assert json.loads(shell.told("summary", "--period", "all", "--json"))["total"]["calls"] == 4


def test_rebuild_and_clear_start_anew_and_lose_nothing(shell: Shell) -> None:
    before = shell.told("export")
    assert shell.told("rebuild-index").startswith("read 2 logs (")
    assert shell.told("export") == before
    assert shell.told("clear-db", "--yes").startswith("deleted ")
    assert shell.told("clear-db", "--yes").startswith("there is no index")
    assert shell.told("export") == before


def test_a_question_loads_only_what_it_needs(shell: Shell) -> None:
    """A warm answer must not wait for the servers' libraries, the tables, the price list or the tests' tools."""
    shell.told("refresh")
    code = (
        "import sys; from codex_usage.cli.commands import cli\n"
        "cli.main(['summary', '--period', 'all', *sys.argv[1:]], standalone_mode=False)\n"
        "print('\\n' + ' '.join({name.partition('.')[0] for name in sys.modules} | set(sys.modules)))"
    )

    def loaded(*words: str) -> set[str]:
        done = subprocess.run(
            [sys.executable, "-c", code, *words], env=shell.env, capture_output=True, text=True, check=True, timeout=60
        )
        return set(done.stdout.splitlines()[-1].split())

    heavy = {
        "mcp",
        "mcp_types",
        "starlette",
        "uvicorn",
        "httpx",
        "httpx2",
        "genai_prices",
        "hypothesis",
        "pytest",
        "tomlkit",
        "jsonschema",
        "anyio",
        "asyncio",
        "multiprocessing",
        "zstandard",
        "jinja2",
        "rich",
        *(f"codex_usage.answers.{name}" for name in ("explain", "recommend", "diagnostics", "board", "call")),
        "codex_usage.present.privacy",
    }
    as_json = loaded("--json")
    assert "pydantic" in as_json
    assert as_json & heavy == set()
    # pydantic's own checks are built to write JSON only, which also looks for plugins in every installed package
    assert loaded() & (heavy | {"pydantic.plugin._loader", "importlib.metadata"}) == set()


def test_every_recorded_home_can_be_asked_everything(tmp_path: Path) -> None:
    """Whatever a version of Codex wrote, each answer comes, and its sums are the index's."""
    for case in sorted(CASES.iterdir()):
        places = places_of(case / "codex_home", data=tmp_path / case.name)
        with open_index(places.index) as index:
            refresh(index, places)
            context = answers.make_context(index, "UTC")
            asked = answers.summary(context, context.period("all"))
            rows = answers.threads(context, context.period("all"), limit=99).rows
            assert (
                sum(row.sums.calls for row in rows)
                == asked.total.calls
                == len(list(answers.export_rows(context, context.period("all"))))
            )
            for row in rows:
                answers.session(context, row.short_id)
            answers.status(context)
