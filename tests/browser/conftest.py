"""A real browser, and pages in it that complain when a script fails or something is fetched.

The browser lives as long as a test module: Playwright keeps an event loop in the thread, which tests of other modules
must not meet. Homes and files are made once for a worker. Every wait is bounded.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from codex_usage.cli.demo import write_demo_home
from tests.browser.visits import Home, visitor

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The system's Chromium; `make chromium` installs it."""
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    assert path, "no chromium on the PATH; run make chromium"
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """An English page of 1280 x 900, which must stay without errors."""
    with visitor(browser) as (page, wrong):
        yield page
        assert wrong == []


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """The demo home, up to now, with its page as a file."""
    home = Home(tmp_path_factory.mktemp("demo"))
    write_demo_home(home.codex, now=datetime.now(UTC))
    home.write_page()
    return home
