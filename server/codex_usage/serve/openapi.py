"""The endpoints of the live server as data, and the OpenAPI document that is made of them."""

from __future__ import annotations

from functools import cache
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from codex_usage import __version__
from codex_usage.answers import advice_results, board_results, diagnostics_results, results, story_results
from codex_usage.answers.call import OneCall
from codex_usage.answers.diagnostics import SECTIONS
from codex_usage.evidence.results import Evidence
from codex_usage.model.questions import QUESTIONS
from codex_usage.serve.guard import EVENTS, TOKEN

CONTEXT = ("call", "mode", "tool_output", "compaction_history")
ALSO = {"offset": "cursor", "refresh": "scan"}  # other words for arguments of questions
RESULTS: dict[str, type[BaseModel]] = {  # what is answered below /api
    "status": results.Status, "summary": results.Summary, "explain": results.Explanation, "call": OneCall,
    "recommendations": advice_results.Recommendations, "allowance": results.Allowance, "threads": results.Threads,
    "pricing-coverage": results.PricingCoverage, "session": story_results.Session, "calls": results.Calls,
    "thread-calls": results.Calls, "board": board_results.Board, "usage": board_results.Usage, "context": Evidence,
    "diagnostics/{section}": diagnostics_results.Diagnostics, "refresh": results.Status,
}  # fmt: skip
_OTHERS = {"/": "text/html", "/health": "application/json", "/openapi.json": "application/json"}
_NEEDED = {("session", "thread"), ("thread-calls", "thread"), ("call", "call"), ("context", "call")}
_TYPES: dict[str, Any] = {
    **{word: {"type": "integer", "minimum": 0, "maximum": 10**9 - 1} for word in ("limit", "cursor", "weeks")},
    **{word: {"enum": ["0", "1"]} for word in ("compare", "scan", "ytd", *CONTEXT[2:])},
    "mode": {"enum": ["quick", "full"]}, "section": {"enum": list(SECTIONS)},
}  # fmt: skip
_TOKEN = {"type": "apiKey", "in": "header", "name": TOKEN}
_ERROR = {"type": "object", "required": ["error"], "properties": {"error": {"type": "string"}}}


@cache
def document() -> dict[str, Any]:
    """The OpenAPI 3.1 document of the server."""
    models: Any = [(result, "serialization") for result in RESULTS.values()]
    references, schemas = models_json_schema(models, ref_template="#/components/schemas/{model}")
    paths = {path: {"get": {**_operation(kind, {}), "security": []}} for path, kind in _OTHERS.items()}
    paths[EVENTS] = {"get": _operation("text/event-stream", {"type": "string"})}
    for name, result in RESULTS.items():
        told = _operation("application/json", dict(references[result, "serialization"]), result.__doc__ or "")
        paths[f"/api/{name}"] = {"post" if name == "refresh" else "get": {**told, "parameters": _parameters(name)}}
    return {
        "openapi": "3.1.0", "info": {"title": "codex-usage", "version": __version__}, "paths": paths,
        "security": [{"token": []}], "components": {"schemas": schemas["$defs"], "securitySchemes": {"token": _TOKEN}},
    }  # fmt: skip


def _parameters(name: str) -> list[dict[str, Any]]:
    question = name.partition("/")[0].removeprefix("thread-")
    takes = QUESTIONS[question].takes if question in QUESTIONS else CONTEXT if question == "context" else ()
    return [
        {"name": word, "in": "path" if word == "section" else "query", "schema": _TYPES.get(word, {"type": "string"}),
         "required": word == "section" or (name, word) in _NEEDED}
        for word in takes
    ]  # fmt: skip


def _operation(kind: str, schema: dict[str, Any], what: str = "") -> dict[str, Any]:
    good = {"description": "The answer", "content": {kind: {"schema": schema}}}
    wrong = {"description": "What is wrong, with the mend", "content": {"application/json": {"schema": _ERROR}}}
    return {"summary": what.split(".")[0], "responses": {"200": good, "default": wrong}}
