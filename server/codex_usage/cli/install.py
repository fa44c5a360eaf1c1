"""Setup and its undoing: Codex's home and a skills folder in, what was done as `Step`s out.

Two things are put: the skill's files in a folder marked as ours, and one table in Codex's config.toml (see
`codex_config`), of which a copy is kept first. A skill or table of the same name that is not ours is refused.
"""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from codex_usage import __version__
from codex_usage.cli.codex_config import NAME, entry_of, is_ours, read_text, with_server, without_server, write_text
from codex_usage.homes import find_places, usage_home
from codex_usage.model import BadInput

MARKER = ".codex-usage"
BACKUP = "config.toml.codex-usage-backup"
_SKILL_PARTS = ("SKILL.md", "agents", "skill")


@dataclass(frozen=True)
class Step:
    """One thing that setup did, or found done (not `changed`), and the file or folder it is about."""

    what: str
    path: Path | None
    changed: bool


# -- what to install ---------------------------------------------------------------------------------------


def default_skills_home() -> Path:
    """The folder of the user's skills that Codex reads whatever its home is."""
    return Path("~/.agents/skills").expanduser()


def server_command() -> Path:
    """Where this installation's `codex-usage-mcp` script stands; it may be missing (see doctor)."""
    name = "codex-usage-mcp.exe" if os.name == "nt" else "codex-usage-mcp"
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
    digest = blake2b(digest_size=16)
    for file in _skill_files(folder):
        data = file.read_bytes()
        digest.update(f"{file.relative_to(folder).as_posix()}\0{len(data)}\0".encode())
        digest.update(data)
    return digest.hexdigest()


def skill_is_current(source: Path, target: Path) -> bool:
    """Is the installed copy of this version, with these contents? Raises OSError."""
    version = (target / MARKER).read_text(encoding="utf-8").strip()
    return version == __version__ and skill_hash(target) == skill_hash(source)


def _skill_files(folder: Path) -> list[Path]:
    inside = [path for name in _SKILL_PARTS[1:] for path in sorted((folder / name).rglob("*")) if path.is_file()]
    hidden = (".", "__")
    shown = [path for path in inside if not any(part.startswith(hidden) for part in path.relative_to(folder).parts)]
    return [folder / "SKILL.md", *shown]


# -- install and uninstall ---------------------------------------------------------------------------------


def install(
    codex_home: Path, *, skills_home: Path, server_command: Path, source: Path, env: Mapping[str, str]
) -> list[Step]:
    """Put the skill and the server where Codex finds them; run again, it says "already". Raises BadInput before
    anything is written when config.toml cannot be read or the skill's place is taken."""
    if not server_command.is_file():
        raise BadInput(f"{server_command} does not exist; reinstall codex-usage-mcp, then run setup again.")
    config = codex_home / "config.toml"
    before = read_text(config)
    after = with_server(before or "", str(server_command))
    target = skills_home / NAME
    if target.is_symlink():
        if target.resolve() != source.resolve():
            raise BadInput(f"{target} is a link to something else; remove it, then run setup again.")
    elif target.exists() and not (target / MARKER).is_file():
        raise BadInput(f"{target} was not put there by codex-usage; move it away, then run setup again.")
    with _told(target):
        steps = [_put_skill(source, target)]
    with _told(config):
        steps += _put_config(config, before, after)
    if codex_home.absolute() not in find_places(env=env).codex:
        steps += [Step(f"Codex uses this home when it is started with CODEX_HOME={codex_home}.", codex_home, False)]
    return steps


def uninstall(codex_home: Path, *, skills_home: Path, env: Mapping[str, str] | None = None) -> list[Step]:
    """Take away exactly what `install` put; the index and the settings stay. Raises BadInput before anything is
    changed when config.toml cannot be read or edited safely."""
    config = codex_home / "config.toml"
    before = read_text(config)
    after = None if before is None else _restored(config, before)
    with _told(config):
        steps = _take_config(config, before, after)
    with _told(skills_home / NAME):
        steps += [_take_skill(skills_home / NAME)]
    data = usage_home(env)
    if data.exists():
        steps += [Step(f"Kept the index and your settings in {data}; delete that folder to forget them.", data, False)]
    return steps


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        where = error.filename or path
        raise BadInput(f"Cannot change {where} ({error.strerror}); mend its rights and try again.") from error


