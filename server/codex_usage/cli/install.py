"""Setup and its undoing: Codex's home and a skills folder in, what was done as `Step`s out.

Two things are put: the skill's files in a folder marked as ours, and one table in Codex's config.toml (see
`codex_config`), of which a copy is kept first. A skill or table of the same name that is not ours is refused.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import sysconfig
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

from codex_usage import __version__
from codex_usage.cli import codex_config
from codex_usage.cli.codex_config import NAME, entry_of, read_text, with_server, without_server, write_text
from codex_usage.homes import find_places, usage_home
from codex_usage.homes.platform import program
from codex_usage.model import BadInput

MARKER = ".codex-usage"
BACKUP = "config.toml.codex-usage-backup"
_SKILL_PARTS = ("SKILL.md", "agents", "skill")


class Step(NamedTuple):
    """One thing that setup did, or found done (not `changed`)."""

    what: str
    changed: bool = False


def default_skills_home() -> Path:
    """The folder of the user's skills that Codex reads whatever its home is."""
    return Path("~/.agents/skills").expanduser()


def server_command() -> Path:
    """Where this installation's `codex-usage-mcp` script stands; it may be missing (see doctor)."""
    name = program("codex-usage-mcp")
    # not resolved: in a virtual environment python is a link that leads out of it
    beside = Path(sys.executable).absolute().with_name(name)
    return beside if beside.exists() else Path(sysconfig.get_path("scripts"), name)


def skill_source() -> Path:
    """The folder of the skill: inside an installed wheel, or the root of a checkout. Raises BadInput."""
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "_skill", package.parents[1]):
        if (folder / "SKILL.md").is_file():
            return folder
    raise BadInput("The skill's files are missing from this installation; reinstall codex-usage-mcp.")


def skill_hash(folder: Path) -> str:
    """A hash of the skill's files and their names, wherever they stand. Raises OSError."""
    files = [(file.relative_to(folder).as_posix(), file.read_bytes()) for file in _skill_files(folder)]
    return blake2b(repr(files).encode(), digest_size=16).hexdigest()


def _skill_files(folder: Path) -> list[Path]:
    inside = [path for name in _SKILL_PARTS[1:] for path in sorted((folder / name).rglob("*"))]
    shown = [path for path in inside if not re.search(r"(^|[\\/])(\.|__)", str(path.relative_to(folder)))]
    return [path for path in (folder / "SKILL.md", *shown) if path.is_file()]


def install(
    codex_home: Path, *, skills_home: Path, server_command: Path, source: Path, env: Mapping[str, str],
    telemetry: bool = False,
) -> list[Step]:  # fmt: skip
    """Put the skill and the server where Codex finds them, and have it send its telemetry here if that is wanted; run
    again, it says "already". Raises BadInput before anything is written when config.toml cannot be read or says
    otherwise, or the skill's place is taken."""
    if not server_command.is_file():
        raise BadInput(f"{server_command} does not exist; reinstall codex-usage-mcp, then run setup again.")
    config, target = codex_home / "config.toml", skills_home / NAME
    before = read_text(config)
    after = with_server(before or "", str(server_command))
    sent = codex_config.with_telemetry(after) if telemetry else after
    ours = target.resolve() == source.resolve() if target.is_symlink() else (target / MARKER).is_file()
    if not ours and os.path.lexists(target):
        raise BadInput(f"{target} is a link or a skill of somebody else; move it away, then run setup again.")
    with _told():
        steps = [_put_skill(source, target), _put_config(config, before, after, sent)]
    if telemetry:
        steps += [Step("Codex sends its telemetry to the dashboard's server, from its next session on.", sent != after)]
    if codex_home.absolute() not in find_places(env=env).codex:
        steps += [Step(f"Codex uses this home when it is started with CODEX_HOME={codex_home}.")]
    return steps


def uninstall(codex_home: Path, *, skills_home: Path, env: Mapping[str, str] | None = None) -> list[Step]:
    """Take away exactly what `install` put; the index and the settings stay. Raises BadInput before anything is
    changed when config.toml cannot be read or edited safely."""
    config, data = codex_home / "config.toml", usage_home(env)
    before = read_text(config)
    after = None if before is None else _restored(config, before)
    with _told():
        steps = [_take_config(config, before, after), _take_skill(skills_home / NAME)]
    if data.exists():
        steps += [Step(f"Kept the index and your settings in {data}; delete that folder to forget them.")]
    return steps


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise BadInput(f"Cannot change {error.filename} ({error.strerror}); mend its rights and try again.") from error


def _put_skill(source: Path, target: Path) -> Step:
    renewed = target.exists()
    if renewed and skill_hash(target) == skill_hash(source):
        return Step(f"The skill is already in {target}.")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".codex-usage-", dir=target.parent, ignore_cleanup_errors=True) as aside:
        new = Path(aside, "new")
        for file in _skill_files(source):
            copy = new / file.relative_to(source)
            copy.parent.mkdir(parents=True, exist_ok=True)
            # contents only: a source that may not be written (a system package) must not make such a copy
            shutil.copyfile(file, copy)
        (new / MARKER).write_text(f"{__version__}\n", "utf-8")
        if renewed:
            target.rename(Path(aside, "old"))
        new.rename(target)
    return Step(f"{'Renewed' if renewed else 'Put'} the skill in {target}.", True)


def _take_skill(target: Path) -> Step:
    if target.is_symlink() or not (target / MARKER).is_file():
        return Step(f"Nothing to remove: setup did not put a skill in {target}.")
    for part in (target / name for name in (*_SKILL_PARTS, MARKER)):
        shutil.rmtree(part) if part.is_dir() else part.unlink(missing_ok=True)
    with suppress(OSError):  # files of the user's own stay
        target.rmdir()
    return Step(f"Removed the skill from {target}.", True)


def _put_config(config: Path, before: str | None, after: str, sent: str) -> Step:
    if sent == before:
        return Step(f"The MCP server is already in {config}.")
    backup = config.with_name(BACKUP)
    added = entry_of(before or "") is None
    if before is not None and (added or not backup.exists()):
        write_text(backup, before, like=config)
    write_text(config, sent, like=config)
    if after == before:
        return Step(f"The MCP server is already in {config}.")
    kept = f"; {backup.name} is the file as it was" if before is not None else ""
    return Step(f"{'Added' if added else 'Updated'} the MCP server in {config}{kept}.", True)


def _take_config(config: Path, before: str | None, after: str | None) -> Step:
    if after is None or after == before:
        return Step(f"Nothing to remove: {config} does not start codex-usage.")
    backup = config.with_name(BACKUP)
    kept = read_text(backup)
    if kept is None and not after and not config.is_symlink():
        config.unlink()  # there was none before setup
        return Step(f"Removed {config}, which held nothing but the MCP server.", True)
    write_text(config, after, like=config)
    if kept == after:
        backup.unlink()
    left = f"; {backup} is the file as it was before setup" if kept not in (None, after) else ""
    return Step(f"Removed the MCP server from {config}{left}.", True)


def _restored(config: Path, text: str) -> str:
    """The text without what is ours: the copy kept by setup, where setup alone has changed the file since."""
    kept, less = read_text(config.with_name(BACKUP)), codex_config.without_telemetry
    with suppress(BadInput, KeyError):
        if kept is not None and entry_of(kept) is None and less(kept) == kept:
            put = with_server(kept, (entry_of(text) or {})["command"])
            if put == text or codex_config.with_telemetry(put) == text:
                return kept
    return without_server(less(text))
