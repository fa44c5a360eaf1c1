"""What `codex-usage doctor` looks at: places and Codex's home in, a `Check` for each thing that can fail out.

Nothing raises and nothing is printed. Codex and the server are started for a moment; no file is changed.
"""

from __future__ import annotations

import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from codex_usage.cli import codex_config
from codex_usage.cli.codex_config import NAME, missing_names, read_config, starts_us
from codex_usage.cli.install import skill_hash, skill_source
from codex_usage.cli.options import PORT
from codex_usage.cli.probe import CODEX_WAITS, ask_server
from codex_usage.cli.service import address, listens, service
from codex_usage.homes import Places, list_logs
from codex_usage.homes.config import config_path
from codex_usage.homes.platform import open_to_others
from codex_usage.model import BadInput, UsageError
from codex_usage.model.words import many

#: A mend that begins with a dollar is one exact command.
_SETUP, _UPDATE = "$ codex-usage setup", "$ npm install -g @openai/codex@latest"
_REINSTALL = "Reinstall codex-usage-mcp."
#: What may be found: the name of the check; when; is all well (None: worth knowing); what it is; how it is mended.
#: Of each name the first that holds counts.
_Rows = Iterator[tuple[str, object, bool | None, str, str]]


@dataclass(frozen=True)
class Check:
    """One look: `ok` is None where it does not apply or is only worth knowing; where it is False there is a `remedy`.
    `repair` is the exact command that mends it, `finding` is `detail` without anything that is the user's own."""

    name: str
    ok: bool | None
    detail: str
    remedy: str | None = None
    repair: str | None = None
    finding: str = ""


def examine(places: Places, codex_home: Path, *, skills_home: Path, server_command: Path, version: str,
            words: Sequence[str] = ()) -> list[Check]:  # fmt: skip
    """Everything that can keep Codex from answering, in the order in which it is mended. `words` are the global options
    of the command line, for the repairs."""
    program = server_command.with_name(server_command.name.replace("-mcp", ""))
    looks: dict[str, _Rows] = {"Programs": _programs(version, program), "Homes": _homes(places),
                               "Data folder": _data(places.data), "Index": _index(places.index),
                               "Settings": _settings(),
                               "Setup": _setup(codex_home, skills_home / NAME, server_command),
                               "Service": _service(places.data, server_command)}  # fmt: skip
    usual = not program.exists() or _same(shutil.which(NAME), program)
    exact = shlex.join([NAME if usual else str(program), *words])
    found: dict[str, Check] = {}
    for look, rows in looks.items():
        try:
            for name, when, ok, detail, mend in rows:
                if when and name not in found:
                    found[name] = _check(name, ok, detail, mend, exact)
        except Exception as error:  # a doctor that breaks down is of no help
            named = re.search(r"`(codex-usage [\w -]+)`", str(error))
            command = "codex-usage clear-db" if "malformed" in str(error) else named and named[1]
            mend = f"$ {command}" if command else "Do what it says, or report it."
            told = "" if isinstance(error, UsageError) else f"Could not be checked, {type(error).__name__}: "
            found[look] = _check(look, False, told + _own(error), mend, exact)
    return list(found.values())


def _check(name: str, ok: bool | None, detail: str, mend: str, exact: str) -> Check:
    repair = mend.removeprefix("$ ") if mend.startswith("$ ") and ok is not True else None
    remedy = None if ok is not False else f"Run {repair}." if repair else mend
    if repair and repair.startswith(f"{NAME} "):
        repair = exact + repair.removeprefix(NAME)
    return Check(name, ok, detail.replace("\0", ""), remedy, repair, re.sub("\0[^\0]*\0", "…", detail))


def _own(*values: object) -> str:
    """A part of a sentence that is the user's own, marked for `_check`."""
    return "\0" + " ".join(map(str, values)).replace("\0", "") + "\0"


