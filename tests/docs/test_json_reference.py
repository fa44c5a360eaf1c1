"""The page of JSON answers is what its generator makes of the results, and every command is on it."""

from __future__ import annotations

import re

import pytest

from codex_usage.cli.commands import cli
from tests.docs import json_reference

TEXT = json_reference.PAGE.read_text(encoding="utf-8")


def test_the_page_is_what_the_generator_would_write() -> None:
    """If not: python -m tests.docs.json_reference --write"""
    assert json_reference.written(TEXT) == TEXT


def test_a_new_field_must_be_explained() -> None:
    assert re.findall(r"^\| `(\w+)` \| .* \| \? \|$", TEXT, re.M) == []


def test_a_field_that_goes_or_changes_is_noticed() -> None:
    assert "| `threads` | integer |" in TEXT
    gone = re.sub(r"^\| `threads` \| integer \|.*\n", "", TEXT, count=1, flags=re.M)
    assert "| `threads` | integer | ? |" in json_reference.written(gone)
    other = TEXT.replace("| `at_least` | true or false |", "| `at_least` | text |")
    assert json_reference.written(other) == TEXT


@pytest.mark.parametrize("command", sorted(cli.commands))
def test_every_command_has_its_answer_on_the_page(command: str) -> None:
    commands = TEXT.partition("\n## ")[0]
    assert re.search(rf"`{command}`", commands), f"say what {command} --json prints"
