"""For everyone: no finding of axe-core in any view, theme or kind of language, and every view by keyboard alone."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.visits import VIEWS, Home, go, params, visitor
from tests.lab.npm import package

FINDINGS = """async () => (await axe.run({resultTypes: ['violations']})).violations
  .map(one => one.id + ': ' + one.nodes.map(node => node.target + ' ' + node.failureSummary).slice(0, 3).join(' | '))"""


@pytest.fixture(scope="session")
def axe() -> str:
    """The script of axe-core."""
    return (package("axe-core") / "axe.min.js").read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def record(demo: Home) -> str:
    """A call to look into."""
    found: str = demo.ask("calls", "--period", "last_30_days", "--limit", "1")["rows"][0]["call_id"]
    return found


def whole(page: Page, home: Home, view: str, record: str) -> None:
    """A view with all that it can unfold."""
    opened = {"diagnostics": "overview,tools,concentration"}.get(view, "")
    go(page, home.url, view=view, period="last_7_days", record=record, open=opened)
    if view == "threads":
        page.locator(".expand").first.click()
    for twin in page.locator(".twin summary").all()[:2]:
        twin.click()


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("view", VIEWS)
def test_axe_finds_nothing(browser: Browser, demo: Home, axe: str, record: str, view: str, width: int) -> None:
    looks = [(lang, theme) for lang in ("en", "de", "ar") for theme in ("light", "dark")]
    with visitor(browser, viewport={"width": width, "height": 900}, reduced_motion="reduce") as (page, wrong):
        whole(page, demo, view, record)
        page.evaluate(axe)
        found = {}
        for lang, theme in looks if width > 390 else looks[::5]:
            page.select_option("#lang", lang)
            page.select_option("#theme", theme)
            found[lang, theme] = page.evaluate(FINDINGS)
        assert {look: findings for look, findings in found.items() if findings} == {}
        assert wrong == []


FOCUS = """() => {
  const one = document.activeElement, style = getComputedStyle(one), box = one.getBoundingClientRect();
  const ring = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 1 || style.boxShadow !== 'none';
  return {tag: one.localName, name: one.outerHTML.slice(0, 120), ring, shown: box.width > 0 && box.height > 0};
}"""
REACHABLE = """() => [...document.querySelectorAll(':is(a[href], button, select, input, summary, [tabindex="0"])')]
  .filter(one => one.tabIndex >= 0 && !one.disabled && one.checkVisibility()).length"""


@pytest.mark.parametrize("view", VIEWS)
def test_tab_reaches_everything_and_the_focus_is_always_seen(page: Page, demo: Home, record: str, view: str) -> None:
    go(page, demo.url, view=view, period="last_7_days", record=record)
    count, stops = page.evaluate(REACHABLE), []
    for _ in range(count + 5):
        page.keyboard.press("Tab")
        stop = page.evaluate(FOCUS)
        if stop["tag"] == "body":
            break
        stops.append(stop)
    assert [one["name"] for one in stops if not (one["ring"] and one["shown"])] == []
    assert len(stops) >= count


def test_the_keys_lead_through_every_view(page: Page, demo: Home) -> None:
    go(page, demo.url)
    for key, view in (("2", "insights"), ("3", "calls"), ("4", "threads"), ("5", "diagnostics"), ("1", "overview")):
        page.keyboard.press(key)
        assert params(page)["view"] == view
        assert page.evaluate("document.activeElement.id || document.activeElement.localName") == "main"
    page.keyboard.press("?")
    expect(page.locator("#help")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#help")).to_be_hidden()
    page.keyboard.press("t")
    assert page.locator("html").get_attribute("data-theme") == "light"
    page.keyboard.press("/")
    page.keyboard.type("ledger 1?t/")
    assert params(page)["q"] == "ledger 1?t/"
    assert params(page)["view"] == "calls"


def test_a_call_is_found_sorted_and_opened_by_keyboard_alone(page: Page, demo: Home) -> None:
    go(page, demo.url, view="calls", period="last_30_days")
    page.locator("#sort-cost").focus()
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "sort-cost"
    page.locator("#calls").focus()
    for key in ("ArrowDown", "ArrowDown", "PageDown", "ArrowUp", "End", "Home", "ArrowDown"):
        page.keyboard.press(key)
    active = page.get_attribute("#calls", "aria-activedescendant")
    assert page.locator(f"#{active}").get_attribute("aria-rowindex") == "3"
    chosen = params(page)["sel"]
    page.keyboard.press("Enter")
    assert (params(page)["view"], params(page)["record"]) == ("call", chosen)
    assert page.evaluate("document.activeElement.id") == "main"


def test_a_thread_unfolds_and_a_chart_is_read_by_keyboard_alone(page: Page, demo: Home) -> None:
    go(page, demo.url, view="threads", period="last_30_days")
    page.locator(".expand").first.focus()
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.getAttribute('aria-expanded')") == "true"
    chart = page.locator("tr.detail [role=slider]").first
    chart.focus()
    said = set()
    for _ in range(3):
        page.keyboard.press("ArrowLeft")
        said.add(chart.get_attribute("aria-valuetext"))
    assert len(said) == 3
    expect(page.locator(".tip")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(".tip")).to_be_hidden()


def test_a_span_of_days_is_chosen_with_shift_and_the_arrows(page: Page, demo: Home) -> None:
    go(page, demo.url, period="last_30_days")
    page.locator("#over-time").focus()
    for key in ("ArrowLeft", "Shift+ArrowLeft", "Shift+ArrowLeft", "Enter"):
        page.keyboard.press(key)
    assert ".." in params(page)["period"]


def test_the_skip_link_leads_past_the_header(page: Page, demo: Home) -> None:
    go(page, demo.url)
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_in_viewport()
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
