"""Writes docs/reference/json.md anew: fields, their order and types from the results, their meanings as they stand.

    python -m tests.docs.json_reference --write

A field that is new gets the meaning "?", which the test refuses until someone has said what it means.
"""

from __future__ import annotations

import dataclasses
import pkgutil
import re
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType, NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel

from codex_usage import answers
from codex_usage.cli.checks import Check
from codex_usage.evidence import results as evidence
from codex_usage.index import Refreshed
from codex_usage.present import page

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "json.md"
_WORDS = {int: "integer", float: "number", bool: "true or false", str: "text", NoneType: "null", Path: "text"}


def _modules() -> Iterator[ModuleType]:
    for found in pkgutil.iter_modules(answers.__path__, "codex_usage.answers."):
        yield import_module(found.name)
    yield from (page, evidence)


def heading(model: type) -> str:
    """The section of a result: its name, but for the one that shares it with another."""
    return "Evidence of a call" if model is evidence.Evidence else model.__name__


def results() -> dict[str, type]:
    """Everything that a command prints as JSON, by its section."""
    found: list[type] = [
        model
        for module in _modules()
        for model in vars(module).values()
        if isinstance(model, type) and issubclass(model, BaseModel) and model.__module__ == module.__name__
    ]
    return {heading(model): model for model in [*found, Refreshed, Check] if fields(model)}


def fields(model: type) -> dict[str, str]:
    """The JSON names of a result's fields, with their types in words."""
    hints = get_type_hints(model, include_extras=True)
    if issubclass(model, BaseModel):
        return {field.alias or name: _type(hints[name]) for name, field in model.model_fields.items()}
    return {field.name: _type(hints[field.name]) for field in dataclasses.fields(model)}


def _type(hint: Any) -> str:
    origin, args = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return _type(args[0])
    if origin in (Union, UnionType):
        return " or ".join(dict.fromkeys(map(_type, args)))
    if origin is list or hint is list:
        return f"list of {_type(args[0])}" if args else "list"
    if origin is dict:
        return f"object of {_type(args[1])}"
    if isinstance(hint, type) and issubclass(hint, BaseModel):
        return f"[{heading(hint)}](#{heading(hint).lower().replace(' ', '-')})"
    return _WORDS.get(hint, "any")


def written(text: str) -> str:
    """The page as it must be, from the page as it is."""
    for name, model in results().items():
        if f"\n## {name}\n" not in text:
            text += f"\n## {name}\n\n| field | meaning |\n|---|---|\n"
        before, mark, rest = text.partition(f"\n## {name}\n")
        own, following, after = rest.partition("\n## ")
        text = before + mark + _with_table(own, fields(model)) + following + after
    return text


def _with_table(section: str, types: dict[str, str]) -> str:
    cells = [re.split(r"(?<!\\)\|", line) for line in section.splitlines() if line.startswith("| `")]
    meanings = {row[1].strip(" `"): row[-2].strip() for row in cells}
    lines = [f"| `{name}` | {kind} | {meanings.get(name, '?')} |\n" for name, kind in types.items()]
    table = "".join(["| field | type | meaning |\n", "|---|---|---|\n", *lines])
    return re.sub(r"(?:^\|.*\n)+", lambda _: table, section, count=1, flags=re.M)


if __name__ == "__main__":
    made = written(PAGE.read_text(encoding="utf-8"))
    if "--write" in sys.argv:
        PAGE.write_text(made, encoding="utf-8")
    else:
        print(made)
