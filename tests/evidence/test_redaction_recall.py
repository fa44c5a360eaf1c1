"""Secrets made from the expressions by which another project finds them, which our rules were not written from."""

from __future__ import annotations

import inspect
import random
import re
import string
from collections.abc import Iterator
from importlib import import_module
from re import _constants as ops  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

import pytest
from detect_secrets.plugins.base import RegexBasedDetector

from codex_usage.evidence.redaction import redact

ORDINARY = string.ascii_letters + string.digits + "_.-"  # what their wildcards stand for here
CATEGORIES = {
    ops.CATEGORY_DIGIT: string.digits,
    ops.CATEGORY_WORD: string.ascii_letters + string.digits + "_",
    ops.CATEGORY_SPACE: " \t",
}
DETECTORS = [
    "artifactory", "aws", "azure_storage_key", "basic_auth", "cloudant", "discord", "github_token", "gitlab_token",
    "ibm_cloud_iam", "ibm_cos_hmac", "jwt", "mailchimp", "npm", "openai", "pypi_token", "sendgrid", "slack",
    "softlayer", "square_oauth", "stripe", "telegram_token", "twilio",
]  # fmt: skip
SAMPLES = 50


def made(pattern: Any, rnd: random.Random) -> str:
    """A text that a parsed expression matches, every choice of it at random."""
    return "".join(_made(op, value, rnd) for op, value in pattern)


def _made(op: Any, value: Any, rnd: random.Random) -> str:
    if op is ops.LITERAL:
        return chr(value)
    if op is ops.ANY:
        return rnd.choice(ORDINARY)
    if op is ops.IN:
        return rnd.choice(_characters(value))
    if op is ops.BRANCH:
        return made(rnd.choice(value[1]), rnd)
    if op is ops.SUBPATTERN:
        return made(value[3], rnd)
    if op in (ops.MAX_REPEAT, ops.MIN_REPEAT):
        least, most, inner = value
        if most is ops.MAXREPEAT:  # what is open-ended is as long as tokens are, what may be left out is short
            most = least + 32 if least else 3
            least = least and least + 16
        return "".join(made(inner, rnd) for _ in range(rnd.randint(least, most)))
    return ""  # a position; what does not match because of it is made again


def _characters(items: Any) -> list[str]:
    found: list[str] = []
    for op, value in items:
        if op is ops.LITERAL:
            found.append(chr(value))
        elif op is ops.RANGE:
            found += map(chr, range(value[0], value[1] + 1))
        elif op is ops.CATEGORY:
            found += CATEGORIES[value]
    if items[0][0] is ops.NEGATE:
        return [char for char in ORDINARY if char not in found]
    return [char for char in found if char != "\\"]  # in their classes an escape too many


def secrets_of(detector: str, rnd: random.Random) -> Iterator[tuple[str, str]]:
    """(text, the secret in it) for every expression of a detector."""
    module = import_module(f"detect_secrets.plugins.{detector}")
    (kind,) = (
        kind for _, kind in inspect.getmembers(module, inspect.isclass)
        if issubclass(kind, RegexBasedDetector) and kind.__module__ == module.__name__
    )  # fmt: skip
    for expression in kind.denylist:
        parsed, count = parser.parse(expression.pattern), 0
        for _ in range(20 * SAMPLES):
            text = made(parsed, rnd)
            if match := expression.search(text):
                yield text, next((group for group in reversed(match.groups()) if group), match[0])
                count += 1
            if count == SAMPLES:
                break
        assert count == SAMPLES, f"{detector}: {expression.pattern}"


@pytest.mark.parametrize("around", ["{}", " x {} y", r"\n{}\n"])
def test_at_least_99_of_100_secrets_of_the_kinds_that_detect_secrets_knows_are_caught(around: str) -> None:
    rnd, missed, total = random.Random(11), [], 0
    for detector in DETECTORS:
        for text, secret in secrets_of(detector, rnd):
            total += 1
            if secret in redact(around.format(text) if "{" not in text else text)[0]:
                missed.append((detector, text))
    assert len(missed) <= total / 100, (len(missed), total, missed[:: len(missed) // 20 + 1])


def test_a_secret_that_is_made_is_of_the_expression() -> None:
    pattern = r"[a-f]{3}(?:x|yy)\d+[^\w]\w?"
    rnd = random.Random(1)
    assert all(re.fullmatch(pattern, made(parser.parse(pattern), rnd)) for _ in range(50))
