"""What is ours in Codex's config.toml: a text in, the text with or without `[mcp_servers.codex-usage]`, or the lines
of `[otel]` that send telemetry here, out.

Everything else stays: both are put and taken as lines of their own, and every new text is parsed and must
say nothing but the change: a layout that cannot be edited safely is refused, never damaged. Codex 0.130 and
0.169 read the file as TOML 1.1 with an optional byte order mark (measured).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.exceptions import ParseError, TOMLKitError

from codex_usage.cli.options import PORT
from codex_usage.homes.config import write_bytes
from codex_usage.model import BadInput

NAME = "codex-usage"
#: Codex gives a server hardly any of its own environment; these are the names that ours reads. Those that are
#: not set are not passed, and do no harm (measured with 0.130 and 0.169).
ENV_VARS = ("CODEX_HOME", "CLAUDE_CONFIG_DIR", "CODEX_USAGE_HOME", "CODEX_USAGE_LANG", "CODEX_USAGE_PRICING",
            "CODEX_USAGE_TZ", "CODEX_USAGE_WEEKLY_RESET", "CODEX_USAGE_WEEK_START", "TZ", "CODEX_USAGE_PRIVACY_MODE",
            "CODEX_USAGE_ALLOW_RAW_CONTEXT", "CODEX_USAGE_TRACKER_ALLOW_RAW_CONTEXT")  # fmt: skip
#: A header of ours with the empty line before it and its lines up to the last that says something: empty lines and
#: comments after that belong to what follows.
_TABLE = re.compile(
    r"""(?mx) (?:^\r?\n)? ^[ \t]*\[[ \t]*(["']?)mcp_servers\1[ \t]*\.[ \t]*(["']?)codex-usage\2[ \t]*[\].] .*\n?
    (?: (?:[ \t]*(?:\#.*|\r)?\n)* [ \t]*[^\s\[\#].*\n? )*"""
)
#: What has Codex send its events to the dashboard's server, without prompts. Of the two protocols this one is
#: understood without a further package.
_HERE = f"http://127.0.0.1:{PORT}/v1/logs"
_EXPORTER = f'exporter = {{ otlp-http = {{ endpoint = "{_HERE}", protocol = "json" }} }}'
_OTEL = ("[otel]", _EXPORTER, "log_user_prompt = false")
_OTEL_PUT = re.compile(r"(?m)(?:^\r?\n)?^" + "".join(re.escape(line) + r"\r?\n" for line in _OTEL))
_BOM = "\ufeff"
_Entry = dict[str, Any] | None


def read_config(codex_home: Path) -> dict[str, Any]:
    """Codex's config.toml as plain values, empty when there is none. Raises BadInput."""
    return _parse(read_text(codex_home / "config.toml") or "")[1]


def read_text(path: Path) -> str | None:
    """The file with its newlines as they are, None when there is none. Raises BadInput."""
    try:
        return path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", error)
        raise BadInput(f"Cannot read {path} ({why}); correct it, then try again.") from error


def write_text(path: Path, text: str, like: Path) -> None:
    """Replace a file at once, with the rights of `like` (else the user's only); a link stays one. Raises BadInput."""
    mode = like.stat().st_mode & 0o777 if like.exists() else 0o600
    write_bytes(path, text.encode())
    path.chmod(mode)


def with_server(text: str, command: str) -> str:
    """The text of a config.toml with our table in it. One that is there keeps the keys the user set; only its command
    and missing env_vars are put. Raises BadInput."""
    entry, update = entry_of(text), partial(_update, command)
    if entry is None:
        edits = [lambda: _append(text, command), lambda: _edit(text, update)]
    elif "url" in entry or ("command" in entry and not starts_us(entry)):
        raise BadInput(f"[mcp_servers.{NAME}] in config.toml starts another program; rename or remove it, then go on.")
    elif _is_right(entry, command):
        return text
    else:
        edits = [lambda: _TABLE.sub(lambda found: _edit(found[0], update), text, 1), lambda: _edit(text, update)]
    return _first_safe(text, edits, command)


def without_server(text: str) -> str:
    """The text without our table, and without the empty line before it. A table of this name that starts something
    else stays. Raises BadInput."""
    if not starts_us(entry_of(text) or {}):
        return text
    # a header in a text in quotes is found as well; the one that setup put is the last
    last = max((found.start() for found in _TABLE.finditer(text)), default=0)
    edits = [lambda: _TABLE.sub("", text), lambda: text[:last] + _TABLE.sub("", text[last:]),
             lambda: _edit(text, lambda servers: servers.pop(NAME))]  # fmt: skip
    return _first_safe(text, edits, None)


def with_telemetry(text: str) -> str:
    """The text of a config.toml that has Codex send its telemetry here. Raises BadInput where `[otel]` is another's."""
    otel = _parse(text)[1].get("otel")
    if sends_here(otel):
        return text
    if otel is not None:
        raise BadInput(f"[otel] in config.toml is yours and stays; to send telemetry here, make it say {_EXPORTER}")
    end = "\r\n" if "\r\n" in text else "\n"
    return _ended(text, end) + "".join(line + end for line in _OTEL)


def without_telemetry(text: str) -> str:
    """The text without the lines that `with_telemetry` put. Raises BadInput."""
    new = _OTEL_PUT.sub("", text)
    left, before = _parse(new)[1], _parse(text)[1]
    if repr(left) != repr({key: value for key, value in before.items() if key != "otel" or "otel" in left}):
        raise BadInput("config.toml cannot be edited safely, as [otel] was added to; remove it yourself, then go on.")
    return new


def sends_here(otel: object) -> bool:
    """Do the values of `[otel]` send Codex' events to the dashboard's server?"""
    return isinstance(otel, dict) and repr(_HERE) in repr(otel.get("exporter"))


def entry_of(text: str) -> _Entry:
    """Our table as plain values, None when there is none. Raises BadInput."""
    servers = _parse(text)[1].get("mcp_servers", {})
    entry = servers.get(NAME) if isinstance(servers, dict) else 0
    if entry is not None and not isinstance(entry, dict):
        raise BadInput("mcp_servers in config.toml is not made of tables; correct it, then run this again.")
    return entry


def starts_us(entry: Mapping[str, Any]) -> bool:
    """Does a server's table start codex-usage: by its script wherever it stands, or by a runner (uvx, python -m)?"""
    arguments = entry.get("args")
    words = [entry.get("command") or "", *(arguments if isinstance(arguments, list) else [])]
    # a Windows path is to be understood anywhere, so no Path here
    return any(NAME in re.split(r"[\\/]", str(word))[-1].replace("_", "-") for word in words)


def missing_names(entry: Mapping[str, Any]) -> list[str]:
    """Our variables that Codex does not pass on to the server of this table."""
    given = entry.get("env_vars")
    values = given if isinstance(given, list) else []
    named = [value.get("name") if isinstance(value, dict) else value for value in values]
    return [name for name in ENV_VARS if name not in named]


def _is_right(entry: _Entry, command: str) -> bool:
    return entry is not None and entry.get("command") == command and not missing_names(entry)


def _parse(text: str) -> tuple[Any, dict[str, Any]]:
    """A tomlkit document, and the same as plain values. Raises BadInput that names the line."""
    try:
        document = tomlkit.parse(text.removeprefix(_BOM))
        return document, document.unwrap()  # some keys that are given twice are only noticed here
    except (TOMLKitError, ValueError, RecursionError) as error:
        line = f" line {error.line}" if isinstance(error, ParseError) else ""
        why = re.sub(r" at line \d+ col \d+$", "", str(error))
        raise BadInput(f"config.toml{line} is not valid TOML ({why}); correct it and try again.") from error


def _first_safe(text: str, edits: list[Callable[[], str]], command: str | None) -> str:
    """The first edit whose result parses, has our server with this command (None: not at all), and nothing else new."""
    for edit in edits:
        # a document may surprise tomlkit in ways of its own; whatever it raises, the file is not touched
        with suppress(BadInput, ValueError, LookupError, TypeError, AttributeError):
            new = edit()
            entry = entry_of(new)
            good = _is_right(entry, command) if command else entry is None
            kept = not command or new.count("#") >= text.count("#")  # tomlkit may lose a comment
            if good and kept and _others(new) == _others(text):
                return new
    raise BadInput(f"config.toml cannot be edited safely as it is laid out; edit [mcp_servers.{NAME}] yourself.")


def _others(text: str) -> str:
    """Everything the text says but our table; as text, in which a NaN equals itself."""
    values = _parse(text)[1]
    if isinstance(servers := values.get("mcp_servers"), dict):
        servers.pop(NAME, None)
    return repr({key: value for key, value in values.items() if value or key != "mcp_servers"})


def _append(text: str, command: str) -> str:
    """Our table at the end, after an empty line."""
    end = "\r\n" if "\r\n" in text else "\n"
    values = {"command": command, "env_vars": list(ENV_VARS)}.items()
    lines = [f"[mcp_servers.{NAME}]", *(f"{key} = {tomlkit.item(value).as_string()}" for key, value in values)]
    return _ended(text, end) + "".join(line + end for line in lines)


def _ended(text: str, end: str) -> str:
    """The text and an empty line, if it says anything."""
    return text + ("" if not text.removeprefix(_BOM) else end if text.endswith("\n") else end + end)


def _edit(text: str, change: Callable[[Any], object]) -> str:
    """Change the `mcp_servers` of a text. Raises BadInput when tomlkit would not give back the rest."""
    document, _ = _parse(text)
    body = text.removeprefix(_BOM)
    if tomlkit.dumps(document) != body:
        raise BadInput("config.toml is laid out in an unusual way.")
    change(document["mcp_servers"])
    new = tomlkit.dumps(document)
    if "\r\n" in body and not (lone := re.compile(r"(?<!\r)\n")).search(body):
        new = lone.sub("\r\n", new)
    return text[: len(text) - len(body)] + new


def _update(command: str, servers: Any) -> None:
    if NAME not in servers:
        servers[NAME] = tomlkit.inline_table()
    entry = servers[NAME]
    if entry.get("command") != command:
        entry.pop("args", None)  # they were those of the other command
        entry["command"] = command
    if isinstance(entry.get("env_vars"), list):
        entry["env_vars"].extend(missing_names(entry))
    else:
        entry["env_vars"] = list(ENV_VARS)
