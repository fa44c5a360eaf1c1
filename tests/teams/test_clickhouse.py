"""The tables of docs/how-to/teams on real ClickHouse: what machines push ends in the sums of their own answers."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.test_commands import Shell
from tests.support.cases import CASES
from tests.support.spending import Spent, home
from tests.teams.collector import Collector, Record

TEAMS = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "teams"
#: The columns that our tables read, as the collector's exporter and SigNoz make them.
SOURCES = {
    "from-collector.sql": "CREATE DATABASE otel; CREATE TABLE otel.otel_logs (Timestamp DateTime64(9),"
    " ResourceAttributes Map(LowCardinality(String), String), LogAttributes Map(LowCardinality(String), String))"
    " ENGINE = Null",
    "from-signoz.sql": "CREATE DATABASE signoz_logs; CREATE TABLE signoz_logs.logs_v2 (timestamp UInt64,"
    " attributes_string Map(LowCardinality(String), String), attributes_number Map(LowCardinality(String), Float64),"
    " attributes_bool Map(LowCardinality(String), Bool), resources_string Map(LowCardinality(String), String))"
    " ENGINE = Null",
}
TOTALS = "SELECT sum(calls), sum(input_tokens), sum(output_tokens), sum(cost_nano_usd) FROM codex_usage.days"
Query = Callable[[str], list[list[Any]]]


@pytest.fixture(params=sorted(SOURCES))
def source(request: pytest.FixtureRequest) -> str:
    """Where the records come from."""
    return str(request.param)


@pytest.fixture
def query(source: str) -> Iterator[Query]:
    """An empty ClickHouse with the tables of the guide."""
    from chdb import session

    server = session.Session()

    def run(text: str) -> list[list[Any]]:
        found = str(server.query(text, "JSONCompact"))
        return json.loads(found)["data"] if found.strip() else []

    for script in (SOURCES[source], script_of("tables.sql"), script_of(source)):
        for statement in filter(str.strip, script.split(";")):
            run(statement)
    yield run
    for name in ("codex_usage", "otel", "signoz_logs"):
        run(f"DROP DATABASE IF EXISTS {name}")
    server.cleanup()


def script_of(name: str) -> str:
    """A script of the guide without its comments."""
    return re.sub(r"^--.*\n", "", (TEAMS / name).read_text(encoding="utf-8"), flags=re.M)


def summed(query: Query) -> None:
    """Make the sums by day anew, as ClickHouse does every five minutes."""
    query("SYSTEM REFRESH VIEW codex_usage.days")
    query("SYSTEM WAIT VIEW codex_usage.days")


def arrive(query: Query, source: str, records: Iterable[Record]) -> None:
    """Write records as the collector's exporter, or SigNoz, writes them."""
    rows = []
    for record in records:
        told = {name: value for name, value in record.items() if name not in ("time", "resource")}
        if source == "from-collector.sql":
            texts = {name: json.dumps(value) if isinstance(value, bool) else f"{value}" for name, value in told.items()}
            row: Record = {"Timestamp": f"{record['time'] / 1e9:.9f}", "LogAttributes": texts}
            row["ResourceAttributes"] = record["resource"]
        else:
            row = {"timestamp": record["time"], "resources_string": record["resource"]}
            for kind, column in ((str, "string"), (bool, "bool"), (int, "number")):
                row[f"attributes_{column}"] = {name: value for name, value in told.items() if type(value) is kind}
        rows.append(json.dumps(row))
    table = "otel.otel_logs" if source == "from-collector.sql" else "signoz_logs.logs_v2"
    if rows:
        query(f"INSERT INTO {table} FORMAT JSONEachRow\n" + "\n".join(rows))


def own_totals(shell: Shell) -> list[int]:
    """What a machine's own export tells: calls, tokens, and cost in millionths of a dollar."""
    rows = json.loads(shell.told("export"))
    return [
        len(rows),
        sum(row["input_tokens"] for row in rows),
        sum(row["output_tokens"] for row in rows),
        round(sum(row["cost_usd"] or 0 for row in rows) * 1e6),
    ]


def test_what_real_homes_push_ends_in_the_sums_of_their_answers(tmp_path: Path, query: Query, source: str) -> None:
    """Each machine pushes twice, the second time to a collector that knows nothing; the records arrive in any order."""
    expected = [0, 0, 0, 0]
    records: list[Record] = []
    names = ["0.169.0-subagents", "0.147.0-compact_auto", "0.130.0-fork_app", "0.98.0-tui", "0.36.0-tools"]
    for number, case in enumerate(names):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "home").symlink_to(CASES / case / "codex_home")
        shell = Shell(folder)
        for _ in range(2):
            with Collector() as it:
                shell.told("push", "--endpoint", it.url, "--user", f"user {number}", "--machine", "it's")
                records += it.records
        expected = [a + b for a, b in zip(expected, own_totals(shell), strict=True)]
    random.Random(1).shuffle(records)
    for at in range(0, len(records), 97):
        arrive(query, source, records[at : at + 97])
    summed(query)
    ((calls, tokens_in, tokens_out, nanos),) = query(TOTALS)
    assert [int(calls), int(tokens_in), int(tokens_out)] == expected[:3]
    assert int(nanos) / 1000 == pytest.approx(expected[3], abs=0.5 * len(records))