def _table(values: Mapping[str, Any], name: str) -> dict[str, Any]:
    found = values.get(name)
    return found if isinstance(found, dict) else {}


def _same(found: str | None, path: Path) -> bool:
    return found is not None and path.exists() and Path(found).samefile(path)


def codex_version() -> str | None:
    """The version of the `codex` on the PATH, such as "0.169.0"; None where there is none that tells it."""
    try:
        command = [shutil.which("codex") or "codex", "--version"]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    version = re.search(rb"\b\d+\.\d+\.\d+", done.stdout[:200])
    return version[0].decode() if version else None


def _programs(version: str, program: Path) -> _Rows:
    told = f"codex-usage {version} on Python {platform.python_version()}."
    yield "Python", True, sys.version_info >= (3, 11), told, "Install Python 3.11 or newer."
    other = shutil.which(NAME)
    yield "Shell", other is None or _same(other, program), True, "No other installation is on the PATH.", ""
    yield "Shell", True, None, f"The shell starts another installation, {_own(other)}.", ""
    codex = codex_version()
    yield "Codex", not codex, None, "No codex command on the PATH tells its version; an editor may bring its own.", ""
    number = tuple(map(int, str(codex or 0).split(".")))  # what logs tell usage: counting.md; with what setup was tried
    yield "Codex", number < (0, 34), False, f"Codex {codex} logs no token usage; 0.34 and later do.", _UPDATE
    yield "Codex", number < (0, 130), None, f"Codex {codex} was not tried with the skill; 0.130 was.", _UPDATE
    yield "Codex", True, True, f"Codex {codex} is on the PATH.", ""


def _homes(places: Places) -> _Rows:
    for kind, homes in (("Codex", places.codex), ("Claude", places.claude)):
        for number, home in enumerate(homes, 1):
            name, optional = f"{kind} home {number}".removesuffix(" 1"), kind == "Claude" or bool(places.found)
            absent = "Run Codex once, or name its folder with --codex-home."
            yield name, not home.is_dir(), None if optional else False, f"{_own(home)} does not exist.", absent
            found = list_logs((home,), ()) if kind == "Codex" else list_logs((), (home,))
            told = f"{_own(home)} has {many(len(found.files), 'log')}"
            wrong = f"{told}; {many(len(found.problems), 'problem')}: {_own(*found.problems[:1])}."
            yield name, found.problems, False, wrong, "Mend the rights."
            yield name, True, True, f"{told}.", ""


def _data(folder: Path) -> _Rows:
    yield "Data folder", not folder.exists(), None, f"{_own(folder)} will be made by the first refresh.", ""
    mend = "Mend its rights, or set CODEX_USAGE_HOME to a folder of your own."
    yield "Data folder", not os.access(folder, os.W_OK), False, f"{_own(folder)} cannot be written.", mend
    shared = open_to_others(folder)
    mend = f"$ chmod 700 {shlex.quote(str(folder))}"
    yield "Data folder", shared, False, f"Others may read or write {_own(folder)}.", mend
    yield "Data folder", True, True, f"{_own(folder)} can be written, and only by you.", ""


def index_state(path: Path) -> dict[str, Any]:
    """Counters of the index, {} where there is none. Raises UsageError."""
    from codex_usage.index import coverage, open_index, queries

    if not path.exists():
        return {}
    with open_index(path) as index:
        left, found = coverage(index), queries.quality(index)
    size = sum(file.stat().st_size for file in path.parent.glob(f"{path.name}*"))
    counts = {"bytes": size, "logs": found.files, "calls": found.calls, "unread_logs": len(found.problems)}
    return counts | {"pending_logs": left.pending_files, "skipped_lines": found.skipped}


