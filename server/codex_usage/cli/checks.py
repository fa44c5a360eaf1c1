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
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from codex_usage.cli.codex_config import ENV_VARS, NAME, is_ours, read_config
from codex_usage.cli.install import skill_hash, skill_source
from codex_usage.cli.probe import CODEX_WAITS, ask_server
from codex_usage.homes import Places, list_logs
from codex_usage.model import BadInput, UsageError

_SETUP = "Run codex-usage setup."


@dataclass(frozen=True)
class Check:
    """One finding: `ok` is None where it does not apply, and only where it is False is there a `remedy`."""

    name: str
    ok: bool | None
    detail: str
    remedy: str | None = None


@dataclass(frozen=True)
class _Codex:
    """What a Codex home says of us; `entry` is our table in its config.toml."""

    home: Path
    config: Mapping[str, Any]
    trouble: str | None

    @property
    def servers(self) -> dict[str, Any]:
        return {name: entry for name, entry in _table(self.config, "mcp_servers").items() if isinstance(entry, dict)}

    @property
    def entry(self) -> dict[str, Any]:
        return self.servers.get(NAME) or {}

    @property
    def plugin(self) -> str | None:
        """The name of an installed plugin of ours, as `codex plugin` writes it."""
        for name, entry in _table(self.config, "plugins").items():
            if name.startswith(f"{NAME}@") and not (isinstance(entry, dict) and entry.get("enabled") is False):
                return str(name)
        return None


def examine(places: Places, codex_home: Path, *, skills_home: Path, server_command: Path, version: str) -> list[Check]:
    """Everything that can keep Codex from answering, in the order in which it is mended."""
    codex = _read(codex_home)
    looks: list[tuple[str, Callable[[], Iterable[Check]]]] = [
        ("Python", lambda: [_python(version)]),
        ("Homes", lambda: _homes(places)),
        ("Data folder", lambda: [_data(places.data)]),
        ("Index", lambda: [_index(places.index)]),
        ("Skill", lambda: [_skill(skills_home / NAME, codex.plugin)]),
        ("Configuration", lambda: [_configuration(codex)]),
        ("Command", lambda: [_command(codex.entry, server_command)]),
        ("Environment", lambda: [_environment(codex.entry)]),
        ("Server", lambda: [_server(codex, server_command)]),
        ("Other copies", lambda: [_others(codex), _plugin(codex)]),
        ("Telemetry", lambda: [_telemetry(codex.config)]),
    ]
    return [check for name, look in looks for check in _guarded(name, look)]


def _guarded(name: str, look: Callable[[], Iterable[Check]]) -> list[Check]:
    try:
        return [check if check.ok is False else replace(check, remedy=None) for check in look()]
    except UsageError as error:
        return [Check(name, False, str(error))]
    except Exception as error:  # a doctor that breaks down is of no help
        return [Check(name, False, f"Could not be checked ({type(error).__name__}: {error}).")]


def _read(codex_home: Path) -> _Codex:
    try:
        return _Codex(codex_home, read_config(codex_home), None)
    except BadInput as error:
        return _Codex(codex_home, {}, str(error))


def _table(values: Mapping[str, Any], name: str) -> dict[str, Any]:
    found = values.get(name)
    return found if isinstance(found, dict) else {}


# -- this machine ------------------------------------------------------------------------------------------


def _python(version: str) -> Check:
    detail = f"codex-usage {version} on Python {platform.python_version()}."
    return Check("Python", sys.version_info >= (3, 11), detail, "Install Python 3.11 or newer.")


def _homes(places: Places) -> Iterable[Check]:
    for home in places.codex:
        yield _home("Codex home", home, (home,), (), bool(places.found))
    for home in places.claude:
        yield _home("Claude home", home, (), (home,), True)


def _home(name: str, home: Path, codex: tuple[Path, ...], claude: tuple[Path, ...], optional: bool) -> Check:
    if not home.is_dir():
        remedy = "Run Codex once, or name its folder with --codex-home."
        return Check(name, None if optional else False, f"{home} does not exist.", remedy)
    listing = list_logs(codex, claude)
    if listing.problems:
        return Check(name, False, f"{listing.problems[0]}.", f"Mend the rights of {home}.")
    return Check(name, True, f"{home} has {len(listing.files):,} logs.")


def _data(folder: Path) -> Check:
    name = "Data folder"
    if not folder.exists():
        return Check(name, None, f"{folder} will be made by the first refresh.")
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        remedy = "Mend its rights, or set CODEX_USAGE_HOME to a folder of your own."
        return Check(name, False, f"{folder} cannot be written ({error.strerror}).", remedy)
    if os.name == "posix" and folder.stat().st_mode & 0o022:
        return Check(name, False, f"Others may write to {folder}.", f"chmod 700 '{folder}'")
    return Check(name, True, f"{folder} can be written, and only by you.")


def _index(path: Path) -> Check:
    from codex_usage.index import open_index

    if not path.exists():
        return Check("Index", None, f"{path} will be made by the first refresh.")
    open_index(path).close()
    size = sum(file.stat().st_size for file in (path, path.with_name(f"{path.name}-wal")) if file.exists())
    return Check("Index", True, f"{path} opens and takes {size / 1e6:,.1f} MB.")


