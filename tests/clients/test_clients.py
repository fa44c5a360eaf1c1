"""Other MCP clients, as people install them, start the server, call a tool and get the figures of the logs."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.clients.messages import MockMessages
from tests.clients.packages import program, python
from tests.lab.codex import NpmError, Run, run
from tests.support.mcp import COMMAND
from tests.support.spending import Spent, home

pytestmark = pytest.mark.timeout(900)  # a client may have to be installed first
ASKED = {"period": "all", "provider": "codex"}
#: A client in Python, of the SDK's first and second version: a program's path in, a tool's text out.
SDK = """
import anyio, json, sys
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client
async def main():
    server = StdioServerParameters(command=sys.argv[1], env=json.loads(sys.argv[2]))
    async with stdio_client(server) as streams, ClientSession(*streams) as session:
        await session.initialize()
        answer = await session.call_tool("usage_summary", json.loads(sys.argv[3]))
        print(answer.content[0].text)
anyio.run(main)
"""
FASTMCP = """
import anyio, json, sys
from fastmcp import Client
async def main():
    server = {"command": sys.argv[1], "env": json.loads(sys.argv[2])}
    async with Client({"mcpServers": {"codex-usage": server}}) as client:
        answer = await client.call_tool("usage_summary", json.loads(sys.argv[3]))
        print(answer.content[0].text)
anyio.run(main)
"""


def found(find: Callable[[str], Path], name: str) -> str:
    """An installed client, or a skip that says why there is none."""
    try:
        return str(find(name))
    except NpmError as reason:
        pytest.skip(str(reason))


class User:
    """Somebody with two calls in Codex's log, and the environment that clients run in."""

    def __init__(self, root: Path) -> None:
        self.root = root
        home(root, [Spent(input=1000, cached=500), Spent(input=2000, thread=2)])
        self.server = {"CODEX_HOME": str(root / "home"), "CODEX_USAGE_HOME": str(root / "data")}
        self.variables = {"HOME": str(root), "PATH": os.environ["PATH"], "NO_PROXY": "127.0.0.1", **self.server}

    def run(self, *command: str, seconds: float = 120) -> Run:
        """A command that must succeed."""
        done = run(list(command), self.root, seconds, self.variables)
        assert done.returncode == 0, done.stdout + done.stderr
        return done


@pytest.fixture
def user(tmp_path: Path) -> User:
    """A fresh user."""
    return User(tmp_path)


def assert_exact(text: str) -> None:
    """An answer tells the two calls, to the token."""
    total = json.loads(text)["total"]
    counted = [total[name] for name in ("calls", "input_tokens", "cached_input_tokens", "output_tokens")]
    assert counted == [2, 3000, 500, 20]


def test_claude_code_adds_the_server_and_its_model_gets_the_answer(user: User) -> None:
    """`claude mcp add`, its health check, and a headless question whose model calls the tool."""
    claude = found(program, "claude")
    user.run(claude, "mcp", "add", "--scope", "user", "codex-usage", "--", str(COMMAND))
    assert "Connected" in user.run(claude, "mcp", "list").stdout
    with MockMessages("usage_summary", ASKED) as model:
        user.variables |= {"ANTHROPIC_BASE_URL": model.url, "ANTHROPIC_API_KEY": "key"}
        user.variables["CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC"] = "1"
        # the model sees all tools at once, and the first request waits for them, however busy this machine is
        user.variables |= {"ENABLE_TOOL_SEARCH": "false", "MCP_CONNECTION_NONBLOCKING": "0"}
        user.run(claude, "-p", "what did I spend?", "--allowedTools", "mcp__codex-usage__usage_summary")
    assert_exact(model.results[-1])


def test_opencode_connects_and_its_model_gets_the_answer(user: User) -> None:
    """With the lines of the guide in opencode.json."""
    opencode = found(program, "opencode")
    with MockMessages("usage_summary", ASKED) as model:
        provider = {"options": {"baseURL": f"{model.url}/v1", "apiKey": "key"}}
        server = {"type": "local", "command": [str(COMMAND)], "enabled": True}
        name = "anthropic/claude-sonnet-4-5"
        config = {"model": name, "small_model": name, "autoupdate": False, "provider": {"anthropic": provider}}
        (user.root / "opencode.json").write_text(json.dumps(config | {"mcp": {"codex-usage": server}}), "utf-8")
        user.variables["OPENCODE_DISABLE_MODELS_FETCH"] = "1"
        user.run(opencode, "run", "what did I spend?")
    assert_exact(model.results[-1])


def test_the_inspector_calls_a_tool_from_its_command_line(user: User) -> None:
    """With a Node that is new enough for it."""
    inspector, node = found(program, "mcp-inspector"), Path(found(program, "node"))
    user.variables["PATH"] = f"{node.parent}{os.pathsep}{os.environ['PATH']}"
    passed = [word for name, value in user.server.items() for word in ("-e", f"{name}={value}")]
    called = ["--method", "tools/call", "--tool-name", "usage_summary", "--tool-args-json", json.dumps(ASKED)]
    done = user.run(inspector, "--cli", str(COMMAND), *passed, *called, "--format", "json", "--quiet")
    result = json.loads(done.stdout)["result"]
    assert not result.get("isError")
    assert_exact(result["content"][0]["text"])


@pytest.mark.parametrize(("client", "code"), [("mcp", SDK), ("our own", SDK), ("fastmcp", FASTMCP)])
def test_a_client_in_python_calls_a_tool(user: User, client: str, code: str) -> None:
    """The SDK's first version, the second (which the server itself is built with), and fastmcp."""
    interpreter = sys.executable if client == "our own" else found(python, client)
    done = user.run(interpreter, "-c", code, str(COMMAND), json.dumps(user.server), json.dumps(ASKED))
    assert_exact(done.stdout)
