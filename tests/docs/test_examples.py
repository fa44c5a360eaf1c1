"""Every example of the documentation runs, and prints what the page shows."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from codex_usage.cli.commands import cli
from tests.docs.examples import REASONS, ROOT, Reader, agrees, examples, runnable

PAGES = [ROOT / "README.md", ROOT / "SECURITY.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
EXAMPLES = {page: found for page in PAGES if (found := list(examples(page.read_text(encoding="utf-8"))))}
#: Commands whose exit code tells something: over budget; something to mend.
CODES = {"codex-usage status": {0, 3}, "(\ncodex-usage status >": {0, 1}, "codex-usage doctor": {0, 1}}


@pytest.mark.timeout(600)
@pytest.mark.parametrize("page", EXAMPLES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_examples_of_a_page_run_one_after_the_other_and_print_what_it_shows(page: Path, tmp_path: Path) -> None:
    """On the demo's logs, at the moment at which the pages were written."""
    wanted = [one for one in EXAMPLES[page] if not one.reason and runnable(one.command)]
    commands = [runnable(one.command) for one in wanted]
    done = Reader(tmp_path).run(commands)
    assert len(done) == len(wanted)
    for one, command, ended in zip(wanted, commands, done, strict=True):
        codes = next((codes for begin, codes in CODES.items() if command.startswith(begin)), {0})
        assert ended.code in codes, f"{command}\n{ended.printed}"
        assert "Traceback" not in ended.printed
        if one.shown.strip() and command == one.command:
            assert agrees(one.shown, ended.printed), f"{command}\n{ended.printed}"


def test_a_block_that_is_not_run_says_why_in_one_of_few_ways() -> None:
    """The reasons are a list, so that nothing is left out for convenience."""
    assert {one.reason for found in EXAMPLES.values() for one in found if one.reason} <= REASONS


def test_a_command_that_is_not_run_is_one_that_exists(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its command line is parsed as it would be, but the command does nothing; or it is a target of make."""
    for command in cli.commands.values():
        monkeypatch.setattr(command, "callback", lambda **_: None)
    lines = [line for found in EXAMPLES.values() for one in found if one.reason for line in one.command.splitlines()]
    for line in lines:
        if line.startswith("codex-usage "):
            words = shlex.split(re.split(r" [|>]", line)[0], comments=True)
            assert CliRunner().invoke(cli, words[1:]).exit_code == 0, line
        if line.startswith("make "):
            assert re.search(rf"^{line.split()[1]}:", (ROOT / "Makefile").read_text(), re.M), line
