"""The live page: new calls come by themselves, and the page lives on when the index or the logs are moved under it."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.visits import Home, figures, go, number, visitor
from tests.support.rollouts import Rollout

#: Seconds until a new call is seen, at most.
SOON = 2.0


def log_of(home: Home, calls: int, folder: str = "demo") -> Rollout:
    """A log of today with some calls, written."""
    log = Rollout(now=int(datetime.now(UTC).timestamp() * 1000) - 60_000, cwd=f"/home/dev/{folder}")
    log.turn()
    for _ in range(calls):
        log.call(took=10, input=1000, output=10)
    log.write(home.codex)
    return log


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """An empty home."""
    home = Home(tmp_path)
    home.codex.mkdir()
    return home


@pytest.fixture
def live(page: Page, home: Home) -> Iterator[tuple[Page, Home, Rollout]]:
    """A live page that shows the three calls of a log, in the view of calls."""
    log = log_of(home, 3)
    with home.serving() as url:
        go(page, url, view="calls", period="all")
        expect(page.locator("#live")).to_have_attribute("aria-pressed", "true")
        assert number(figures(page, ".tile")["Calls"]) == 3
        yield page, home, log
        page.close()


def counts(page: Page, calls: int, seconds: float = 20) -> None:
    """Wait until the page counts that many calls."""
    page.wait_for_function(
        "n => document.querySelector('.tile dd')?.textContent === String(n)", arg=calls, timeout=seconds * 1000
    )


def test_a_call_is_shown_within_two_seconds_of_its_line_in_the_log(live: tuple[Page, Home, Rollout]) -> None:
    page, home, log = live
    waits = []
    for more in range(1, 4):
        log.call(took=10, input=2000, output=20).write(home.codex)
        began = time.monotonic()
        counts(page, 3 + more)
        waits.append(time.monotonic() - began)
    assert min(waits) <= SOON, waits


def test_live_can_be_switched_off_and_refresh_still_reads(live: tuple[Page, Home, Rollout]) -> None:
    page, home, log = live
    page.click("#live")
    expect(page.locator("#live")).to_have_attribute("aria-pressed", "false")
    log.call(took=10, input=2000, output=20).write(home.codex)
    page.click("#refresh")
    counts(page, 4)


def test_what_is_looked_at_stays_when_a_call_comes(live: tuple[Page, Home, Rollout]) -> None:
    page, home, log = live
    page.locator("#calls tbody a").first.click()
    page.click("#evidence")
    expect(page.locator(".entries li").first).to_be_visible()
    log.call(took=10, input=2000, output=20).write(home.codex)
    expect(page.locator("main")).to_contain_text("Call 3 of 4")
    expect(page.locator(".entries li").first).to_be_visible()


def test_a_table_that_was_opened_stays_open_when_a_call_comes(live: tuple[Page, Home, Rollout]) -> None:
    page, home, log = live
    page.keyboard.press("1")
    page.locator(".twin summary").first.click()
    expect(page.locator(".twin tbody").first).to_contain_text("$")
    log.call(took=10, input=2000, output=20).write(home.codex)
    expect(page.locator(".kpi:nth-child(3) .value")).to_have_text("4")
    expect(page.locator(".twin tbody").first).to_be_visible()


def test_a_live_page_can_be_loaded_again_in_its_tab_and_in_no_other(
    browser: Browser, live: tuple[Page, Home, Rollout]
) -> None:
    page, _, _ = live
    page.reload()
    counts(page, 3)
    with visitor(browser) as (other, _):
        other.goto(page.url)
        expect(other.locator("main")).to_contain_text("open the URL that it printed")


def test_what_is_being_chosen_or_typed_stays_when_a_call_comes(browser: Browser, page: Page, home: Home) -> None:
    log = log_of(home, 3)
    with home.serving() as url, visitor(browser) as (other, _):
        for one in (page, other):
            go(one, url, view="calls", period="2020-01-01..2090-01-01")
            counts(one, 3)
        page.locator("#from").focus()
        page.evaluate("window.typed = document.activeElement")
        log.call(took=10, input=2000, output=20).write(home.codex)
        counts(page, 4)
        assert page.evaluate("window.typed.isConnected && window.typed === document.activeElement")
        page.click("#filter-history")
        log.call(took=10, input=2000, output=20).write(home.codex)
        counts(other, 5)
        assert page.evaluate("document.querySelector('select:open').id") == "filter-history"
        counts(page, 4)
        page.keyboard.press("Escape")
        counts(page, 5)
        page.close()


def test_the_page_lives_on_when_the_index_is_made_anew(live: tuple[Page, Home, Rollout]) -> None:
    page, home, log = live
    home.run("rebuild-index")
    log.call(took=10, input=2000, output=20).write(home.codex)
    counts(page, 4)
    home.run("clear-db", "--yes")
    log.call(took=10, input=2000, output=20).write(home.codex)
    counts(page, 5)


def test_the_page_lives_on_when_logs_are_archived_and_new_ones_begin(live: tuple[Page, Home, Rollout]) -> None:
    page, home, log = live
    (home.codex / "archived_sessions").mkdir()
    shutil.move(log.path(home.codex), log.path(home.codex, archived=True))
    log_of(home, 2, "other")
    counts(page, 5)
    page.select_option("#filter-history", "active")
    counts(page, 2)


@pytest.mark.parametrize("token", ["#token=wrong", ""])
def test_without_the_token_the_page_says_what_to_do(browser: Browser, home: Home, token: str) -> None:
    log_of(home, 1)
    with home.serving() as url, visitor(browser) as (page, _):
        go(page, url.partition("#")[0] + token)
        expect(page.locator("main")).to_contain_text("open the URL that it printed")
        assert "wrong" not in page.url


def test_the_token_is_in_no_place_that_others_can_see(live: tuple[Page, Home, Rollout]) -> None:
    page, home, _ = live
    with home.serving() as url:
        token = url.partition("token=")[2]
        seen: list[str] = []
        page.on("request", lambda request: seen.append(request.url))
        go(page, url, view="threads")
        assert seen
        assert [one for one in [page.url, page.content(), *seen] if token in one] == []
        kept = "JSON.stringify([{...localStorage}, document.cookie, history.state])"
        assert token not in page.evaluate(kept)  # the tab itself may keep it, to be loaded again


def test_a_server_that_is_gone_is_said(browser: Browser, home: Home) -> None:
    log_of(home, 2)
    with visitor(browser) as (page, _):
        with home.serving() as url:
            go(page, url, view="calls", period="all")
        expect(page.locator("#live")).to_have_attribute("aria-pressed", "false")
        page.click("#refresh")
        expect(page.get_by_role("alert").first).to_be_visible()
        assert number(figures(page, ".tile")["Calls"]) == 2


def test_a_live_page_of_an_empty_home_fills_with_the_first_call(page: Page, home: Home) -> None:
    with home.serving() as url:
        go(page, url, view="calls", period="all")
        expect(page.locator(".empty .what")).to_be_visible()
        log_of(home, 1)
        counts(page, 1)


def test_the_live_page_has_the_figures_of_the_file(page: Page, demo: Home) -> None:
    state = {"period": "last_30_days", "model": "gpt-5.5"}
    file = figures(go(page, demo.url, **state), ".kpi")
    with demo.serving() as url:
        assert figures(go(page, url, **state), ".kpi") == file
        expect(page.locator("main h1")).to_contain_text("$")
        go(page, url, view="diagnostics", open="tools", period="last_30_days")
        page.click("#diagnose")
        expect(page.locator("details .chip.good").first).to_be_visible()
        go(page, url, view="insights", period="last_30_days")
        expect(page.locator(".attention").first).to_be_visible()
        page.close()
