"""Sending usage to a collector: what arrives, how often, what happens when it does not, and what never leaves."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.test_commands import COMMAND, Shell
from tests.support.spending import Spent, home
from tests.teams.collector import Collector

WHO = ("--user", "ana", "--machine", "laptop")


def spent(day: int, number: int, **more: object) -> Spent:
    """A call on a day of November."""
    return Spent(at=f"2026-11-{day:02d}T10:00:{number:02d}Z", thread=day, input=1000 * number, output=10, **more)  # type: ignore[arg-type]


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """Six calls of three days."""
    home(tmp_path, [spent(day, number) for day in (1, 2, 3) for number in (1, 2)])
    return Shell(tmp_path)


@pytest.fixture
def collector() -> Iterator[Collector]:
    """One that takes everything."""
    with Collector() as it:
        yield it


def push(shell: Shell, collector: Collector, *words: str, **env: str) -> dict[str, object]:
    """Push, and what it told."""
    told: dict[str, object] = json.loads(
        shell.told("push", "--json", "--endpoint", collector.url, *WHO, *words, **env)
    )
    return told


def test_every_call_arrives_with_its_numbers_and_labels(shell: Shell, collector: Collector) -> None:
    push(shell, collector)
    rows = {row["call_id"]: row for row in json.loads(shell.told("export"))}
    calls = collector.of("codex_usage.call")
    assert sorted(call["codex_usage.call_id"] for call in calls) == sorted(rows)
    for call in calls:
        row = rows[call["codex_usage.call_id"]]
        assert call["gen_ai.request.model"] == row["model"]
        assert call["gen_ai.conversation.id"] == row["thread_id"]
        assert call["gen_ai.usage.input_tokens"] == row["input_tokens"]
        assert call["gen_ai.usage.output_tokens"] == row["output_tokens"]
        assert round(call["codex_usage.cost_nano_usd"] / 1e9, 6) == row["cost_usd"]
        assert call["resource"]["codex_usage.user"] == "ana"
        assert call["resource"]["codex_usage.machine"] == "laptop"


def test_turns_arrive_with_their_outcome(shell: Shell, collector: Collector) -> None:
    push(shell, collector)
    assert {turn["codex_usage.outcome"] for turn in collector.of("codex_usage.turn")} <= {"completed", "open"}


def test_what_was_taken_is_not_sent_again(shell: Shell, collector: Collector) -> None:
    first = push(shell, collector)
    again = push(shell, collector)
    assert first["records"] == len(collector.records)
    assert (again["records"], again["parts"]) == (0, 0)


def test_a_new_call_sends_its_day_only_under_a_higher_version(shell: Shell, collector: Collector) -> None:
    push(shell, collector)
    before = list(collector.records)
    home(shell.folder, [spent(day, number) for day in (1, 2, 3) for number in (1, 2)] + [spent(3, 3)])
    push(shell, collector)
    new = [record for record in collector.records[len(before) :] if record["event.name"] == "codex_usage.call"]
    assert len(new) == 3
    assert min(call["codex_usage.version"] for call in new) > max(one["codex_usage.version"] for one in before)


def test_another_price_sends_the_calls_again(shell: Shell, collector: Collector) -> None:
    push(shell, collector)
    costs = {call["codex_usage.call_id"]: call["codex_usage.cost_nano_usd"] for call in collector.records[:1]}
    own = {"models": {"gpt-5.5": [{"input": 100, "cached_input": 10, "output": 100}]}}
    (shell.folder / "data" / "pricing.json").write_text(json.dumps(own), encoding="utf-8")
    push(shell, collector)
    last = {call["codex_usage.call_id"]: call["codex_usage.cost_nano_usd"] for call in collector.of("codex_usage.call")}
    assert all(last[key] != cost for key, cost in costs.items())


def test_other_labels_send_everything_under_them(shell: Shell, collector: Collector) -> None:
    first = push(shell, collector)
    shell.told("push", "--endpoint", collector.url, "--user", "ben")
    assert len(collector.records) == 2 * int(str(first["records"]))
    assert collector.records[-1]["resource"]["codex_usage.user"] == "ben"
    assert collector.records[-1]["resource"]["codex_usage.machine"] == "laptop"


def test_days_before_a_date_stay_here(shell: Shell, collector: Collector) -> None:
    push(shell, collector, "--since", "2026-11-03")
    assert {call["time"] // 10**9 // 86400 for call in collector.records} == {20760}


def test_two_collectors_are_known_apart(shell: Shell, collector: Collector) -> None:
    push(shell, collector)
    with Collector() as other:
        push(shell, other)
        assert len(other.records) == len(collector.records)


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_busy_collector_is_asked_again(shell: Shell, status: int) -> None:
    with Collector(status, status) as it:
        push(shell, it)
        assert len(it.of("codex_usage.call")) == 6


def test_what_was_taken_before_a_failure_is_not_sent_again(shell: Shell) -> None:
    with Collector(200, 400) as it:
        said = shell.refused("push", "--endpoint", it.url, *WHO, code=1)
        assert "it answers 400" in said
        taken = len(it.records)
        assert taken
        push(shell, it)
        keys = [record.get("codex_usage.call_id") for record in it.of("codex_usage.call")]
        assert len(keys) == len(set(keys)) == 6


def test_a_refused_part_of_a_request_is_told_and_not_taken_for_sent(shell: Shell) -> None:
    refusal = json.dumps({"partialSuccess": {"rejectedLogRecords": "2", "errorMessage": "too old"}}).encode()
    with Collector(refusal) as it:
        assert "refused 2 records (too old)" in shell.refused("push", "--endpoint", it.url, *WHO, code=1)
        push(shell, it)
        assert len(it.of("codex_usage.call")) == 6


def test_a_push_that_is_stopped_goes_on_where_it_was(shell: Shell) -> None:
    stopped = threading.Event()

    class Slow(Collector):
        def take(self, path: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
            if len(self.bodies) == 1 and not stopped.is_set():
                os.kill(running.pid, signal.SIGINT)
                stopped.set()
            return super().take(path, headers, body)

    with Slow() as it:
        words, quiet = [COMMAND, "push", "--endpoint", it.url, *WHO], subprocess.DEVNULL
        with subprocess.Popen(words, env=shell.env, stdout=quiet, stderr=quiet) as running:
            assert running.wait(60) == 130
        push(shell, it)
        keys = {record["codex_usage.call_id"] for record in it.of("codex_usage.call")}
        assert len(keys) == 6


def test_a_collector_that_is_not_there_is_told_in_one_line(shell: Shell) -> None:
    said = shell.refused("push", "--endpoint", "http://127.0.0.1:9", *WHO, code=1)
    assert said.startswith("http://127.0.0.1:9/v1/logs did not take it")


@pytest.mark.parametrize(
    ("words", "env", "mend"),
    [
        ((), {}, "Give --endpoint URL"),
        (("--endpoint", "ftp://x"), {}, "no http or https address"),
        (("--endpoint", "http://localhost:1"), {}, "--user NAME and --machine NAME"),
        (("--endpoint", "http://x", *WHO), {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "http/json or http/protobuf"),
        (("--endpoint", "http://x", *WHO), {"OTEL_EXPORTER_OTLP_TIMEOUT": "soon"}, "in milliseconds"),
    ],
)
def test_what_is_missing_is_asked_for(shell: Shell, words: tuple[str, ...], env: dict[str, str], mend: str) -> None:
    assert mend in shell.refused("push", *words, **env)


@pytest.mark.parametrize("protocol", ["http/json", "http/protobuf"])
@pytest.mark.parametrize("compression", ["none", "gzip"])
def test_the_standard_variables_say_where_and_how(
    shell: Shell, collector: Collector, protocol: str, compression: str
) -> None:
    env = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
        "OTEL_EXPORTER_OTLP_HEADERS": "signoz-ingestion-key=a%20b,x-team=blue",
        "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
        "OTEL_EXPORTER_OTLP_COMPRESSION": compression,
    }
    shell.told("push", *WHO, **env)
    assert len(collector.of("codex_usage.call")) == 6
    assert collector.headers[0]["signoz-ingestion-key"] == "a b"
    assert collector.headers[0]["x-team"] == "blue"


def test_metrics_are_running_totals_by_model(shell: Shell, collector: Collector) -> None:
    push(shell, collector)
    total = json.loads(shell.told("summary", "--period", "all", "--json"))["total"]
    usage, cost = collector.metrics[-1]["resourceMetrics"][0]["scopeMetrics"][0]["metrics"]
    sums = {point["attributes"][-1]["value"]["stringValue"]: point["sum"] for point in usage["histogram"]["dataPoints"]}
    assert sums == {"input": total["input_tokens"], "output": total["output_tokens"]}
    assert usage["histogram"]["aggregationTemporality"] == 2
    assert cost["sum"]["dataPoints"][0]["asDouble"] == pytest.approx(total["cost_usd"])


def test_a_dry_run_shows_a_record_and_sends_none(shell: Shell, collector: Collector) -> None:
    told = push(shell, collector, "--dry-run")
    assert told["records"]
    assert not collector.bodies
    assert not (shell.folder / "data" / "push.json").exists()


def test_folders_never_leave_and_projects_only_when_they_may(tmp_path: Path, collector: Collector) -> None:
    home(tmp_path, [spent(1, 1, folder="secret-project")])
    shell = Shell(tmp_path)
    push(shell, collector)
    assert b"secret-project" not in b"".join(collector.bodies)
    push(shell, collector, "--privacy-mode", "normal")
    assert collector.of("codex_usage.call")[-1]["codex_usage.project"] == "secret-project"
    assert b"/home/dev" not in b"".join(collector.bodies)


def test_strict_hides_ids_but_calls_stay_countable(shell: Shell, collector: Collector) -> None:
    push(shell, collector, "--privacy-mode", "strict")
    rows = json.loads(shell.told("export"))
    sent = b"".join(collector.bodies).decode()
    assert not [row["thread_id"] for row in rows if row["thread_id"] in sent]
    assert {call["codex_usage.call_id"] for call in collector.of("codex_usage.call")} == {
        row["call_id"] for row in rows
    }


def test_the_secret_of_an_address_is_not_shown(shell: Shell) -> None:
    said = shell.refused("push", "--endpoint", "http://name:hunter2@127.0.0.1:9", *WHO, code=1)
    assert "hunter2" not in said
