"""Pictures of every view in both themes, for the documentation: the demo home in, docs/images/*.png out.

    python -m tests.browser.screenshots [FOLDER]

Colours are reduced to a palette where Pillow is installed, which halves the files.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from playwright.sync_api import sync_playwright

from codex_usage.cli.demo import write_demo_home
from tests.browser.visits import VIEWS, Home, go, visitor

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "images"
MOST_BYTES = 150_000


def main(folder: Path) -> None:
    """Write the pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as root, sync_playwright() as playwright:
        home = Home(Path(root))
        write_demo_home(home.codex, now=datetime.now(UTC))
        home.write_page()
        call = home.ask("calls", "--period", "last_30_days", "--limit", "1")["rows"][0]
        states = {view: {"period": "last_30_days"} for view in VIEWS}
        states["threads"]["open"] = call["thread_id"]
        states["call"]["record"] = call["call_id"]
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for theme in ("light", "dark"):
            with visitor(browser, color_scheme=theme, reduced_motion="reduce") as (page, wrong):
                for view, state in states.items():
                    path = folder / f"dashboard-{view}-{theme}.png"
                    go(page, home.url, view=view, **state).screenshot(path=path)
                    quantise(path)
                    print(f"{path.name}: {path.stat().st_size / 1000:.0f} KB")
                    assert path.stat().st_size <= MOST_BYTES, path
                assert wrong == []
        browser.close()


def quantise(path: Path) -> None:
    """Reduce a picture to 256 colours, where that can be done."""
    with suppress(ImportError):
        from PIL import Image

        with Image.open(path) as image:
            palette = image.convert("RGB").quantize(256, kmeans=1, dither=Image.Dither.NONE)
            palette.save(path, optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if sys.argv[1:] else FOLDER)
