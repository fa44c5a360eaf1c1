"""Our table in Codex's config.toml: a text in, the text with or without `[mcp_servers.codex-usage]` out.

Everything else stays byte for byte: the table is put and taken as lines of its own, and every new text is
parsed and must say nothing but the change: a layout that cannot be edited safely is refused, never damaged.
Codex 0.130 and 0.169 read the file as TOML 1.1 with an optional byte order mark (measured).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from codex_usage.homes.config import write_bytes
from codex_usage.model import BadInput

NAME = "codex-usage"
#: Codex gives a server hardly any of its own environment; these are the names that ours reads. Those that are
#: not set are not passed, and do no harm (measured with 0.130 and 0.169).
ENV_VARS = (
    "CODEX_HOME", "CLAUDE_CONFIG_DIR", "CODEX_USAGE_HOME", "CODEX_USAGE_LANG", "CODEX_USAGE_PRICING", "CODEX_USAGE_TZ",
    "CODEX_USAGE_WEEKLY_RESET", "TZ", "CODEX_USAGE_ALLOW_RAW_CONTEXT",
)  # fmt: skip
_HEADER = re.compile(r"""(?m)^[ \t]*\[[ \t]*(["']?)mcp_servers\1[ \t]*\.[ \t]*(["']?)codex-usage\2[ \t]*[\].]""")
_ANY_HEADER = re.compile(r"^[ \t]*\[", re.MULTILINE)
_BOM = "\ufeff"
_Entry = dict[str, Any] | None


def read_config(codex_home: Path) -> dict[str, Any]:
    """Codex's config.toml as plain values, empty when there is none. Raises BadInput."""
    return _parse((read_text(codex_home / "config.toml") or "").removeprefix(_BOM))[1]


def read_text(path: Path) -> str | None:
    """The file with its newlines as they are, None when there is none. Raises BadInput."""
    try:
        return path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        return None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise BadInput(f"{path} line {line} is not UTF-8; correct it, then run this again.") from error
    except OSError as error:
        raise BadInput(f"Cannot read {path} ({error.strerror}); mend its rights and try again.") from error


def write_text(path: Path, text: str, like: Path) -> None:
    """Replace a file at once, with the rights of `like` (else the user's only); a link stays one. Raises BadInput."""
    mode = like.stat().st_mode & 0o777 if like.exists() else 0o600
    try:
        write_bytes(path, text.encode())
    except BadInput as error:
        raise BadInput(f"{str(error).removesuffix('.')}; mend its rights and try again.") from error
    path.chmod(mode)


# -- the table ---------------------------------------------------------------------------------------------


def with_server(text: str, command: str) -> str:
    """The text of a config.toml with our table in it. One that is there keeps the keys the user set; only its command
    and missing env_vars are put. Raises BadInput."""
    body = text.removeprefix(_BOM)
    entry = entry_of(body)
    if entry is None:
        edits = [lambda: _append(body, command), lambda: _edit(body, lambda servers: _add(servers, command))]
    elif not _starts_us(entry):
        other = "[mcp_servers.codex-usage] in config.toml starts another program"
        raise BadInput(f"{other}; rename or remove it, then run setup again.")
    elif _complete(entry, command):
        return text
    else:
        edits = [lambda: _renew(body, entry, command)]
    return text[: len(text) - len(body)] + _first_safe(body, edits, lambda new: _complete(new, command))


def without_server(text: str) -> str:
    """The text without our table, as it would be had setup never added it. A table of this name that starts
    something else stays. Raises BadInput."""
    body = text.removeprefix(_BOM)
    entry = entry_of(body)
    if entry is None or not is_ours(entry):
        return text
    edits = [lambda: _cut(body, entry), lambda: _edit(body, lambda servers: servers.pop(NAME))]
    return text[: len(text) - len(body)] + _first_safe(body, edits, lambda new: new is None)


def _parse(body: str) -> tuple[Any, dict[str, Any]]:
    """A tomlkit document, and the same as plain values. Raises BadInput that names the line."""
    import tomlkit
    from tomlkit.exceptions import ParseError, TOMLKitError

    try:
        document = tomlkit.parse(body)
        return document, document.unwrap()  # some keys that are given twice are only noticed here
    except (TOMLKitError, ValueError, RecursionError) as error:
        line = f" line {error.line}" if isinstance(error, ParseError) else ""
        why = re.sub(r" at line \d+ col \d+$", "", str(error))
        raise BadInput(f"config.toml{line} is not valid TOML ({why}); correct it and try again.") from error


def entry_of(text: str) -> _Entry:
    """Our table as plain values, None when there is none. Raises BadInput."""
    servers = _parse(text.removeprefix(_BOM))[1].get("mcp_servers", {})
    entry = servers.get(NAME) if isinstance(servers, dict) else 0
    if entry is not None and not isinstance(entry, dict):
        raise BadInput("mcp_servers in config.toml is not made of tables; correct it, then run this again.")
    return entry


def is_ours(entry: Mapping[str, Any]) -> bool:
    """Does this server's table start a `codex-usage-mcp` script, wherever it stands?"""
    # a Windows path is to be understood anywhere, so no Path here
    name = re.split(r"[\\/]", str(entry.get("command") or ""))[-1]
    return name.removesuffix(".exe") == "codex-usage-mcp"


def _starts_us(entry: Mapping[str, Any]) -> bool:
    """Ours, started by its script or a runner (uvx, pipx, python -m); or a table that starts nothing yet."""
    arguments = entry.get("args")
    words = [str(word) for word in arguments] if isinstance(arguments, list) else []
    runs = any("codex-usage-mcp" in word or word.startswith("codex_usage") for word in words)
    return "url" not in entry and ("command" not in entry or is_ours(entry) or runs)


def _complete(entry: _Entry, command: str) -> bool:
    return entry is not None and entry.get("command") == command and not _missing(entry)


def env_names(entry: Mapping[str, Any]) -> list[Any]:
    """The variables that Codex passes on to the server of this table."""
    given = entry.get("env_vars")
    values = given if isinstance(given, list) else []
    return [value.get("name") if isinstance(value, dict) else value for value in values]


def _missing(entry: Mapping[str, Any]) -> list[str]:
    return [name for name in ENV_VARS if name not in env_names(entry)]


def _first_safe(body: str, edits: list[Callable[[], str]], good: Callable[[_Entry], bool]) -> str:
    """The first edit whose result parses, holds what is wanted, and changes nothing else."""
    for edit in edits:
        # a document may surprise tomlkit in ways of its own; whatever it raises, the file is not touched
        with suppress(BadInput, ValueError, LookupError, TypeError, AttributeError):
            new = edit()
            if good(entry_of(new)) and _others(new) == _others(body):
                return new
    why = "config.toml is laid out in a way that cannot be edited safely"
    raise BadInput(f"{why}; edit its table [mcp_servers.codex-usage] yourself.")


def _others(body: str) -> str:
    """Everything the text says but our table; as text, in which a NaN equals itself."""
    values = _parse(body)[1]
    if isinstance(servers := values.get("mcp_servers"), dict):
        servers.pop(NAME, None)
    return repr({key: value for key, value in values.items() if value or key != "mcp_servers"})


def _append(body: str, command: str) -> str:
    """Our table at the end, after an empty line. Where the last line had no newline the new last one has none
    either: that is how `_cut` knows."""
    import tomlkit

    end = "\r\n" if body[: body.rfind("\n") + 1].endswith("\r\n") else "\n"
    entry = {"command": command, "env_vars": list(ENV_VARS)}
    lines = [f"{key} = {tomlkit.item(value).as_string()}" for key, value in entry.items()]
    table = end.join([f"[mcp_servers.{NAME}]", *lines])
    if not body or body.endswith("\n"):
        return body + (end if body else "") + table + end
    return body + end + end + table


def _cut(body: str, entry: dict[str, Any]) -> str:
    start, stop = _span(body, entry)
    head, tail = body[:start], body[stop:]
    if re.search(r"(?:\A|\n)\r?\n\Z", head):
        head = _less_newline(head)
    if not tail and not body.endswith("\n"):
        head = _less_newline(head)
    if not head:  # what was added behind a file that we began
        tail = re.sub(r"\A\r?\n", "", tail)
    return head + tail


def _less_newline(text: str) -> str:
    return text.removesuffix("\n").removesuffix("\r") if text.endswith("\n") else text


def _span(body: str, entry: dict[str, Any]) -> tuple[int, int]:
    """Where our table's own lines stand. Raises LookupError when it is not one run of lines. A run is right when,
    parsed alone, it is the whole entry: neither a header in a string nor a bracket that begins a line can mislead."""
    for header in _HEADER.finditer(body):
        for stop in [*(found.start() for found in _ANY_HEADER.finditer(body, header.end())), len(body)]:
            piece = _trimmed(body[header.start() : stop])
            with suppress(BadInput):
                if repr(entry_of(piece)) == repr(entry):
                    return header.start(), header.start() + len(piece)
                if not _HEADER.match(body, stop):
                    break
    raise LookupError(NAME)


def _trimmed(piece: str) -> str:
    """Without the empty lines and comments at its end: they belong to what follows."""
    lines = re.findall(r"[^\n]*\n|[^\n]+\Z", piece)
    while lines and lines[-1].strip()[:1] in ("", "#"):
        lines.pop()
    return "".join(lines)


def _renew(body: str, entry: dict[str, Any], command: str) -> str:
    """Edit the table's own lines and leave all others as they are; edit the whole where it has none."""
    try:
        start, stop = _span(body, entry)
    except LookupError:
        start, stop = 0, len(body)
    return body[:start] + _edit(body[start:stop], lambda servers: _update(servers[NAME], command)) + body[stop:]


def _edit(piece: str, change: Callable[[Any], object]) -> str:
    """Change the `mcp_servers` of a text. Raises BadInput when tomlkit would not give back the rest."""
    import tomlkit

    document, _ = _parse(piece)
    if tomlkit.dumps(document) != piece:
        raise BadInput("config.toml is laid out in an unusual way.")
    change(document["mcp_servers"])
    new = tomlkit.dumps(document)
    if "\r\n" in piece and not re.search(r"(?<!\r)\n", piece):
        new = re.sub(r"(?<!\r)\n", "\r\n", new)
    return new if piece.endswith("\n") else _less_newline(new)


def _add(servers: Any, command: str) -> None:
    import tomlkit

    servers[NAME] = tomlkit.inline_table()
    servers[NAME].update({"command": command, "env_vars": list(ENV_VARS)})


def _update(entry: Any, command: str) -> None:
    if not is_ours(entry):
        entry.pop("args", None)  # they were the runner's
    if entry.get("command") != command:
        entry["command"] = command
    if isinstance(entry.get("env_vars"), list):
        entry["env_vars"].extend(_missing(entry))
    else:
        entry["env_vars"] = list(ENV_VARS)
