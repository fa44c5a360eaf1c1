"""A tiny MCP server over standard streams with two tools: `add` answers a sum, `boom` always fails."""

import json
import sys
from typing import Any

NUMBERS = {"type": "object", "properties": {"a": {"type": "number"}, "b": {"type": "number"}}}
TOOLS = [
    {"name": "add", "description": "add two numbers", "inputSchema": NUMBERS, "annotations": {"readOnlyHint": True}},
    {"name": "boom", "description": "always fails", "inputSchema": {"type": "object", "properties": {}}},
]


def answer(method: str, params: dict[str, Any]) -> dict[str, Any]:
    """The result of one request."""
    if method == "initialize":
        about = {"name": "tiny", "version": "1.0"}
        version = params.get("protocolVersion", "2025-06-18")
        return {"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": about}
    if method == "tools/list":
        return {"tools": TOOLS}
    if method == "tools/call" and params["name"] == "add":
        numbers = params["arguments"]
        return {"content": [{"type": "text", "text": str(numbers["a"] + numbers["b"])}]}
    if method == "tools/call":
        return {"content": [{"type": "text", "text": "boom failed"}], "isError": True}
    return {}


if __name__ == "__main__":
    for line in sys.stdin:
        request = json.loads(line)
        if "id" in request:
            result = answer(request["method"], request.get("params") or {})
            print(json.dumps({"jsonrpc": "2.0", "id": request["id"], "result": result}), flush=True)
