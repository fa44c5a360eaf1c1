"""The endpoints of the live server as data, and the OpenAPI document that is made of them."""

from __future__ import annotations

from functools import cache
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from codex_usage import __version__
from codex_usage.answers import Explanation, Recommendations, Session, Status, Summary, Threads
from codex_usage.answers.board_results import Board, Usage
from codex_usage.answers.call import OneCall
from codex_usage.answers.diagnostics import SECTIONS
from codex_usage.answers.diagnostics_results import Diagnostics
from codex_usage.answers.results import Allowance, Calls, Coverage, PricingCoverage
from codex_usage.evidence.results import Evidence
from codex_usage.model.questions import QUESTIONS
from codex_usage.serve.guard import EVENTS, TOKEN

CONTEXT = ("call", "mode", "tool_output", "compaction_history")
#: The page's words for arguments of questions.
ALSO = {"offset": "cursor", "refresh": "scan"}
#: What is answered below /api.
RESULTS: dict[str, type[BaseModel]] = {
    "status": Status, "summary": Summary, "explain": Explanation, "recommendations": Recommendations,
    "allowance": Allowance, "pricing-coverage": PricingCoverage, "threads": Threads, "session": Session,
    "calls": Calls, "thread-calls": Calls, "call": OneCall, "board": Board, "usage": Usage,
    "diagnostics/{section}": Diagnostics, "context": Evidence, "refresh": Coverage,
}  # fmt: skip
_OTHERS = {"/": "text/html", "/health": "application/json", "/openapi.json": "application/json"}
_NEEDED = {("session", "thread"), ("thread-calls", "thread"), ("call", "call"), ("context", "call")}
_WHOLE = {"type": "integer", "minimum": 0, "maximum": 10**9 - 1}
_TYPES: dict[str, Any] = {
    **dict.fromkeys(("limit", "cursor", "offset", "weeks"), _WHOLE),
    **{word: {"enum": ["0", "1"]} for word in ("compare", "refresh", *CONTEXT[2:])},
    "mode": {"enum": ["quick", "full"]}, "section": {"enum": list(SECTIONS)},
}  # fmt: skip
_TOKEN = {"type": "apiKey", "in": "header", "name": TOKEN}
_ERROR = {"type": "object", "required": ["error"], "properties": {"error": {"type": "string"}}}


@cache
def document() -> dict[str, Any]:
    """The OpenAPI 3.1 document of the server."""
    paths = {path: {"get": {**_operation(kind, {}), "security": []}} for path, kind in _OTHERS.items()}
    paths[EVENTS] = {"get": _operation("text/event-stream", {"type": "string"})}
    for name, result in RESULTS.items():
        told = _operation("application/json", {"$ref": f"#/components/schemas/{result.__name__}"}, result.__doc__ or "")
        paths[f"/api/{name}"] = {"post" if name == "refresh" else "get": {**told, "parameters": _parameters(name)}}
    models: Any = [(result, "serialization") for result in RESULTS.values()]
    schemas = models_json_schema(models, ref_template="#/components/schemas/{model}")[1]["$defs"]
    return {
        "openapi": "3.1.0", "info": {"title": "codex-usage", "version": __version__}, "paths": paths,
        "security": [{"token": []}], "components": {"schemas": schemas, "securitySchemes": {"token": _TOKEN}},
    }  # fmt: skip


def _parameters(name: str) -> list[dict[str, Any]]:
    question = name.partition("/")[0].removeprefix("thread-")
    names = {"usage": {"cursor": "offset"}, "diagnostics": {"scan": "refresh"}}.get(question, {})
    takes = QUESTIONS[question].takes if question in QUESTIONS else CONTEXT if question == "context" else ()
    return [
        {"name": word, "in": "path" if word == "section" else "query", "schema": _TYPES.get(word, {"type": "string"}),
         "required": word == "section" or (name, word) in _NEEDED}
        for word in (names.get(word, word) for word in takes)
    ]  # fmt: skip


def _operation(kind: str, schema: dict[str, Any], what: str = "") -> dict[str, Any]:
    good = {"description": "The answer", "content": {kind: {"schema": schema}}}
    wrong = {"description": "What is wrong, with the mend", "content": {"application/json": {"schema": _ERROR}}}
    return {"summary": what.split(".")[0], "responses": {"200": good, "default": wrong}}
