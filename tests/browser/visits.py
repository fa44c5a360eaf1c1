"""What tests do with a page: homes with their commands, opening a view, reading figures.

home.run("summary", "--json")            the command line's answer
go(page, home.url, view="calls")         the page, drawn
figures(page, ".kpi")                    {"Cost": "$74.88", …}
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from playwright.sync_api import Browser, Locator, Page

COMMAND = Path(sys.executable).with_name("codex-usage")
SECONDS = 30.0
VIEWS = ("overview", "insights", "calls", "threads", "diagnostics", "call")


@dataclass(frozen=True)
class Home:
    """A Codex home below `root`, an index beside it, days of a zone, and its page as a file."""

    root: Path
    zone: str = "UTC"

    @property
    def codex(self) -> Path:
        """CODEX_HOME."""
        return self.root / "home"

    @property
    def file(self) -> Path:
        """The page."""
        return self.root / "page.html"

    @property
    def url(self) -> str:
        """The page's URL."""
        return self.file.as_uri()

    @property
    def env(self) -> dict[str, str]:
        """The environment of every command."""
        own = {"HOME": str(self.root), "CODEX_USAGE_HOME": str(self.root / "data"), "CODEX_USAGE_TZ": self.zone}
        return {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "CODEX_HOME": str(self.codex), **own}

    def run(self, *words: str) -> str:
        """What a command prints."""
        done = subprocess.run([COMMAND, *words], env=self.env, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def ask(self, *words: str) -> Any:
        """A command's answer as JSON, decoded."""
        return json.loads(self.run(*words, "--json"))

    def write_page(self, *words: str) -> None:
        """Write the page, with options of `dashboard`."""
        self.run("dashboard", "-o", str(self.file), *words)

    @contextmanager
    def serving(self, *words: str) -> Iterator[str]:
        """The live server's URL, with its token."""
        command = [COMMAND, "serve-dashboard", "--port", "0", *words]
        with subprocess.Popen(command, env=self.env | {"PYTHONUNBUFFERED": "1"}, stdout=subprocess.PIPE) as server:
            try:
                assert server.stdout
                found = re.search(rb"http://\S+", server.stdout.readline())
                assert found
                yield found[0].decode()
            finally:
                server.terminate()
                server.wait(SECONDS)


@contextmanager
def visitor(browser: Browser, **how: Any) -> Iterator[tuple[Page, list[str]]]:
    """A page in a profile of its own, and what went wrong in it. `how` goes to the browser's context."""
    usual = {"viewport": {"width": 1280, "height": 900}, "locale": "en-US", "timezone_id": "UTC"}
    context = browser.new_context(**{**usual, **how})
    context.set_default_timeout(SECONDS * 1000)
    page, wrong = context.new_page(), list[str]()
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda said: wrong.append(said.text) if said.type in ("error", "warning") else None)
    page.on("dialog", lambda dialog: (wrong.append(f"dialog: {dialog.message}"), dialog.dismiss()))
    try:
        yield page, wrong
    finally:
        context.close()


def go(page: Page, url: str, /, **state: str) -> Page:
    """Open the page with a state and wait until it is drawn."""
    url, _, fragment = url.partition("#")
    page.goto(f"{url}?{urlencode(state)}" + (f"#{fragment}" if fragment else ""))
    page.locator("html[data-shown]").wait_for(state="attached")
    return page


def figures(page: Page, of: str) -> dict[str, str]:
    """Terms and values of cards or lists of facts, in the order shown."""
    told = page.locator(f"{of}:has(> dt)").evaluate_all(
        "all => all.map(one => [one.querySelector('dt').textContent, one.querySelector('dd').textContent])"
    )
    return dict(told)


def cells(table: Locator) -> list[list[str]]:
    """The texts of a table's body, without rows that only take room."""
    found: list[list[str]] = table.locator("tbody tr:not([aria-hidden])").evaluate_all(
        "rows => rows.map(row => [...row.cells].map(cell => cell.textContent.trim()))"
    )
    return found


def number(text: str) -> float:
    """A figure as the page shows it in English: $1,234.50, 12.3K, 4M, 73.9%."""
    found = re.fullmatch(r"[≥ ]*(−|-)?\$?([\d,.]+)([KMB%])?", text.strip())
    assert found, text
    times = {"K": 1e3, "M": 1e6, "B": 1e9, "%": 0.01, None: 1.0}[found[3]]
    return float(found[2].replace(",", "")) * times * (-1 if found[1] else 1)


def params(page: Page) -> dict[str, str]:
    """The state in the URL."""
    found: dict[str, str] = page.evaluate("Object.fromEntries(new URLSearchParams(location.search))")
    return found
