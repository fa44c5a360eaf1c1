"""Tool calls a scripted model makes.

In: what the model should do (run a shell command, apply a patch, call an MCP tool) and the request body,
which says which tools this Codex version offers. Out: the response item in the form those tools take,
because the same deed is `shell`, `shell_command`, `exec_command` or JavaScript depending on the version.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Call:
    """One deed of the model; `name` is the command, the patch, `server/tool`, or the plain tool name."""

    kind: Literal["shell", "patch", "mcp", "search", "tool"]
    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Offer:
    """One tool a request offers: its wire type, the namespace it sits in, and its description."""

    kind: str
    namespace: str | None
    description: str


def shell(command: str, **extra: Any) -> Call:
    """Run `command`; `extra` are further arguments of the shell tool (sandbox_permissions, ...)."""
    return Call("shell", command, extra)


def patch(text: str) -> Call:
    """Apply a patch in Codex's own patch format."""
    return Call("patch", text)


def mcp(server: str, name: str, **arguments: Any) -> Call:
    """Call an MCP tool, whether it was offered directly, deferred, or reachable from code only."""
    return Call("mcp", f"{server}/{name}", arguments)


def search(query: str) -> Call:
    """Look for deferred tools (MCP ones of 0.147 and later), so that the next request offers them."""
    return Call("search", query)


def tool(name: str, **arguments: Any) -> Call:
    """Call any other tool by its bare name; a namespace is added when the request offers it in one."""
    return Call("tool", name, arguments)


def offers(body: Json) -> dict[str, Offer]:
    """The tools of a request by bare name, those found by tool search or added later included."""
    found = dict(_walk(body.get("tools"), None))
    for item in body.get("input") or []:
        if isinstance(item, dict) and item.get("type") in ("additional_tools", "tool_search_output"):
            found |= {name: offer for name, offer in _walk(item.get("tools"), None) if name not in found}
    return found


def names(body: Json) -> list[str]:
    """Flat names of what is offered: MCP tools as `mcp__server__tool`, a deferred server as `mcp__server`."""
    flat = []
    for name, offer in offers(body).items():
        inside = offer.namespace is not None and offer.namespace.startswith("mcp__")
        flat.append(f"{str(offer.namespace).rstrip('_')}__{name}" if inside else name)
    for listing in re.findall(r"<tools>\\nDeferred tool namespaces:(.*?)</tools>", json.dumps(body.get("input"))):
        flat += re.findall(r"- (mcp__\w+)", listing)
    return list(dict.fromkeys(flat))


def item(call: Call, body: Json, identity: str) -> Json:
    """The response item that performs `call` with the tools `body` offers."""
    offered = offers(body)
    code = "exec" in offered and offered["exec"].kind == "custom"
    if call.kind == "search":
        return _search(call.name, identity)
    if code and call.kind != "tool":
        return _custom("exec", _javascript(call), identity)
    if call.kind == "shell":
        return _shell(call, offered, identity)
    if call.kind == "patch":
        return _patch(call, offered, identity)
    if call.kind == "mcp":
        return _mcp(call, offered, identity)
    return _function(call.name, call.arguments, offered, identity)


def _walk(tools: Any, namespace: str | None) -> Iterator[tuple[str, Offer]]:
    for entry in tools or []:
        if entry.get("type") == "namespace":
            yield from _walk(entry.get("tools"), entry.get("name"))
        else:
            name = entry.get("name") or entry.get("type")
            yield name, Offer(entry.get("type", "function"), namespace, entry.get("description") or "")


def _javascript(call: Call) -> str:
    if call.kind == "shell":
        deed = f"exec_command({json.dumps({'cmd': call.name, **call.arguments})})"
    elif call.kind == "patch":
        deed = f"apply_patch({json.dumps(call.name)})"
    else:
        deed = f"mcp__{call.name.replace('/', '__')}({json.dumps(call.arguments)})"
    return f"const r = await tools.{deed};\ntext(typeof r === 'string' ? r : JSON.stringify(r));\n"


def _shell(call: Call, offered: dict[str, Offer], identity: str) -> Json:
    if "exec_command" in offered:
        return _function("exec_command", {"cmd": call.name, **call.arguments}, offered, identity)
    if "shell_command" in offered:
        return _function("shell_command", {"command": call.name, **call.arguments}, offered, identity)
    return _function("shell", {"command": ["bash", "-lc", call.name], **call.arguments}, offered, identity)


def _patch(call: Call, offered: dict[str, Offer], identity: str) -> Json:
    if "apply_patch" in offered and offered["apply_patch"].kind == "custom":
        return _custom("apply_patch", call.name, identity)
    if "apply_patch" in offered:
        return _function("apply_patch", {"input": call.name}, offered, identity)
    if "shell" in offered:
        return _function("shell", {"command": ["apply_patch", call.name]}, offered, identity)
    return _shell(shell(f"apply_patch <<'EOF'\n{call.name}\nEOF"), offered, identity)


def _mcp(call: Call, offered: dict[str, Offer], identity: str) -> Json:
    server, name = call.name.split("/")
    for bare, offer in offered.items():
        if bare.endswith(name) and server in f"{offer.namespace or ''}{bare}":
            return _function(bare, call.arguments, offered, identity)
    return {**_function(name, call.arguments, {}, identity), "namespace": f"mcp__{server}"}


def _function(name: str, arguments: Mapping[str, Any], offered: dict[str, Offer], identity: str) -> Json:
    built = {
        "type": "function_call",
        "id": f"fc_{identity}",
        "status": "completed",
        "call_id": f"call_{identity}",
        "name": name,
        "arguments": json.dumps(arguments),
    }
    namespace = offered[name].namespace if name in offered else None
    return built if namespace in (None, "functions") else {**built, "namespace": namespace}


def _custom(name: str, text: str, identity: str) -> Json:
    return {
        "type": "custom_tool_call",
        "id": f"ctc_{identity}",
        "status": "completed",
        "call_id": f"call_{identity}",
        "name": name,
        "input": text,
    }


def _search(query: str, identity: str) -> Json:
    return {
        "type": "tool_search_call",
        "id": f"tsc_{identity}",
        "status": "completed",
        "call_id": f"call_{identity}",
        "execution": "client",
        "arguments": {"query": query, "limit": 8},
    }