def test_a_synchronised_home_counts_once(tmp_path: Path, query: Query, source: str) -> None:
    spent = [Spent(at=f"2026-11-0{day}T10:00Z", thread=day, input=1000 * day) for day in (1, 2, 3)]
    for name in ("laptop", "desktop"):
        (tmp_path / name).mkdir()
        home(tmp_path / name, spent)
        with Collector() as it:
            Shell(tmp_path / name).told("push", "--endpoint", it.url, "--user", "ana", "--machine", name)
            arrive(query, source, it.records)
    summed(query)
    assert [int(value) for value in query(TOTALS)[0]][:2] == [3, 6000]


def test_a_call_that_changed_later_counts_as_it_is_now(tmp_path: Path, query: Query, source: str) -> None:
    home(tmp_path, [Spent(at="2026-11-01T10:00Z", input=1_000_000)])
    shell = Shell(tmp_path)
    with Collector() as it:
        words = ("push", "--endpoint", it.url, "--user", "ana", "--machine", "laptop")
        shell.told(*words)
        own = {"models": {"gpt-5.5": [{"input": 100, "cached_input": 10, "output": 100}]}}
        (tmp_path / "data" / "pricing.json").write_text(json.dumps(own), encoding="utf-8")
        shell.told(*words)
        arrive(query, source, reversed(it.records))
    summed(query)
    assert int(query(TOTALS)[0][3]) / 1000 == own_totals(shell)[3]


def test_turns_and_tools_arrive_once_each(tmp_path: Path, query: Query, source: str) -> None:
    (tmp_path / "home").symlink_to(CASES / "0.169.0-tools" / "codex_home")
    shell = Shell(tmp_path)
    tables = json.loads(shell.told("diagnostics", "tools", "--period", "all", "--json"))["tables"]
    for _ in range(2):
        with Collector() as it:
            shell.told("push", "--endpoint", it.url, "--user", "ana", "--machine", "laptop")
            arrive(query, source, it.records)
    turns = {record["codex_usage.turn_id"] for record in it.of("codex_usage.turn")}
    assert turns
    assert int(query("SELECT count() FROM codex_usage.turns FINAL")[0][0]) == len(turns)
    uses = sum(row[tables[0]["columns"].index("uses")] for row in tables[0]["rows"])
    assert int(query("SELECT sum(uses) FROM codex_usage.tools FINAL")[0][0]) == uses > 0


def test_every_panel_of_the_dashboard_can_be_drawn(tmp_path: Path, query: Query, source: str) -> None:
    (tmp_path / "home").symlink_to(CASES / "0.169.0-tools" / "codex_home")
    shell = Shell(tmp_path)
    shell.told("diagnostics", "tools", "--period", "all")
    with Collector() as it:
        shell.told("push", "--endpoint", it.url, "--user", "ana", "--machine", "laptop")
        arrive(query, source, it.records)
    summed(query)
    board = json.loads((TEAMS / "dashboard.json").read_text(encoding="utf-8"))
    assert {one["i"] for one in board["layout"]} == {widget["id"] for widget in board["widgets"]}
    for widget in board["widgets"]:
        (asked,) = widget["query"]["clickhouse_sql"]
        text = asked["query"].replace("$start_datetime", "toDateTime('2025-01-01 00:00:00')")
        rows = query(text.replace("$end_datetime", "toDateTime('2030-01-01 00:00:00')"))
        assert rows, widget["title"]
        if widget["panelTypes"] == "value":
            assert float(rows[0][0]) > 0 or widget["id"] == "cache", widget["title"]


@pytest.mark.timeout(900)
@pytest.mark.parametrize("source", ["from-collector.sql"], indirect=True)
def test_a_hundred_machines_and_ten_million_calls_end_in_the_right_sums(query: Query) -> None:
    """One in ten arrives twice; one in twenty is sent again with other numbers, and its old ones come late."""
    calls = 10_000_000

    def send(where: str, version: int, more: int = 0) -> None:
        query(
            "INSERT INTO otel.otel_logs SELECT fromUnixTimestamp64Milli(toInt64(1790000000000 + number * 200), 'UTC'),"
            " map('codex_usage.user', 'u' || toString(number % 40),"
            " 'codex_usage.machine', 'm' || toString(number % 100)),"
            f" map('event.name', 'codex_usage.call', 'codex_usage.version', '{version}',"
            " 'codex_usage.call_id', lower(hex(cityHash64(number))), 'gen_ai.request.model', toString(number % 7),"
            f" 'gen_ai.usage.input_tokens', toString(1000 + number % 9973 + {more}),"
            " 'gen_ai.usage.output_tokens', toString(number % 499),"
            " 'codex_usage.cost_nano_usd', toString(number * 37 % 900000007))"
            f" FROM numbers({calls}) WHERE {where}"
        )

    send("1", 1)
    send("number % 10 = 3", 1)
    send("number % 20 = 7", 2, more=5)
    send("number % 20 = 7", 1)
    summed(query)
    by_machine = "count(), sum(1000 + number % 9973 + if(number % 20 = 7, 5, 0)), sum(number % 499),"
    by_machine += f" sum(number * 37 % 900000007) FROM numbers({calls})"
    assert query(TOTALS) == query(f"SELECT {by_machine}")
    own = query(f"SELECT 'm' || toString(number % 100) AS machine, {by_machine} GROUP BY machine ORDER BY machine")
    assert query(TOTALS.replace("SELECT", "SELECT machine,") + " GROUP BY machine ORDER BY machine") == own