def _index(path: Path) -> _Rows:
    yield "Index", not path.exists(), None, f"{_own(path)} will be made by the first refresh.", ""
    if found := index_state(path):
        yield "Index", True, True, f"{_own(path)} opens and takes {found['bytes'] / 1e6:,.1f} MB.", ""
        pending = found["pending_logs"]
        told = f"{many(found['logs'], 'log')} read, {many(pending, 'log')} to be read."
        yield "Pending logs", True, None if pending else True, told, "$ codex-usage refresh"
        told, unread = f"{many(found['calls'], 'call')} counted", f"{many(found['unread_logs'], 'log')} can't be read"
        mend = "Mend the rights that codex-usage refresh names."
        yield "Data quality", found["unread_logs"], False, f"{told}; {unread}.", mend
        kinds = ", ".join(f"{kind} {count:,}" for kind, count in sorted(found["skipped_lines"].items()))
        yield "Data quality", True, None if kinds else True, f"{told}; skipped lines: {kinds or 'none'}.", ""


def own_files() -> dict[str, list[str]]:
    """Of each of the user's own files that is there, a line for each thing that is wrong with it."""
    from codex_usage.answers.context import money_problems
    from codex_usage.answers.thresholds import load_thresholds
    from codex_usage.money.catalog import catalog
    from codex_usage.money.config import CONFIG_FILES

    told = [*money_problems(), *load_thresholds()[1], *filter(None, [catalog().problem])]
    paths = {name: config_path(name) for name in (*CONFIG_FILES, "thresholds.json")}
    there = {name: path.name for name, path in paths.items() if path.exists()}
    return {name: [line for line in told if line.startswith(begin)] for name, begin in there.items()}


def _settings() -> _Rows:
    import genai_prices

    found = own_files()
    wrong = [line for lines in found.values() for line in lines]
    told = f"{many(len(wrong), 'problem')} in your own files: {_own(*wrong[:3])}"
    yield "Settings", wrong, False, told, "Mend the entries that are named; they are left out."
    yield "Settings", True, True, f"Your own files are good: {', '.join(found) or 'there are none'}.", ""
    bundled = Path(genai_prices.__file__).with_name("data.py")
    file = bundled if found.get("prices.json", True) else config_path("prices.json")
    days = int(time.time() - file.stat().st_mtime) // 86_400
    told = f"The prices came to this machine {many(days, 'day')} ago"
    yield "Prices", days > 60, None, f"{told}; newer models may have none.", "$ codex-usage update-pricing"
    yield "Prices", True, True, f"{told}.", ""


