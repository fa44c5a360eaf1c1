"""Takes the secrets out of a text before anybody sees it.

The rules are data, in `redaction.toml`; `docs/reference/redaction.md` tells what each catches.
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, partial
from importlib.resources import files

# A word ends before a token also where an escape, a percent code or a colour of the terminal does.
_BEFORE = (r"(?<![A-Za-z0-9]{0})", r"(?<=\\[bfnrt]{0})", r"(?<=\\u00[0-9a-f][0-9a-f]{0})", r"(?<=%[0-9A-F][0-9A-F]{0})",
           r"(?<=[\d\[]m{0})")  # fmt: skip
# What every token that a literal begins is part of; a text's few long words are searched for literals, not all of it.
_LONG = re.compile(r"[\w.$%+/=~:-]{12,}+", re.ASCII)
_MIXED = re.compile(r"[A-Za-z][0-9]|[0-9][A-Za-z]|[b-df-hj-np-tv-xz]{4}")
_UNSPEAKABLE = re.compile(r"(?<![A-Za-z])(?=[a-z]{16})[a-z]*?[b-df-hj-np-tv-xz]{4}")
_PIECES = re.compile(r"[A-Za-z0-9]+")
_CHANGES = re.compile(r"(?<=[a-z])[^a-z]|(?<=[A-Z])[^A-Z]|(?<=[0-9])[^0-9]")


@dataclass(frozen=True)
class Rule:
    """A kind of secret: `name` stands in its place, `catches` tells of it, a literal or regex that must be there."""

    name: str
    catches: str
    random: bool
    starts: dict[str, str]
    names: dict[str, tuple[str, ...]]
    pattern: str
    hint: str

    def found_in(self, text: str, lower: str, long: str, mixed: str, near: str) -> Iterator[re.Pattern[str]]:
        """What to search the text for, judged by the text in small letters and by what `_words` found in it."""
        words, names = (mixed, near) if self.random else (long, lower)
        yield from (_compiled(pattern) for literal, pattern in self.starts.items() if literal in words)
        for name, cases in self.names.items():
            if name in names:
                yield from map(_compiled, cases)
        if self.pattern and _compiled(self.hint).search(text):
            yield _compiled(self.pattern)


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    """Most texts need few of the patterns, and all of them take 0.2 s to compile."""
    return re.compile(pattern, re.ASCII)


@cache
def rules() -> tuple[Rule, ...]:
    """Every rule, in the order they are applied; several may share a name, the first of which tells what it catches."""
    data = tomllib.loads(files(__package__).joinpath("redaction.toml").read_text(encoding="utf-8"))
    return tuple(_rule(**rule) for rule in data["rule"])


def _rule(
    name: str,
    catches: str = "",
    random: bool = False,
    starts: tuple[str, ...] = (),
    names: tuple[str, ...] = (),
    gap: str = "",
    then: str = "",
    pattern: str = "",
    hint: str = "",
) -> Rule:
    def begins(literal: str) -> str:
        # the literal stands first, where a search finds it fastest
        edge = "|".join(before.replace("{0}", re.escape(literal)) for before in _BEFORE)
        return f"{re.escape(literal)}(?:{edge}){then}"

    def follows(word: str) -> tuple[str, ...]:
        return tuple(f"({case}{gap}){then}" for case in (word, word.title(), word.upper()))

    return Rule(
        name,
        catches,
        random,
        {literal: begins(literal) for literal in starts},
        {word: follows(word) for word in names},
        pattern,
        hint,
    )


def redact(text: str) -> tuple[str, dict[str, int]]:
    """The text with `[redacted:RULE]` in place of every secret, and how many each rule took out.

    Takes any text, also JSON in JSON with its escapes, and pieces that are cut off. What was redacted once stays as
    it is. Time is linear in the length of the text.
    """
    counts: Counter[str] = Counter()
    before = None
    while text != before:  # what stood beside a secret may be one itself
        before = text
        seen = text.lower(), *_words(text)
        for rule in rules():
            for pattern in rule.found_in(text, *seen):
                text = pattern.sub(partial(_put, rule, counts), text)
    return text, dict(counts)


def _words(text: str) -> tuple[str, str, str]:
    """The long words, those that may look random, and these with what stands before them, where a name would be."""
    long, mixed, near, end = set(), set(), [], 0
    for match in _LONG.finditer(text):
        long.add(word := match[0])
        if _MIXED.search(word):
            mixed.add(word)
            near.append(text[max(end, match.start() - 100) : match.end()])
            end = match.end()
    return "\n".join(long), "\n".join(mixed), "\n".join(near).lower()


def _put(rule: Rule, counts: Counter[str], match: re.Match[str]) -> str:
    kept = match[1] if match.re.groups else ""
    if rule.random and not looks_random(match[0][len(kept) :]):
        return match[0]
    counts[rule.name] += 1
    return f"{kept}[redacted:{rule.name}]"


def looks_random(value: str) -> bool:
    """Whether the value changes between small letters, capitals and digits as no name does, or cannot be spoken."""
    mixed = "".join(piece for piece in _PIECES.findall(value) if not piece.isalpha() and not piece.isdigit())
    changing = len(mixed) >= 8 and len(set(mixed)) >= 6 and len(_CHANGES.findall(mixed)) >= 3
    return changing or bool(_UNSPEAKABLE.search(value))
