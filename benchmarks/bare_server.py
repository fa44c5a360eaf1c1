"""A do-nothing MCP server on the same SDK: what starting any server costs.

In: the number of tools as the only argument. Out: MCP over stdio.
"""

import sys

from mcp.server.mcpserver import MCPServer


def trivial(period: str = "last_7_days", group_by: str = "model", limit: int = 10) -> str:
    """Answer with the arguments."""
    return f"{period} {group_by} {limit}"


def main() -> None:
    server = MCPServer("bare", log_level="ERROR")
    for number in range(int(sys.argv[1]) if len(sys.argv) > 1 else 8):
        server.add_tool(trivial, name=f"tool_{number}")
    server.run("stdio")


if __name__ == "__main__":
    main()