def _setup(home: Path, skill: Path, server: Path) -> _Rows:
    path, config = _own(home / "config.toml"), dict[str, Any]()
    try:
        config = read_config(home)
    except BadInput as error:
        yield "Configuration", True, False, f"Cannot be read: {_own(error)}", "Correct it; Codex can't either."
    servers = {name: each for name, each in _table(config, "mcp_servers").items() if isinstance(each, dict)}
    entry = servers.pop(NAME, {})
    otel, all_plugins = _table(config, "otel"), _table(config, "plugins")
    on = [name for name in all_plugins if _table(all_plugins, name).get("enabled") is not False]
    plugins = [name for name in on if name.startswith(f"{NAME}@")]
    ours = f"The plugin {_own(*plugins[:1])} has its own."
    there = (skill / "SKILL.md").is_file()
    yield "Skill", not there and plugins, None, ours, ""
    yield "Skill", not there, False, f"{_own(skill)} is not installed.", _SETUP
    stale = there and skill_hash(skill) != skill_hash(skill_source())
    yield "Skill", stale, False, f"{_own(skill)} differs from this version's skill.", _SETUP
    yield "Skill", True, True, f"{_own(skill)} is up to date.", ""
    yield "Configuration", not entry and plugins, None, ours, ""
    yield "Configuration", not entry, False, f"{path} does not name the MCP server.", _SETUP
    mend = "Remove enabled = false from [mcp_servers.codex-usage]."
    yield "Configuration", entry.get("enabled") is False, False, f"{path} has the MCP server switched off.", mend
    yield "Configuration", True, True, f"{path} names the MCP server.", ""
    twins = [("mcp", name) for name, each in servers.items() if starts_us(each)]
    twins += [("plugin", name) for name in plugins[not entry :]]
    if plugins and not entry:  # as its .mcp.json says
        entry = {"command": server.name, "env_vars": list(codex_config.ENV_VARS)}
    yield from _server(home, entry, server)
    missing = [name for name in missing_names(entry) if name not in _table(entry, "env")]
    needed = "CODEX_HOME" in missing or any(os.environ.get(name) for name in missing)
    told = f"Codex does not pass {', '.join(missing)} on, so the server may answer otherwise than this shell."
    yield "Environment", not entry, None, "No server is configured.", ""
    yield "Environment", missing, False if needed else None, told, _SETUP
    yield "Environment", True, True, "Codex passes all variables on that the server reads.", ""
    told = f"{_own(*(name for _, name in twins))} starts codex-usage a second time."
    repair = " && ".join(f"codex {kind} remove {shlex.quote(name)}" for kind, name in twins)
    yield "Other servers", twins, False, told, f"$ {repair}"
    yield "Other servers", True, True, "No other server starts codex-usage.", ""
    # which, not where to and with which headers: those may hold a password
    sent = [key for key in ("exporter", "trace_exporter", "metrics_exporter") if otel.get(key, "none") != "none"]
    told = f"exports telemetry ({', '.join(sent)})" if sent else "is not told to export telemetry"
    if codex_config.sends_here(otel):
        told += f" to codex-usage, which {'listens' if listens(PORT) else 'is not listening now'}"
    yield "Telemetry", True, None, f"Codex {told}; codex-usage never sends any.", ""


def _service(data: Path, server: Path) -> _Rows:
    there, url = service(server, (), os.environ), address(data)
    told = f"The dashboard runs at {_own((url or '').partition('#')[0])}"
    yield "Service", url, True, f"{told}; codex-usage serve-dashboard --address tells its token.", ""
    if there and there.path.exists():
        yield "Service", True, False, "The dashboard is a service, and does not run.", f"$ {shlex.join(there.start)}"
    yield "Service", True, None, "The dashboard is no service; it runs when it is started.", ""


def _server(home: Path, entry: Mapping[str, Any], server: Path) -> _Rows:
    command = entry.get("command")
    found = shutil.which(str(command))
    told = f"{_own(server)} is missing, or may not be run."
    yield "Command", not os.access(server, os.X_OK), False, told, _REINSTALL
    yield "Command", command is None, None, f"{_own(server)} is installed.", ""
    yield "Command", not found, False, f"{_own(command)} does not exist, or may not be run.", _SETUP
    told = f"{_own(found)} belongs to another installation, or to none."
    yield "Command", not _same(found, server), False, told, _SETUP
    yield "Command", True, True, f"{_own(found)} is this installation's.", ""
    words = [str(server)]
    if server.name in str(command):  # a runner might download: not here
        words = [str(word) for word in (command, *(entry.get("args") or []))]
    environment = {**os.environ, "CODEX_HOME": str(home)}
    environment |= {key: str(value) for key, value in _table(entry, "env").items()}
    try:  # twice, as the first start after an installation compiles
        seconds, tools = min(ask_server(words, environment) for _ in range(2))
    except (OSError, EOFError, ValueError) as error:  # TimeoutError is an OSError
        yield "Server", True, False, f"{_own(words[0])} {error}.", f"Run {shlex.join(words)} in a terminal to see why."
        return
    yield "Server", not tools, False, "Answers, but offers no tools.", _REINSTALL
    late = "Codex may start a session without it: free the machine, or move the installation to a faster disk."
    told = f"Answers with {tools} tools after {seconds:.2f} s; Codex waits {CODEX_WAITS:.1f} s."
    yield "Server", True, seconds <= CODEX_WAITS, told, late
