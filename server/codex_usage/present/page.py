"""The page: one HTML file with its style, scripts, words and data inlined; nothing is loaded from anywhere.

The Content-Security-Policy allows the one style and the one script by their hashes and nothing else.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import os
import re
import struct
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from pydantic import BaseModel

from codex_usage import __version__
from codex_usage.answers import Context
from codex_usage.answers.board_results import CallColumns
from codex_usage.answers.diagnostics import SECTIONS
from codex_usage.answers.questions import Asked, ask
from codex_usage.answers.results import Answer, Coverage
from codex_usage.answers.thresholds import load_thresholds
from codex_usage.homes import usage_home
from codex_usage.homes.config import write_bytes
from codex_usage.model import BadInput
from codex_usage.model.privacy import Hint, Kind

#: What the file answers beside the figures of its own: a page without a server can't ask again.
_PERIODS = ("today", "yesterday", "last_7_days", "last_30_days", "this_week", "this_month", "this_year", "all")
_ROWS = {"telemetry": 300}  # decisions of 30 days; rows that aren't shown are counted
_PERIODIC, _ONCE = ("explain", "recommendations"), ("allowance", "pricing-coverage", "status")
FOLDER = Path(__file__).parent / "page"
SCRIPTS = ("core", "charts", "overview", "insights", "calls", "threads", "diagnostics", "call", "main")
LANGUAGES = ("en", "vi", "es", "fr", "de", "pt", "ja", "zh", "ko", "ru", "it", "ar")
#: How the page's script takes numbers of this many bits: the code of Python's struct, which core.js knows too.
_CODES = {"b": 8, "h": 16, "i": 32}  # what is larger: d
#: What a browser needs of neither: lines that are only comment, and indentation.
_SPARE = re.compile(r"(?m)^ *(?://.*|/\*\*(?:[^*]|\*(?!/))*\*/)\n|^ +")
Private = Callable[[Any], Any]


class Dashboard(Answer):
    """A page that was written: where, and how many of all calls it lists one by one."""

    path: Annotated[str, Kind.PATH]
    url: Annotated[str, Kind.PATH]
    calls: int
    total_calls: int
    bytes: int
    coverage: Coverage
    next: Hint = "codex-usage open-dashboard opens it"


def write_page(context: Context, path: Path, *, private: Private, limit: int = 20_000, lang: str = "en") -> Dashboard:
    """Write the page as one file with the newest `limit` calls (0: all); its sums hold the others too. Raises
    BadInput."""

    def told(name: str, values: dict[str, Any], **most: Any) -> Any:
        return private(ask(context, Asked(name, values, **most)))

    with context.index.snapshot():
        board = told("board", {}, most=10**9)
        usage = told("usage", {"limit": limit or 10**9}, most=10**9)
        answers = {f"{name}?": _json(told(name, {})) for name in (*_PERIODIC, *_ONCE)}
        answers |= {f"{name}?period={period}": _json(told(name, {"period": period}))
                    for name in _PERIODIC for period in _PERIODS}  # fmt: skip
        asked = {"period": "last_30_days", "scan": False}
        sections = {name: _json(told("diagnostics", {**asked, "section": name, "limit": _ROWS.get(name)}))
                    for name in SECTIONS}  # fmt: skip
    columns, numbers = _columns(usage.calls)
    data = {"meta": meta(context, board, lang, live=False), "board": _json(board), "answers": _object(answers),
            "usage": usage.model_dump_json(exclude={"calls"}), "columns": json.dumps(columns),
            "diagnostics": _object(sections)}  # fmt: skip
    text = page(data, lang, numbers).encode()
    write_bytes(path, text)
    return Dashboard(path=str(path), url=path.absolute().as_uri(), calls=len(usage.calls.id), total_calls=usage.total,
                     bytes=len(text), coverage=context.coverage())  # fmt: skip


def language(name: str | None, env: Mapping[str, str] = os.environ) -> str:
    """The page's language: the one that was named, else CODEX_USAGE_LANG, else the locale's, else English."""
    asked = name or env.get("CODEX_USAGE_LANG")
    told = (asked or env.get("LC_ALL") or env.get("LANG") or "en").replace("_", "-").split("-")[0].lower()
    if asked and told not in LANGUAGES:
        raise BadInput(f"No language {asked!r}; there are {', '.join(LANGUAGES)}.")
    return told if told in LANGUAGES else "en"


def meta(context: Context, board: Any, lang: str, *, live: bool) -> str:
    """What the page says of itself, as JSON."""
    return json.dumps({"version": __version__, "generated_at": context.now.isoformat(timespec="seconds"), "live": live,
                       "demo": context.index.path.parent == usage_home() / "demo", "zone": context.zone_name,
                       "week_start": context.week_start, "privacy_mode": board.privacy_mode, "lang": lang,
                       "thresholds": load_thresholds()[0]._asdict()})  # fmt: skip


def _columns(calls: CallColumns) -> tuple[dict[str, Any], bytes]:
    """What tells a browser of calls (ids with spaces between, how many, the code of each column of numbers; upper case:
    -1 is none), and the columns' bytes, each from a multiple of eight on: they are read as they are, unlike JSON."""
    kinds, packed = {}, bytearray()
    for name, values in calls:
        if name == "id":
            continue
        numbers = [-1 if value is None else value for value in values]
        bits = max(max(numbers, default=0), -min(numbers, default=0)).bit_length() + 1
        code = next((code for code, most in _CODES.items() if bits <= most), "d")
        kinds[name] = code.upper() if None in values else code
        packed += struct.pack(f"<{len(numbers)}{code}", *numbers)
        packed += bytes(-len(packed) % 8)
    return {"ids": " ".join(calls.id), "count": len(calls.id), "kinds": kinds}, bytes(packed)


