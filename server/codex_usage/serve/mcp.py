"""The MCP server over stdio: `codex-usage-mcp`. Starts with the SDK alone; the product loads at the first call."""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import anyio
import mcp_types as types
from mcp.server import Server, ServerRequestContext
from mcp.server.stdio import stdio_server

from codex_usage import __version__
from codex_usage.homes.platform import die_at_interrupt
from codex_usage.model import UsageError
from codex_usage.serve.tools import INSTRUCTIONS, NAME, TOOLS


def _annotations(writes: bool) -> types.ToolAnnotations:
    """Codex runs a tool unprompted only when it is read-only (and says that it touches nothing outside)."""
    return types.ToolAnnotations(read_only_hint=not writes, destructive_hint=False, open_world_hint=False)


async def _list_tools(_: ServerRequestContext[Any], __: types.PaginatedRequestParams | None) -> types.ListToolsResult:
    tools = [
        types.Tool(
            name=tool.name, description=tool.description, input_schema=tool.schema,
            annotations=_annotations(tool.writes),
        )
        for tool in TOOLS
    ]  # fmt: skip
    return types.ListToolsResult(tools=tools)


async def _call_tool(context: ServerRequestContext[Any], params: types.CallToolRequestParams) -> types.CallToolResult:
    if params.name not in {tool.name for tool in TOOLS}:
        return _result(f"Unknown tool {params.name!r}; the tools are {', '.join(t.name for t in TOOLS)}.", failed=True)
    thread = calling_thread(context.meta)
    try:
        return _result(await anyio.to_thread.run_sync(_answer, params.name, params.arguments or {}, thread))
    except UsageError as error:
        return _result(str(error), failed=True)
    except Exception as error:  # the last line of defence: no traceback and no path reaches the model
        return _result(
            f"codex-usage failed ({type(error).__name__}); run `codex-usage doctor` in a terminal.", failed=True
        )


@cache
def _product() -> Callable[[str, Mapping[str, Any], str | None], str]:
    """Loaded at the first call, so that the server starts in time."""
    from codex_usage.serve.ask import answer

    gc.freeze()  # what is loaded stays: it need not be looked through for each answer
    return answer


def _answer(name: str, arguments: Mapping[str, Any], thread: str | None) -> str:
    return _product()(name, arguments, thread)


def _result(text: str, failed: bool = False) -> types.CallToolResult:
    return types.CallToolResult(content=[types.TextContent(type="text", text=text)], is_error=failed)


def calling_thread(meta: Any) -> str | None:
    """The thread that calls, which Codex names in every request's `_meta`."""
    if meta is None:
        return None
    values = meta if isinstance(meta, Mapping) else meta.model_dump(by_alias=True)
    thread = values.get("threadId")
    return thread if isinstance(thread, str) else None


async def serve() -> None:
    """Serve one client until it hangs up."""
    server: Server[Any] = Server(
        NAME, version=__version__, instructions=INSTRUCTIONS, on_list_tools=_list_tools, on_call_tool=_call_tool
    )
    async with stdio_server() as (read_stream, write_stream):
        await server.run(read_stream, write_stream, server.create_initialization_options())


def main() -> None:
    """Entry point of `codex-usage-mcp`."""
    # the SDK reads standard input in a thread that an exception could not wake
    die_at_interrupt()
    anyio.run(serve)
