"""The panel of telemetry: what Codex sent to a live page's server, the same in a file, and nothing received."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest
from playwright.sync_api import Browser, Page, expect

from codex_usage.index.telemetry import add_events, open_telemetry
from codex_usage.logs.otlp import WORDS, read_export
from tests.browser.test_accessible import FINDINGS, axe
from tests.browser.test_hostile import ATTACKS, inert
from tests.browser.test_live import home, log_of
from tests.browser.visits import Home, cells, go, visitor
from tests.support.telemetry import broken, decision, export, request, response, start, tool, turn

__all__ = ["axe", "home"]
#: Noon of yesterday in UTC, the zone of the homes.
TODAY = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)
AT = int((TODAY - timedelta(days=1)).timestamp() * 1000)
DAY = 86_400_000
OTHER = "01a20229-569f-7ff3-93b1-000000000002"
JANE = {"user__email": "jane@example.com"}
EVENTS = (
    start(AT, terminal__type="iTerm.app/3.5"), start(AT + 9, terminal__type="iTerm.app/3.5"),
    request(AT, status=500, **JANE), request(AT + 300, attempt=1, took=40, **JANE),
    response(AT + 800, ttft=25, effort="high", **JANE), turn(AT + 900),
    request(AT, thread=OTHER), broken(AT + 600, thread=OTHER),
    decision(AT, "denied"), decision(AT + 1, source="Config"), decision(AT - 2 * DAY, source="AutomatedReviewer"),
    *(tool(AT + ms, took=ms, call=f"call_{ms}", success=ms > 10) for ms in range(1, 101)),
)  # fmt: skip
PANEL = {
    "User decisions": [["the policy", "approved", "–", "exec_command", "1"],
                       ["a person", "denied", "–", "exec_command", "1"],
                       ["the reviewer", "approved", "–", "exec_command", "1"]],
    "Terminals": [["iTerm.app/3.5", "1", "2"]],
    "Request attempts": [["200", "0", "1", "33.3%"], ["200", "1", "1", "33.3%"], ["500", "0", "1", "33.3%"]],
    "Requests": [["gpt-5.5", "2", "1", "50%", "1", "1"]],
    "Response times": [["gpt-5.5", "1", "1", "65 ms", "65 ms", "540 ms", "540 ms"]],
    "First token of a turn": [["gpt-5.5", "1", "450 ms", "450 ms"]],
    "Reasoning effort": [["high", "gpt-5.5", "1", "51", "20"]],
    "Tools": [["–", "exec_command", "100", "10", "10%", "51 ms", "96 ms"]],
}  # fmt: skip


def send(url: str, *events: dict[str, Any]) -> None:
    """Export events to a server as Codex does."""
    sent = urllib.request.Request(urljoin(url, "/v1/logs"), export(*events), {"Content-Type": "application/json"})
    with urllib.request.urlopen(sent, timeout=20) as answer:
        assert answer.status == 200


def down(page: Page, to: str) -> None:
    """Scroll to the end, where the panel is asked for, until there is what is waited for."""
    page.wait_for_function(
        "to => { document.querySelector('main > :last-child').scrollIntoView(); return document.querySelector(to); }",
        arg=to,
    )


def panel(page: Page) -> dict[str, list[list[str]]]:
    """The rows of each table of the panel, by its heading with a capital letter as it is shown."""
    parts = page.locator(".told > section:not(:has(.plot))").all()
    return {str(one.locator("h3").text_content()).capitalize(): sorted(cells(one.locator("table"))) for one in parts}


def matches(page: Page) -> None:
    """The panel has the figures of EVENTS; users are hashes."""
    shown = panel(page)
    users = sorted(row[1:] for row in shown.pop("Users"))
    assert users == [["1", "0", "1", "0", "0", "0", "0"], ["1", "1", "1", "1.1K", "450", "51", "20"]]
    assert shown == {title: sorted(rows) for title, rows in PANEL.items()}
    twin = page.locator(".told section:has(#decisions) .twin")
    twin.locator("summary").click()
    twin.locator("table").wait_for()
    shown_days = [row[1:] for row in cells(twin.locator("table"))]
    assert shown_days == [["0", "0", "1", "1"], ["0", "0", "0", "0"], ["1", "1", "0", "2"]]


@pytest.fixture
def served(browser: Browser, home: Home) -> Iterator[tuple[Page, str]]:
    """A live page at its end, and its server's URL; nothing was received."""
    log_of(home, 2)
    with home.serving() as url, visitor(browser) as (page, wrong):
        go(page, url, period="last_7_days")
        yield page, url
        page.close()
        assert wrong == []


