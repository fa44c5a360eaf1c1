"""The git repository that a folder is in, from a few small files: a folder in, its main folder and remote out.

Git is never run, so nothing that a repository sets (hooks, filters, a pager) can act. Links are not followed.
"""

from __future__ import annotations

import os
import re
import stat
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from codex_usage.homes.projects import hashed_remote, plain_folder

_MOST_BYTES = 1 << 18
_MOST_FOLDERS = 40


class Repository(NamedTuple):
    """`root` is the main folder, the same for every worktree; `remote` is its hashed origin, None without one."""

    root: str
    remote: str | None


def repository_of(folder: str) -> Repository | None:
    """The repository of a folder on this machine; None when there is none or the folder is gone. Never raises."""
    here = Path(os.path.normpath(plain_folder(folder)))
    with suppress(OSError, ValueError):  # ValueError: a NUL in the name
        if _is_local(here) and here.is_dir():
            for top in (here, *here.parents)[:_MOST_FOLDERS]:
                if found := _repository(top):
                    return found
    return None


def _is_local(path: Path) -> bool:
    """False for a relative path, and for one that names another machine: to look there would use the network."""
    return path.is_absolute() and not str(path).startswith(("//", "\\\\"))


def _repository(top: Path) -> Repository | None:
    """The repository whose .git lies in `top`: a folder, or the file of a worktree or submodule. Raises OSError."""
    place, root = top / ".git", top
    try:
        mode = place.lstat().st_mode
    except FileNotFoundError:
        return None
    if stat.S_ISREG(mode):
        named = (_text(place) or "").partition("gitdir:")[2].strip()
        place = Path(os.path.normpath(top / named))
        if not named or not _is_local(place):
            return None
        if common := (_text(place / "commondir") or "").strip():
            place = Path(os.path.normpath(place / common))
            root = place.parent if place.name.startswith(".") else place  # a bare repository is its own root
    elif not stat.S_ISDIR(mode):
        return None
    config = _text(place / "config") if _is_local(place) else None
    return None if config is None else Repository(str(root), hashed_remote(_origin(config)))


def _text(path: Path) -> str | None:
    """The beginning of a regular file; None for anything else."""
    try:
        if not stat.S_ISREG(path.lstat().st_mode):
            return None
        with path.open("rb") as file:
            return file.read(_MOST_BYTES).decode("utf-8", "replace")
    except OSError:
        return None


def _origin(config: str) -> str | None:
    """The first url of the remote "origin" in a git config. Its includes are not followed."""
    inside = False
    for line in config.splitlines():
        text = line.strip()
        if text.startswith("["):
            head, _, text = text.partition("]")
            inside = re.fullmatch(r'\[\s*(?i:remote)\s+"origin"\s*', head) is not None
        if inside and (found := re.match(r'\s*(?i:url)\s*=\s*"?([^"#;]*)', text)):
            return found[1].strip()
    return None
