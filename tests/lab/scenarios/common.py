"""What scenarios share: the register they enter themselves in, the models of each version, stock steps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from tests.lab.calls import mcp, patch, search, shell
from tests.lab.codex import MCP_SERVER, CodexLab
from tests.lab.responses import Step

Version = tuple[int, ...]
SCENARIOS: dict[str, Callable[[CodexLab], None]] = {}
SINCE: dict[str, Version] = {}
MODELS: list[tuple[Version, str, str]] = [
    ((0, 169), "gpt-5.5", "gpt-5.6-luna"),
    ((0, 130), "gpt-5.5", "gpt-5.4"),
    ((0, 98), "gpt-5.2-codex", "gpt-5.1-codex-mini"),
    ((0, 58), "gpt-5.1-codex", "gpt-5.1"),
    ((0, 0), "gpt-5-codex", "gpt-5"),
]
TINY = f'[mcp_servers.tiny]\ncommand = "python3"\nargs = ["{MCP_SERVER}"]\n'
EDIT = "*** Begin Patch\n*** Update File: a.py\n@@\n-print(1)\n+print(2)\n*** End Patch\n"
ADD = "*** Begin Patch\n*** Add File: notes.txt\n+hello\n+world\n*** End Patch\n"
READ = Step(calls=[shell("cat a.py")])
TOOLS = [
    Step(reasoning="look around", calls=[shell("cat a.py"), shell("ls")]),
    Step(calls=[shell("git status --short && git log --format=%s")]),
    Step(calls=[shell("python3 -m pytest -q test_a.py"), search("add two numbers")]),
    Step(commentary="Patching now.", calls=[patch(EDIT)]),
    Step(calls=[shell("exit 3"), mcp("tiny", "add", a=2, b=3), mcp("tiny", "boom")]),
    Step(calls=[patch(ADD)]),
    Step(reasoning="wrap up", text="All done with tools."),
]


def scenario(*since: int) -> Callable[[Callable[[CodexLab], None]], Callable[[CodexLab], None]]:
    """Enter a function among the scenarios that work from version `since`."""

    def enter(function: Callable[[CodexLab], None]) -> Callable[[CodexLab], None]:
        SCENARIOS[function.__name__] = function
        SINCE[function.__name__] = since
        return function

    return enter


def models(version: Version) -> tuple[str, str]:
    """The model a version is recorded with, and the one it switches to."""
    return next((first, second) for since, first, second in MODELS if version >= since)


def says(*texts: str) -> list[Step]:
    """One plain answer per text."""
    return [Step(text=text) for text in texts]


def without_search(steps: list[Step]) -> list[Step]:
    """The steps for versions that offer every tool at once."""
    return [replace(step, calls=[call for call in step.calls if call.kind != "search"]) for step in steps]
