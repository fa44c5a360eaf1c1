"""Finds the homes to read and our own folder: flags and environment in, paths out."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from codex_usage.homes.platform import windows_homes


@dataclass(frozen=True)
class Places:
    """The homes whose logs count, and the index that holds them. Homes may not exist. `labels` are the names that the
    user gave to homes."""

    codex: tuple[Path, ...]
    claude: tuple[Path, ...]
    data: Path
    index: Path
    labels: Mapping[Path, str] = field(default_factory=dict, hash=False)

    @property
    def homes(self) -> tuple[Path, ...]:
        """All homes, Codex first."""
        return self.codex + self.claude

    @property
    def found(self) -> tuple[Path, ...]:
        """The homes that exist."""
        return tuple(home for home in self.homes if home.is_dir())

    @property
    def imported(self) -> Path:
        """The folder of what was taken in from elsewhere, which counts beside the homes. It may not exist."""
        return self.index.with_name(f"{self.index.name}.imported")

    def label(self, home: Path) -> str:
        """What a home is called: as the user said, else by the name of its folder."""
        return self.labels.get(home) or home.name.lstrip(".") or str(home)


def usage_home(env: Mapping[str, str] | None = None) -> Path:
    """Our own data and config folder: CODEX_USAGE_HOME, or ~/.codex-usage."""
    env = os.environ if env is None else env
    return Path(env.get("CODEX_USAGE_HOME") or "~/.codex-usage").expanduser()


def labelled(home: str) -> tuple[str, str]:
    """(label, folder) of a home as the user names it, `LABEL=FOLDER` or `FOLDER`; the label may be empty."""
    label, _, folder = home.partition("=")
    if not folder or not re.fullmatch(r"[^\s/\\:~.][^/\\:]{0,59}", label) or Path(home).is_dir():
        return "", home
    return label, folder


def find_places(
    codex_homes: Sequence[str] = (),
    claude_homes: Sequence[str] = (),
    index: str | None = None,
    env: Mapping[str, str] | None = None,
    root: Path = Path("/"),
) -> Places:
    """Flags win over environment, environment over the defaults (~/.codex; ~/.claude and ~/.config/claude; inside WSL
    also those of the Windows users, below `root`).

    Each set of homes has an index of its own, so that an answer never mixes homes it was not asked about.
    CODEX_HOME and CLAUDE_CONFIG_DIR may name several folders, separated as in PATH. Any may have a label.
    """
    env = os.environ if env is None else env
    labels: dict[Path, str] = {}
    codex = _folders(codex_homes, env.get("CODEX_HOME"), ("~/.codex",), labels, root)
    claude = _folders(claude_homes, env.get("CLAUDE_CONFIG_DIR"), ("~/.claude", "~/.config/claude"), labels, root)
    data = usage_home(env)
    mark = hashlib.blake2b("\0".join(map(str, codex + claude)).encode("utf-8", "surrogateescape"), digest_size=4)
    file = Path(index).expanduser() if index else data / f"index-{mark.hexdigest()}.sqlite"
    return Places(codex, claude, data, file, labels)


def _folders(
    flags: Sequence[str], variable: str | None, defaults: tuple[str, ...], labels: dict[Path, str], root: Path
) -> tuple[Path, ...]:
    names = list(flags) or [part for part in (variable or "").split(os.pathsep) if part]
    if not names:
        names = [*defaults, *(f"windows={path}" for path in windows_homes(defaults[0].removeprefix("~/"), root))]
    homes = []
    for label, folder in map(labelled, names):
        # absolute, but links are kept: the user's own name for a folder is the one to show
        homes.append(Path(folder).expanduser().absolute())
        if label:
            labels[homes[-1]] = label
    return tuple(dict.fromkeys(homes))
