"""The documentation builds: each page renders as it was meant, and what it points to is there.

The pages are read where they lie, in the repository, so rendering them is all the building there is.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections import Counter
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).resolve().parents[2]
TOP = [
    ROOT / f"{name}.md" for name in ("README", "SECURITY", "CONTRIBUTING", "CHANGELOG", "SKILL", "benchmarks/README")
]
PAGES = TOP + [page for folder in ("docs", "skill") for page in sorted((ROOT / folder).rglob("*.md"))]
READERS = {"json": json.loads, "toml": tomllib.loads}
LANGUAGES = {"console", "sh", "text", "json", "toml", "sql", "yaml", "python", "powershell", "ini"}

every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


@cache
def source(page: Path) -> str:
    """A page's text without what stands before the first heading of a skill, which is not shown."""
    return re.sub(r"\A---\n.*?\n---\n", "", page.read_text(encoding="utf-8"), flags=re.S)


@cache
def tokens(page: Path) -> list[Token]:
    """A page's blocks, as they are rendered."""
    return MarkdownIt("commonmark").enable("table").parse(source(page))


def inline(page: Path) -> Iterator[Token]:
    """What stands within lines: texts, links, images."""
    for token in tokens(page):
        yield from token.children or ()


@cache
def anchors(page: Path) -> set[str]:
    """The fragments that a page's headings can be reached by; the second of the same name ends in -1."""
    found, seen = set(), Counter[str]()
    for before, token in pairwise(tokens(page)):
        if before.type == "heading_open":
            shown = "".join(part.content for part in token.children or ())
            name = re.sub(r"[^\w -]", "", shown.lower()).replace(" ", "-")
            found.add(f"{name}-{seen[name]}" if seen[name] else name)
            seen[name] += 1
    return found


@every_page
def test_links_lead_somewhere(page: Path) -> None:
    """To a file of the repository, and to a heading of it where the link names one; abroad only over https."""
    places = [str(token.attrs.get("href") or token.attrs["src"]) for token in inline(page) if token.attrs]
    for place in places:
        if re.match(r"[a-z]+:", place):
            assert re.fullmatch(r"https://[\w-]+(\.[\w-]+)+(/\S*)?|mailto:\S+@\S+", place), place
            continue
        path, _, fragment = place.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), f"{place} leads nowhere"
        assert file.is_relative_to(ROOT)
        assert not fragment or fragment in anchors(file), f"{place} names no heading"


@every_page
def test_a_page_has_one_title_and_no_heading_skips_a_level(page: Path) -> None:
    """So that its outline is a tree."""
    levels = [int(token.tag[1]) for token in tokens(page) if token.type == "heading_open"]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(next_one <= one + 1 for one, next_one in pairwise(levels))


@every_page
def test_every_row_of_a_table_has_the_cells_of_its_header(page: Path) -> None:
    """A bar too many is a cell that no reader sees."""
    lines = source(page).splitlines()
    for token in tokens(page):
        if token.type == "table_open" and token.map:
            bars = {row: len(re.findall(r"(?<!\\)\|", row)) for row in lines[slice(*token.map)]}
            wanted = next(iter(bars.values()))
            assert [row for row, count in bars.items() if count != wanted] == []


@every_page
def test_a_block_of_code_is_closed_names_its_language_and_is_well_formed(page: Path) -> None:
    """A fence that is never closed swallows the rest of its page."""
    lines = source(page).splitlines()
    for token in tokens(page):
        if token.type == "fence" and token.map:
            assert lines[token.map[1] - 1].strip() == token.markup
            language = token.info.partition(" ")[0]
            assert language in LANGUAGES, token.content
            READERS.get(language, str)(token.content)


@every_page
def test_a_picture_says_what_it_shows_and_nothing_is_raw_html(page: Path) -> None:
    """For readers without eyes, and for renderers that allow none."""
    assert [token.attrs["src"] for token in inline(page) if token.type == "image" and not token.content.strip()] == []
    raw = [token.content for token in [*tokens(page), *inline(page)] if token.type.startswith("html")]
    assert [text for text in raw if not re.fullmatch(r"<!-- .+? -->\s*", text)] == []


def test_every_page_can_be_reached_from_the_index() -> None:
    """docs/index.md links to every other page of the documentation."""
    index = ROOT / "docs/index.md"
    linked = {(index.parent / str(token.attrs["href"])).resolve() for token in inline(index) if "href" in token.attrs}
    pages = {page for page in (ROOT / "docs").rglob("*.md") if page != index}
    assert sorted(pages - linked) == []