def _json(answer: BaseModel) -> str:
    return answer.model_dump_json()


def _object(members: Mapping[str, str]) -> str:
    return "{" + ",".join(f"{json.dumps(name)}:{value}" for name, value in members.items()) + "}"


def page(data: Mapping[str, str], lang: str = "en", numbers: bytes = b"") -> str:
    """The page with its data, JSON texts by name, and the numbers of its calls."""
    style, script = _assets()
    shown: dict[str, Any] = {"style": style, "script": script, "words": _words(), "data": _in_html(_object(data)),
                             "numbers": _packed(numbers)}  # fmt: skip
    shown_page: str = _template().render(
        **{name: Markup(value) for name, value in shown.items()},  # noqa: S704 (our own files, and JSON without "<")
        csp=policy(), lang=lang, dir="rtl" if lang == "ar" else "ltr",
    )  # fmt: skip
    return shown_page


@cache
def policy() -> str:
    """The page's Content-Security-Policy."""
    style, script = ("'sha256-" + _hash(text) + "'" for text in _assets())
    return (f"default-src 'none'; script-src {script}; style-src {style}; img-src data:; connect-src 'self';"
            " base-uri 'none'; form-action 'none'")  # fmt: skip


def _hash(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _in_html(text: str) -> str:
    """JSON that can stand in a script element: without an angle bracket it can neither end it nor open a comment."""
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


@cache
def _assets() -> tuple[str, str]:
    """Style and script."""
    style, script = ("\n".join((FOLDER / name).read_text(encoding="utf-8") for name in names)
                     for names in (("style.css", "style.views.css"), (f"{name}.js" for name in SCRIPTS)))  # fmt: skip
    return _SPARE.sub("", style), _SPARE.sub("", script)


@cache
def _words() -> str:
    """A line for each language, its name and its texts by key; compressed."""
    found: dict[str, dict[str, str]] = {}
    for path in sorted((FOLDER / "locales").glob("*.json")):
        found.setdefault(path.name.split(".")[0], {}).update(json.loads(path.read_bytes()))
    lines = (name + json.dumps(texts, ensure_ascii=False, separators=(",", ":")) for name, texts in found.items())
    return _packed("\n".join(lines).encode())


def _packed(data: bytes) -> str:
    return base64.b64encode(gzip.compress(data, 6, mtime=0)).decode()


@cache
def _template() -> Any:
    return Environment(loader=FileSystemLoader(FOLDER), autoescape=True, undefined=StrictUndefined).get_template(
        "template.html"
    )