# -- the skill ---------------------------------------------------------------------------------------------


def _put_skill(source: Path, target: Path) -> Step:
    if target.is_symlink():
        return Step(f"The skill is already there, as a link to {source}.", target, False)
    renewed = (target / MARKER).is_file()
    if renewed and skill_is_current(source, target):
        return Step(f"The skill is already in {target}.", target, False)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".codex-usage-", dir=target.parent, ignore_cleanup_errors=True) as aside:
        new, old = Path(aside, "new"), Path(aside, "old")
        for file in _skill_files(source):
            copy = new / file.relative_to(source)
            copy.parent.mkdir(parents=True, exist_ok=True)
            # contents only: a source that may not be written (a system package) must not make such a copy
            shutil.copyfile(file, copy)
        (new / MARKER).write_text(f"{__version__}\n", encoding="utf-8")
        if renewed:
            target.rename(old)
        try:
            new.rename(target)
        except OSError:
            if renewed:
                old.rename(target)
            raise
    return Step(f"{'Renewed' if renewed else 'Put'} the skill in {target}.", target, True)


def _take_skill(target: Path) -> Step:
    if target.is_symlink():
        return Step(f"Left the link {target}, which setup does not make.", target, False)
    if not (target / MARKER).is_file():
        word = "holds a skill that setup did not put there" if target.exists() else "does not exist"
        return Step(f"Nothing to remove: {target} {word}.", target, False)
    for part in (target / name for name in (*_SKILL_PARTS, MARKER)):
        if part.is_dir():
            shutil.rmtree(part)
        else:
            part.unlink(missing_ok=True)
    with suppress(OSError):  # files of the user's own stay
        target.rmdir()
    return Step(f"Removed the skill from {target}.", target, True)


# -- config.toml -------------------------------------------------------------------------------------------


def _put_config(config: Path, before: str | None, after: str) -> list[Step]:
    if after == before:
        return [Step(f"The MCP server is already in {config}.", config, False)]
    steps = []
    backup = config.with_name(BACKUP)
    added = entry_of(before or "") is None
    if before is not None and (added or not backup.exists()):
        write_text(backup, before, like=config)
        steps.append(Step(f"Kept a copy of config.toml as {backup.name}.", backup, True))
    write_text(config, after, like=config)
    return [*steps, Step(f"{'Added' if added else 'Updated'} the MCP server in {config}.", config, True)]


def _take_config(config: Path, before: str | None, after: str | None) -> list[Step]:
    if before is None or after is None or after == before:
        absent = before is None or entry_of(before) is None
        word = "does not name the MCP server" if absent else "starts another program as codex-usage; it stays"
        return [Step(f"Nothing to remove: {config} {word}.", config, False)]
    backup = config.with_name(BACKUP)
    kept = read_text(backup)
    if kept is None and not after and not config.is_symlink():
        config.unlink()  # there was none before setup
        return [Step(f"Removed {config}, which held nothing but the MCP server.", config, True)]
    write_text(config, after, like=config)
    steps = [Step(f"Removed the MCP server from {config}.", config, True)]
    if kept == after:
        backup.unlink()
        steps.append(Step(f"Removed {backup.name}, which config.toml now equals.", backup, True))
    elif kept is not None:
        steps.append(Step(f"Left {backup}, the file as it was before setup.", backup, False))
    return steps


def _restored(config: Path, text: str) -> str:
    """The text without our table: the copy kept by setup, where setup alone has changed the file since."""
    entry = entry_of(text) or {}
    kept = read_text(config.with_name(BACKUP))
    if kept is not None and is_ours(entry):
        with suppress(BadInput):
            if entry_of(kept) is None and with_server(kept, entry["command"]) == text:
                return kept
    return without_server(text)
