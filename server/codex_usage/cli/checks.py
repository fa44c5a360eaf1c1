"""What `codex-usage doctor` looks at: places and Codex's home in, a `Check` for each thing that can fail out.

Nothing raises and nothing is printed. The server is started for a moment; no file is changed.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from codex_usage.cli.codex_config import ENV_VARS, NAME, env_names, is_ours, read_config
from codex_usage.cli.install import skill_hash, skill_source
from codex_usage.cli.probe import CODEX_WAITS, ask_server
from codex_usage.homes import Places, list_logs
from codex_usage.model import BadInput, UsageError

_SETUP = "Run codex-usage setup."


#: Whether all is well (None where it does not apply), what was found, and how it is mended.
_Found = tuple[bool | None, str, str]


@dataclass(frozen=True)
class Check:
    """One finding: `ok` is None where it does not apply, and only where it is False is there a `remedy`."""

    name: str
    ok: bool | None
    detail: str
    remedy: str | None = None


class _Codex:
    """What a Codex home says of us: its servers, our table among them, and an installed plugin of ours by its name."""

    def __init__(self, home: Path) -> None:
        self.home, self.trouble = home, ""
        self.config: Mapping[str, Any] = {}
        try:
            self.config = read_config(home)
        except BadInput as error:
            self.trouble = str(error)
        servers = _table(self.config, "mcp_servers").items()
        self.servers: dict[str, dict[str, Any]] = {name: each for name, each in servers if isinstance(each, dict)}
        self.entry = self.servers.get(NAME) or {}
        plugins = _table(self.config, "plugins").items()
        on = [name for name, each in plugins if not (isinstance(each, dict) and each.get("enabled") is False)]
        self.plugin = next((name for name in on if name.startswith(f"{NAME}@")), None)


def examine(places: Places, codex_home: Path, *, skills_home: Path, server_command: Path, version: str) -> list[Check]:
    """Everything that can keep Codex from answering, in the order in which it is mended."""
    codex = _Codex(codex_home)
    python = f"codex-usage {version} on Python {platform.python_version()}."
    looks: dict[str, Callable[[], _Found | list[Check]]] = {
        "Python": lambda: (sys.version_info >= (3, 11), python, "Install Python 3.11 or newer."),
        "Homes": lambda: [
            *(_check("Codex home", _home(home, True, bool(places.found))) for home in places.codex),
            *(_check("Claude home", _home(home, False, True)) for home in places.claude),
        ],
        "Data folder": lambda: _data(places.data),
        "Index": lambda: _index(places.index),
        "Skill": lambda: _skill(skills_home / NAME, codex.plugin),
        "Configuration": lambda: _configuration(codex),
        "Command": lambda: _command(codex.entry, server_command),
        "Environment": lambda: _environment(codex.entry),
        "Server": lambda: _server(codex, server_command),
        "Other servers": lambda: _others(codex),
        "Plugin": lambda: _plugin(codex),
        "Telemetry": lambda: _telemetry(codex.config),
    }
    return [check for name, look in looks.items() for check in _guarded(name, look)]


def _guarded(name: str, look: Callable[[], _Found | list[Check]]) -> list[Check]:
    try:
        found = look()
        return found if isinstance(found, list) else [_check(name, found)]
    except UsageError as error:
        return [Check(name, False, str(error))]
    except Exception as error:  # a doctor that breaks down is of no help
        return [Check(name, False, f"Could not be checked ({type(error).__name__}: {error}).")]


def _check(name: str, found: _Found) -> Check:
    ok, detail, remedy = found
    return Check(name, ok, detail, remedy if ok is False else None)


def _table(values: Mapping[str, Any], name: str) -> dict[str, Any]:
    found = values.get(name)
    return found if isinstance(found, dict) else {}


# -- this machine ------------------------------------------------------------------------------------------


def _home(home: Path, codex: bool, optional: bool) -> _Found:
    if not home.is_dir():
        remedy = "Run Codex once, or name its folder with --codex-home."
        return None if optional else False, f"{home} does not exist.", remedy
    listing = list_logs((home,) if codex else (), () if codex else (home,))
    if listing.problems:
        return False, f"{listing.problems[0]}.", f"Mend the rights of {home}."
    return True, f"{home} has {len(listing.files):,} logs.", ""


def _data(folder: Path) -> _Found:
    if not folder.exists():
        return None, f"{folder} will be made by the first refresh.", ""
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        remedy = "Mend its rights, or set CODEX_USAGE_HOME to a folder of your own."
        return False, f"{folder} cannot be written ({error.strerror}).", remedy
    if os.name == "posix" and folder.stat().st_mode & 0o022:
        return False, f"Others may write to {folder}.", f"chmod 700 '{folder}'"
    return True, f"{folder} can be written, and only by you.", ""


def _index(path: Path) -> _Found:
    from codex_usage.index import open_index

    if not path.exists():
        return None, f"{path} will be made by the first refresh.", ""
    open_index(path).close()
    size = sum(file.stat().st_size for file in (path, path.with_name(f"{path.name}-wal")) if file.exists())
    return True, f"{path} opens and takes {size / 1e6:,.1f} MB.", ""


# -- Codex -------------------------------------------------------------------------------------------------


def _skill(target: Path, plugin: str | None) -> _Found:
    if not (target / "SKILL.md").is_file():
        if plugin:
            return None, f"{target} is not installed; the plugin {plugin} brings its own.", ""
        return False, f"{target} is not installed.", _SETUP
    if skill_hash(target) != skill_hash(skill_source()):
        return False, f"{target} differs from this version's skill.", _SETUP
    return True, f"{target} is up to date.", ""


def _configuration(codex: _Codex) -> _Found:
    path = codex.home / "config.toml"
    if codex.trouble:
        return False, codex.trouble, "Correct it; Codex cannot read it either."
    if not codex.entry:
        if codex.plugin:
            return None, f"The plugin {codex.plugin} names the MCP server.", ""
        return False, f"{path} does not name the MCP server.", _SETUP
    if codex.entry.get("enabled") is False:
        off = f"{path} has the MCP server switched off."
        return False, off, "Remove enabled = false from [mcp_servers.codex-usage]."
    return True, f"{path} names the MCP server.", ""


def _command(entry: Mapping[str, Any], expected: Path) -> _Found:
    command = entry.get("command")
    if not isinstance(command, str):
        if expected.is_file() and os.access(expected, os.X_OK):
            return None, f"{expected} is installed.", ""
        return False, f"{expected} is missing.", "Reinstall codex-usage-mcp."
    found = shutil.which(command)
    if found is None:
        return False, f"{command} does not exist, or may not be run.", _SETUP
    if not is_ours(entry):
        return False, f"{command} is not codex-usage-mcp.", _SETUP
    if not expected.exists() or not Path(found).samefile(expected):
        return False, f"{found} belongs to another installation than this one.", _SETUP
    return True, f"{found} is this installation's.", ""


def _environment(entry: Mapping[str, Any]) -> _Found:
    if not entry:
        return None, "No server is configured.", ""
    passed = [*env_names(entry), *_table(entry, "env")]
    missing = [name for name in ENV_VARS if name not in passed and (name == "CODEX_HOME" or os.environ.get(name))]
    if not missing:
        return True, "Codex passes CODEX_HOME on to the server.", ""
    told = f"Codex does not pass {', '.join(missing)} on, so the server may answer otherwise than this shell."
    return False, told, _SETUP


def _server(codex: _Codex, expected: Path) -> _Found:
    command = [str(expected)]
    if is_ours(codex.entry):
        command = [str(word) for word in (codex.entry["command"], *(codex.entry.get("args") or []))]
    more = {str(key): str(value) for key, value in _table(codex.entry, "env").items()}
    environment = {**os.environ, "CODEX_HOME": str(codex.home), **more}
    try:
        seconds, tools = ask_server(command, environment)
        if seconds > CODEX_WAITS:  # the first start after an installation compiles
            seconds, tools = min((seconds, tools), ask_server(command, environment))
    except (OSError, EOFError, ValueError) as error:  # TimeoutError is an OSError
        return False, f"{command[0]} {error}.", f"Run {command[0]} in a terminal to see why."
    if not tools:
        return False, "Answers, but offers no tools.", "Reinstall codex-usage-mcp."
    detail = f"Answers with {tools} tools after {seconds:.2f} s; Codex waits {CODEX_WAITS:.1f} s."
    remedy = "Codex may start a session without it: free the machine, or move the installation to a faster disk."
    return seconds <= CODEX_WAITS, detail, remedy


def _others(codex: _Codex) -> _Found:
    twins = [name for name, entry in codex.servers.items() if name != NAME and _mentions_us(entry)]
    if not twins:
        return True, "No other server starts codex-usage.", ""
    return False, f"{', '.join(twins)} looks like a second codex-usage.", f"codex mcp remove {twins[0]}"


def _mentions_us(entry: Mapping[str, Any]) -> bool:
    arguments = entry.get("args")
    words = [entry.get("command"), *(arguments if isinstance(arguments, list) else [])]
    return any(NAME in re.split(r"[\\/]", str(word))[-1].replace("_", "-") for word in words)


def _plugin(codex: _Codex) -> _Found:
    if codex.plugin is None:
        return None, "Not installed as a plugin.", ""
    if not codex.entry:
        return True, f"{codex.plugin} is installed.", ""
    detail = f"{codex.plugin} is installed besides the skill and server of setup."
    return False, detail, f"codex plugin remove {codex.plugin}, or codex-usage setup --uninstall."


def _telemetry(config: Mapping[str, Any]) -> _Found:
    sent = []
    for key, value in _table(config, "otel").items():
        if key in ("exporter", "trace_exporter", "metrics_exporter") and value != "none":
            # where to and with which headers is nobody's business here: they may hold a password
            kind = next(iter(value), "?") if isinstance(value, dict) else str(value)
            sent.append(f"{key} {kind}")
    word = f"Codex exports telemetry ({', '.join(sent)})" if sent else "config.toml turns on no telemetry of Codex"
    return None, f"{word}; codex-usage never sends any.", ""
