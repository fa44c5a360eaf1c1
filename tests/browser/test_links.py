"""A link holds the whole investigation, and Back and Forward go through it."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.visits import Home, figures, go, number, params, visitor

STATES = [
    {"view": "overview", "metric": "tokens", "by": "project", "model": "gpt-5.5"},
    {"view": "insights", "project": "infra", "period": "all"},
    {"view": "calls", "sort": "-uncached", "q": "gpt-6", "confidence": "exact", "effort": "high"},
    {"view": "calls", "preset": "cache", "only": "uncached", "sort": "-uncached", "history": "active"},
    {"view": "threads", "sort": "-attention", "period": "last_30_days"},
    {"view": "diagnostics", "slice": "model", "open": "overview,tools", "origin": "user"},
]


def shown(page: Page) -> str:
    """What the view says."""
    expect(page.locator("main > *").first).to_be_visible()
    text: str = page.evaluate("document.querySelector('main').textContent")
    return text


@pytest.mark.parametrize("state", STATES, ids=lambda state: " ".join(state.values()))
def test_a_link_opened_anew_shows_the_same(browser: Browser, page: Page, demo: Home, state: dict[str, str]) -> None:
    go(page, demo.url, **state)
    plain = shown(go(page, demo.url, view=state["view"]))
    first = shown(go(page, demo.url, **state))
    assert params(page) == state
    with visitor(browser) as (other, wrong):
        assert shown(go(other, page.url.partition("?")[0], **params(page))) == first
        assert wrong == []
    assert first != plain


def test_unfolded_threads_and_the_chosen_call_are_in_the_link(browser: Browser, page: Page, demo: Home) -> None:
    go(page, demo.url, view="threads", period="last_30_days")
    for place in (0, 2):
        page.locator(".expand").nth(place).click()
    with visitor(browser) as (other, _):
        go(other, demo.url, **params(page))
        assert other.locator("tr.detail").count() == 2
        assert shown(other) == shown(page)
    go(page, demo.url, view="calls", period="last_30_days", sort="-cost")
    page.locator("#calls tr[aria-rowindex='5']").click(position={"x": 300, "y": 10})
    beside = page.locator(".rail").inner_text()
    with visitor(browser) as (other, _):
        go(other, demo.url, **params(page))
        expect(other.locator("#calls tr[aria-selected=true]")).to_have_attribute("aria-rowindex", "5")
        assert other.locator(".rail").inner_text() == beside


def test_back_and_forward_go_through_the_investigation(page: Page, demo: Home) -> None:
    go(page, demo.url, period="last_30_days")
    page.click("nav >> text=Insights")
    page.locator(".presets button").first.click()
    page.click("nav >> text=Calls")
    page.locator("#calls tbody a").first.click()
    views = [params(page)["view"]]
    for _ in range(4):
        page.go_back()
        views.append(params(page).get("view", "overview"))
        assert page.locator("main").get_attribute("data-view") == views[-1]
    assert views == ["call", "calls", "threads", "insights", "overview"]
    page.go_forward()
    expect(page.locator("main")).to_have_attribute("data-view", "insights")


@pytest.mark.parametrize(
    "state",
    [
        {"view": "nothing"},
        {"view": "call", "record": "0000000000000000"},
        {"view": "call"},
        {"view": "calls", "sort": "-nothing", "model": "no-such-model", "thread": "none", "only": "__proto__"},
        {"view": "threads", "page": "-3", "open": "no,such", "sort": "-constructor"},
        {"view": "threads", "page": "x", "sort": "__proto__", "preset": "constructor"},
        {"period": "3000-01-01..1999-01-01"},
        {"period": "yesteryear", "metric": "x", "by": "y"},
        {"period": "2026-13-45"},
        {"period": "constructor"},
        {"view": "diagnostics", "slice": "constructor", "open": "x"},
        {"view": "calls", "confidence": "__proto__"},
    ],
    ids=str,
)
def test_a_link_that_makes_no_sense_still_gives_a_page(page: Page, demo: Home, state: dict[str, str]) -> None:
    go(page, demo.url, **state)
    assert page.locator("main h1").count() == 1


def test_a_link_keeps_its_filters_from_view_to_view(page: Page, demo: Home) -> None:
    go(page, demo.url, view="calls", period="last_30_days", model="gpt-5.5")
    calls = number(figures(page, ".tile")["Calls"])
    for name in ("Threads", "Diagnostics", "Insights", "Overview"):
        page.click(f"nav >> text={name}")
        assert params(page)["model"] == "gpt-5.5"
    assert number(figures(page, ".kpi")["Calls"]) == calls
