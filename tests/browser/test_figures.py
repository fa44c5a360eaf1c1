"""The page's figures are the answers' figures: of the commands and of the MCP tools, on the same home."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.browser.visits import Home, cells, figures, go, number
from tests.support import mcp
from tests.support.rollouts import Rollout

SPANS = ["last_7_days", "last_30_days", "this_month", "all"]


def close(shown: str, true: float) -> bool:
    """Is a figure the true one, as far as its digits go? K, M and % have one place, money two or none."""
    scale = {"K": 1e3, "M": 1e6, "B": 1e9, "%": 0.01}.get(shown[-1])
    last = 0.1 * scale if scale else 0.01 if "." in shown else 1
    return abs(number(shown) - true) <= 0.500001 * last


def filtered(home: Home) -> list[dict[str, str]]:
    """Filters of one word each, by values that the home has."""
    rows = home.ask("summary", "--period", "all", "--by", "model")["rows"]
    projects = home.ask("summary", "--period", "all", "--by", "project")["rows"]
    return [
        {"model": rows[0]["labels"][0]},
        {"project": projects[1]["labels"][0]},
        {"provider": "codex"},
        {"origin": "user"},
        {"confidence": "exact"},
        {"model": rows[1]["labels"][0], "project": projects[0]["labels"][0]},
    ]


def words_of(state: dict[str, str]) -> list[str]:
    """A state as options of a command."""
    return [word for name, value in state.items() for word in (f"--{name}", value)]


def test_the_cards_are_the_summary_for_every_period_and_filter(page: Page, demo: Home) -> None:
    states = [{"period": span} for span in SPANS] + [{"period": "last_30_days", **one} for one in filtered(demo)]
    for state in states:
        told = demo.ask("summary", *words_of(state))["total"]
        shown = figures(go(page, demo.url, **state), ".kpi")
        true = {
            "Cost": told["cost_usd"], "Credits": told["credits"], "Calls": told["calls"], "Threads": told["threads"],
            "Input": told["input_tokens"], "Cached input": told["cached_input_tokens"],
            "Uncached input": told["uncached_input_tokens"], "Output": told["output_tokens"],
            "Cache ratio": told["cache_ratio"] or 0,
        }  # fmt: skip
        assert {name: shown[name] for name in true if not close(shown[name], true[name] or 0)} == {}, (state, true)
        calls = figures(go(page, demo.url, view="calls", **state), ".tile")
        assert number(calls["Calls"]) == told["calls"], state
        assert close(calls["Cost"], told["cost_usd"]), state
        assert close(calls["Credits"], told["credits"]), state


def test_the_days_are_those_of_the_summary_by_day(page: Page, demo: Home) -> None:
    go(page, demo.url, period="last_30_days")
    shown = cells(page.locator(".days table"))
    asked = demo.ask("summary", "--period", "last_30_days", "--by", "day", "--limit", "99")["rows"]
    told = [row["sums"] for row in sorted(asked, key=lambda row: row["labels"], reverse=True)]
    assert len(shown) == len(told) > 20
    for row, sums in zip(shown, told, strict=True):
        assert [number(row[1]), number(row[2])] == [sums["calls"], sums["turns"]]
        assert close(row[3], sums["input_tokens"])
        assert close(row[6], sums["cost_usd"])


@pytest.mark.parametrize("by", ["model", "project", "effort"])
def test_what_stands_side_by_side_is_the_summary_by_it(page: Page, demo: Home, by: str) -> None:
    go(page, demo.url, period="last_30_days", beside=by)
    shown = cells(page.locator("section:has(> .scroll[aria-label='Side by side']) table"))
    told = demo.ask("summary", "--period", "last_30_days", "--by", by)["rows"]
    assert [row[0] for row in shown] == [row["labels"][0] for row in told]
    for row, sums in zip(shown, (row["sums"] for row in told), strict=True):
        assert number(row[1]) == sums["calls"]
        assert close(row[2], sums["input_tokens"] / sums["calls"])
        assert abs(number(row[3]) - sums["cache_ratio"]) <= 0.0051
        assert close(row[4], sums["output_tokens"] / sums["calls"])
        for cell, parts in ((row[5], sums["calls"]), (row[6], sums["total_tokens"] / 1e6), (row[7], 1)):
            last = 10.0 ** -len(cell.partition(".")[2])
            assert abs(number(cell) - sums["cost_usd"] / parts) <= 0.51 * last, (cell, sums)


@pytest.mark.parametrize(
    ("zone", "noon"),
    [
        ("Europe/Berlin", "2026-10-24T12:00Z"),
        ("America/St_Johns", "2026-10-31T12:00Z"),
        ("Australia/Lord_Howe", "2026-10-03T12:00Z"),
        ("Asia/Kathmandu", "2026-11-01T12:00Z"),
        ("Pacific/Kiritimati", "2026-11-01T12:00Z"),
    ],
)
def test_a_day_has_the_same_calls_in_every_zone_and_through_changes_of_the_clock(
    page: Page, tmp_path: Path, zone: str, noon: str
) -> None:
    home = Home(tmp_path, zone)
    log = Rollout(now=int(datetime.fromisoformat(noon).timestamp() * 1000)).turn()
    for _ in range(120):
        log.call(took=29 * 60_000, input=100, output=1)
    log.end().write(home.codex)
    home.write_page()
    days = home.ask("summary", "--period", "all", "--by", "day")["rows"]
    assert len(days) >= 3
    for row in days:
        shown = figures(go(page, home.url, view="calls", period=row["labels"][0]), ".tile")
        assert number(shown["Calls"]) == row["sums"]["calls"], row["labels"]


@pytest.mark.parametrize("start", ["monday", "sunday"])
def test_a_week_begins_on_the_day_that_was_chosen(page: Page, tmp_path: Path, start: str) -> None:
    """In the file, in the live page and in the commands."""
    home, now = Home(tmp_path), int(datetime.now(UTC).timestamp() * 1000)
    log = Rollout(now=now - 8 * 86_400_000).turn()
    for _ in range(16):
        log.call(took=12 * 3_600_000 - 1000, input=100, output=1)
    log.end().write(home.codex)
    weeks = {one: home.ask("summary", "--period", "this_week", "--week-start", one) for one in ("monday", "sunday")}
    calls = {one: told["total"]["calls"] for one, told in weeks.items()}
    assert calls["monday"] != calls["sunday"]
    home.write_page("--week-start", start)
    with home.serving("--week-start", start) as served:
        for url in (home.url, served):
            shown = figures(go(page, url, period="this_week"), ".kpi")
            assert number(shown["Calls"]) == calls[start]
            told = page.locator(".kpi", has_text="This week").locator(".delta").inner_text()
            assert told in (f"{calls[start]} calls", "1 call")
        page.goto("about:blank")


def test_the_tool_tells_what_the_page_shows(page: Page, demo: Home) -> None:
    shown = figures(go(page, demo.url, period="last_30_days"), ".kpi")
    with mcp.Server(demo.env) as server:
        told = server.told("usage_summary", {"period": "last_30_days"})["total"]
    assert number(shown["Calls"]) == told["calls"]
    assert close(shown["Cost"], told["cost_usd"])
    assert close(shown["Output"], told["output_tokens"])


def test_the_calls_are_those_of_the_answer_in_its_order(page: Page, demo: Home) -> None:
    go(page, demo.url, view="calls", period="last_30_days", sort="-cost")
    shown = [link.get_attribute("href") or "" for link in page.locator("#calls tbody a").all()]
    told = demo.ask("calls", "--period", "last_30_days", "--limit", "5")["rows"]
    assert [link.partition("record=")[2].partition("&")[0] for link in shown[:5]] == [row["call_id"] for row in told]


def exported(page: Page) -> list[dict[str, str]]:
    """The rows of Export CSV."""
    with page.expect_download() as file:
        page.click("#export")
    return list(csv.DictReader(io.StringIO(Path(file.value.path()).read_text(encoding="utf-8"))))


def same(mine: str, theirs: str) -> bool:
    """Do two cells say the same? Fractions may be rounded up in one and down in the other."""
    if mine == theirs or "." not in mine + theirs:
        return mine == theirs
    places = len(max(mine, theirs, key=len).partition(".")[2])
    return abs(float(mine) - float(theirs)) < 1.1 * 10**-places


@pytest.mark.parametrize("state", [{}, {"model": "gpt-5.5"}, {"origin": "user", "project": "infra"}], ids=str)
def test_export_has_the_rows_of_the_export_command(page: Page, demo: Home, state: dict[str, str]) -> None:
    projects = {row["labels"][0] for row in demo.ask("summary", "--period", "all", "--by", "project")["rows"]}
    state = {name: next(one for one in projects if value in one) if name == "project" else value
             for name, value in state.items()}  # fmt: skip
    rows = exported(go(page, demo.url, view="calls", period="last_30_days", **state))
    text = demo.run("export", "--format", "csv", "--period", "last_30_days", *words_of(state))
    told = {row["call_id"]: row for row in csv.DictReader(io.StringIO(text))}
    assert list(rows[0]) == list(next(iter(told.values())))
    assert len(rows) == len(told) > 10
    for row in rows:
        assert {name: (value, told[row["call_id"]][name]) for name, value in row.items()
                if not same(value, told[row["call_id"]][name])} == {}  # fmt: skip


def test_export_is_only_what_is_searched_and_runs_no_formulas(page: Page, tmp_path: Path) -> None:
    home = Home(tmp_path)
    for name, folder in enumerate(("=cmd()", "+1", "-2", "@sum", 'quo"ted, here')):
        log = Rollout(thread=f"019c0000-0000-7000-8000-00000000000{name}", cwd=f"/home/dev/{folder}")
        log.turn().call(input=100, output=1).end().write(home.codex)
    home.write_page()
    rows = exported(go(page, home.url, view="calls", period="all"))
    assert sorted(row["project"] for row in rows) == ["'+1", "'-2", "'=cmd()", "'@sum", 'quo"ted, here']
    page.fill("#search", "quo")
    assert [row["project"] for row in exported(page)] == ['quo"ted, here']