# -- Codex -------------------------------------------------------------------------------------------------


def _skill(target: Path, plugin: str | None) -> Check:
    if not (target / "SKILL.md").is_file():
        detail = f"{target} is not installed."
        if plugin:
            return Check("Skill", None, f"{detail[:-1]}; the plugin {plugin} brings its own.")
        return Check("Skill", False, detail, _SETUP)
    if skill_hash(target) != skill_hash(skill_source()):
        return Check("Skill", False, f"{target} differs from this version's skill.", _SETUP)
    return Check("Skill", True, f"{target} is up to date.")


def _configuration(codex: _Codex) -> Check:
    name, path = "Configuration", codex.home / "config.toml"
    if codex.trouble:
        return Check(name, False, codex.trouble, "Correct it; Codex cannot read it either.")
    if not codex.entry:
        if codex.plugin:
            return Check(name, None, f"The plugin {codex.plugin} names the MCP server.")
        return Check(name, False, f"{path} does not name the MCP server.", _SETUP)
    if codex.entry.get("enabled") is False:
        remedy = "Remove enabled = false from [mcp_servers.codex-usage]."
        return Check(name, False, f"{path} has the MCP server switched off.", remedy)
    return Check(name, True, f"{path} names the MCP server.")


def _command(entry: Mapping[str, Any], expected: Path) -> Check:
    name, command = "Command", entry.get("command")
    if not isinstance(command, str):
        there = expected.is_file() and os.access(expected, os.X_OK)
        word = "is installed" if there else "is missing"
        return Check(name, None if there else False, f"{expected} {word}.", "Reinstall codex-usage-mcp.")
    found = shutil.which(command)
    if found is None:
        return Check(name, False, f"{command} does not exist, or may not be run.", _SETUP)
    if not is_ours(entry):
        return Check(name, False, f"{command} is not codex-usage-mcp.", _SETUP)
    if not expected.exists() or not Path(found).samefile(expected):
        return Check(name, False, f"{found} belongs to another installation than this one.", _SETUP)
    return Check(name, True, f"{found} is this installation's.")


def _environment(entry: Mapping[str, Any]) -> Check:
    name = "Environment"
    if not entry:
        return Check(name, None, "No server is configured.")
    given = entry.get("env_vars")
    names = [value.get("name") if isinstance(value, dict) else value for value in given or []]
    names += _table(entry, "env")
    wanted = ["CODEX_HOME", *(name for name in ENV_VARS if os.environ.get(name))]
    missing = [each for each in dict.fromkeys(wanted) if each not in names]
    if not missing:
        return Check(name, True, "Codex passes CODEX_HOME on to the server.")
    told = f"Codex does not pass {', '.join(missing)} on, so the server may answer otherwise than this shell."
    return Check(name, False, told, _SETUP)


def _server(codex: _Codex, expected: Path) -> Check:
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
        return Check("Server", False, f"{command[0]} {error}.", f"Run {command[0]} in a terminal to see why.")
    detail = f"Answers with {tools} tools after {seconds:.2f} s; Codex waits {CODEX_WAITS:.1f} s."
    if not tools:
        return Check("Server", False, "Answers, but offers no tools.", "Reinstall codex-usage-mcp.")
    remedy = "Codex may start a session without it: free the machine, or move the installation to a faster disk."
    return Check("Server", seconds <= CODEX_WAITS, detail, remedy)


def _others(codex: _Codex) -> Check:
    twins = [name for name, entry in codex.servers.items() if name != NAME and _mentions_us(entry)]
    if not twins:
        return Check("Other servers", True, "No other server starts codex-usage.")
    remedy = f"codex mcp remove {twins[0]}"
    return Check("Other servers", False, f"{', '.join(twins)} looks like a second codex-usage.", remedy)


def _mentions_us(entry: Mapping[str, Any]) -> bool:
    arguments = entry.get("args")
    words = [entry.get("command"), *(arguments if isinstance(arguments, list) else [])]
    names = [re.split(r"[\\/]", str(word))[-1].replace("_", "-") for word in words]
    return any(NAME in name for name in names)


def _plugin(codex: _Codex) -> Check:
    if codex.plugin is None:
        return Check("Plugin", None, "Not installed as a plugin.")
    if not codex.entry:
        return Check("Plugin", True, f"{codex.plugin} is installed.")
    detail = f"{codex.plugin} is installed besides the skill and server of setup."
    return Check("Plugin", False, detail, f"codex plugin remove {codex.plugin}, or codex-usage setup --uninstall.")


def _telemetry(config: Mapping[str, Any]) -> Check:
    sent = []
    for key, value in _table(config, "otel").items():
        if key in ("exporter", "trace_exporter", "metrics_exporter") and value != "none":
            # where to and with which headers is nobody's business here: they may hold a password
            kind = next(iter(value), "?") if isinstance(value, dict) else str(value)
            sent.append(f"{key} {kind}")
    word = f"Codex exports telemetry ({', '.join(sent)})" if sent else "config.toml turns on no telemetry of Codex"
    return Check("Telemetry", None, f"{word}; codex-usage never sends any.")
