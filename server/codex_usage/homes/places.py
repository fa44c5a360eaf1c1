"""Finds the homes to read and our own folder: flags and environment in, paths out."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Places:
    """The homes whose logs count, and the index that holds them. Homes may not exist."""

    codex: tuple[Path, ...]
    claude: tuple[Path, ...]
    data: Path
    index: Path

    @property
    def homes(self) -> tuple[Path, ...]:
        """All homes, Codex first."""
        return self.codex + self.claude

    @property
    def found(self) -> tuple[Path, ...]:
        """The homes that exist."""
        return tuple(home for home in self.homes if home.is_dir())


def usage_home(env: Mapping[str, str] | None = None) -> Path:
    """Our own data and config folder: CODEX_USAGE_HOME, or ~/.codex-usage."""
    env = os.environ if env is None else env
    return Path(env.get("CODEX_USAGE_HOME") or "~/.codex-usage").expanduser()


def find_places(
    codex_homes: Sequence[str] = (),
    claude_homes: Sequence[str] = (),
    index: str | None = None,
    env: Mapping[str, str] | None = None,
) -> Places:
    """Flags win over environment, environment over the defaults (~/.codex; ~/.claude and ~/.config/claude).

    Each set of homes has an index of its own, so that an answer never mixes homes it was not asked about.
    CODEX_HOME and CLAUDE_CONFIG_DIR may name several folders, separated as in PATH.
    """
    env = os.environ if env is None else env
    codex = _folders(codex_homes, env.get("CODEX_HOME"), ("~/.codex",))
    claude = _folders(claude_homes, env.get("CLAUDE_CONFIG_DIR"), ("~/.claude", "~/.config/claude"))
    data = usage_home(env)
    if index:
        return Places(codex, claude, data, Path(index).expanduser())
    mark = hashlib.blake2b("\0".join(map(str, codex + claude)).encode("utf-8", "surrogateescape"), digest_size=4)
    return Places(codex, claude, data, data / f"index-{mark.hexdigest()}.sqlite")


def _folders(flags: Sequence[str], variable: str | None, defaults: Sequence[str]) -> tuple[Path, ...]:
    names = list(flags) or [part for part in (variable or "").split(os.pathsep) if part] or list(defaults)
    # absolute, but links are kept: the user's own name for a folder is the one to show
    return tuple(dict.fromkeys(Path(name).expanduser().absolute() for name in names))