def test_what_codex_sends_is_in_the_panel_of_a_live_page_after_a_refresh(served: tuple[Page, str]) -> None:
    page, url = served
    down(page, ".note")
    expect(page.locator(".note")).to_contain_text("codex-usage setup --telemetry")
    send(url, *EVENTS)
    page.click("#refresh")
    down(page, ".told")
    matches(page)
    expect(page.locator(".told")).to_contain_text("Rests on 100 codex.tool_result, received since")
    page.get_by_role("link", name="Diagnostics").last.click()
    section = page.locator("details:has(#section-telemetry)")
    expect(section).to_contain_text("user decisions")
    assert sorted(cells(section.locator("table").first)) == sorted(PANEL["User decisions"])


def test_a_filter_that_telemetry_knows_narrows_the_panel_and_one_that_it_does_not_leaves_it(
    served: tuple[Page, str],
) -> None:
    page, url = served
    send(url, *EVENTS, start(AT, model="gpt-6-sol", terminal__type="kitty"))
    for state, terminals in (
        ({"model": "gpt-5.5"}, ["iTerm.app/3.5"]),
        ({"origin": "user"}, ["iTerm.app/3.5", "kitty"]),
    ):
        go(page, url, period="last_7_days", **state)
        down(page, ".told")
        assert sorted(row[0] for row in panel(page)["Terminals"]) == terminals


def received(home: Home, *events: dict[str, Any]) -> None:
    """A home with a call and with telemetry, written as a file."""
    log_of(home, 1)
    with home.serving() as url:
        send(url, *events)
    home.write_page()


def test_a_file_has_the_panel_and_axe_finds_nothing_in_it(browser: Browser, home: Home, axe: str) -> None:
    received(home, *EVENTS)
    for width in (1280, 390):
        with visitor(browser, viewport={"width": width, "height": 900}, reduced_motion="reduce") as (page, wrong):
            for state in ({}, {"view": "diagnostics", "open": "telemetry"}):
                go(page, home.url, **state)
                if not state:
                    matches(page)
                page.evaluate(axe)
                for theme in ("light", "dark"):
                    page.select_option("#theme", theme)
                    assert page.evaluate(FINDINGS) == []
                assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
            assert wrong == []


def test_strict_privacy_hides_who_and_keeps_the_figures(page: Page, home: Home) -> None:
    received(home, *EVENTS)
    names = [row[0] for row in panel(go(page, home.url))["Users"]]
    home.write_page("--privacy-mode", "strict")
    strict = panel(go(page, home.url))
    assert {row[0] for row in strict["Users"]} & {*names} == {"(unknown)"}
    assert [row[1:3] for row in strict["Request attempts"]] == [row[1:3] for row in PANEL["Request attempts"]]
    assert "jane" not in Path(home.file).read_text(encoding="utf-8")


def test_hostile_words_of_telemetry_are_only_texts(page: Page, home: Home) -> None:
    """The receiver keeps no such words; a file that somebody else wrote may."""
    log_of(home, 1)
    home.run("status")
    place, *rest = WORDS
    assert place == "event"
    with open_telemetry(home.root / "data" / "telemetry.sqlite") as found:
        for nth, text in enumerate(ATTACKS):
            kept = read_export(export(*EVENTS), False, b"k" * 32)
            hostile = [
                one._replace(identity=one.identity ^ nth, words=(one.words[0], *[text for _ in rest])) for one in kept
            ]
            add_events(found, hostile)
    home.write_page()
    text = ""
    for state in ({}, {"view": "diagnostics", "open": "telemetry"}):
        go(page, home.url, **state)
        inert(page)
        text += page.locator("main").text_content() or ""
    assert [one for one in ATTACKS if one not in text] == []
