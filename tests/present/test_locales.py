"""The dashboard's words: every language says all that English says, and the page asks for nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import codex_usage
from codex_usage.present.page import FOLDER, LANGUAGES, SCRIPTS

OTHERS = [lang for lang in LANGUAGES if lang != "en"]


def words(lang: str) -> dict[str, str]:
    """Dotted key -> text, of all files of a language; a key said twice is a mistake."""
    found: dict[str, str] = {}
    for path in sorted((FOLDER / "locales").glob(f"{lang}.*json")):
        for key, text in leaves(json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=once)):
            assert key not in found, f"{path.name} repeats {key}"
            found[key] = text
    return found


def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    assert len(dict(pairs)) == len(pairs), f"a name stands twice among {[name for name, _ in pairs]}"
    return dict(pairs)


def leaves(group: dict[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    for name, inside in group.items():
        if isinstance(inside, dict):
            yield from leaves(inside, f"{above}{name}.")
        else:
            yield above + name, inside


ENGLISH = words("en")
GROUPS = "|".join({key.split(".")[0] for key in ENGLISH})
PAGE = "\n".join(
    (FOLDER / name).read_text(encoding="utf-8") for name in [*(f"{one}.js" for one in SCRIPTS), "template.html"]
)
PYTHON = "\n".join(path.read_text(encoding="utf-8") for path in Path(codex_usage.__file__).parent.rglob("*.py"))
# what may fill a hole: any word of the page, and what Python quotes (names of rules and drivers)
QUOTES = re.findall(r'"([\w -]+)"', PYTHON)
NAMES = {*re.findall(r"[\w-]+", re.sub(r"(?s)/\*.*?\*/", "", PAGE)), *QUOTES, *" ".join(QUOTES).split()}

# "group.key" is a key, "group." the beginning of one, `group.${part}.key` a key with holes; calls.csv is a file
QUOTED = set(re.findall(rf'(?<!download\()"((?:{GROUPS})\.[\w.-]*)"', PAGE))
KEYS = {text for text in QUOTED if not text.endswith(".")}
BEGINNINGS = QUOTED - KEYS
WITH_HOLES = set(re.findall(rf"`((?:{GROUPS})\.[^`]*)`", PAGE))
COMPOSED = [re.compile(re.escape(text) + "(.+)") for text in BEGINNINGS]
COMPOSED += [re.compile("(.+)".join(map(re.escape, re.split(r"\$\{[^}]*\}", text)))) for text in WITH_HOLES]


def is_asked(key: str) -> bool:
    found = (pattern.fullmatch(key) for pattern in COMPOSED)
    return key in KEYS or any(match and {*".".join(match.groups()).split(".")} <= NAMES for match in found)


@pytest.mark.parametrize("lang", OTHERS)
def test_a_language_has_exactly_the_english_keys(lang: str) -> None:
    assert sorted(words(lang)) == sorted(ENGLISH)


@pytest.mark.parametrize("lang", OTHERS)
@pytest.mark.parametrize(
    "kept", [r"\{\w*\}", r"codex-usage [a-z-]+(?: --[a-z-]+)*(?: explicit)?"], ids=["placeholders", "command lines"]
)
def test_a_translation_keeps_what_is_no_word(lang: str, kept: str) -> None:
    def of(text: str) -> list[list[str]]:
        forms = [sorted(re.findall(kept, form)) for form in text.split("|")]
        return [form for at, form in enumerate(forms) if form not in forms[:at]]

    assert {key: of(text) for key, text in words(lang).items()} == {key: of(text) for key, text in ENGLISH.items()}


@pytest.mark.parametrize("lang", LANGUAGES)
def test_what_is_said_of_one_and_of_many_is_different_and_about_a_count(lang: str) -> None:
    forms = {key: text.split("|") for key, text in words(lang).items() if "|" in text}
    assert {key: said for key, said in forms.items()
            if len({*said}) != 2 or not re.search(r"\{(count|calls|files)\}", said[0])} == {}  # fmt: skip


@pytest.mark.parametrize("lang", LANGUAGES)
def test_no_text_is_empty_or_holds_markup(lang: str) -> None:
    assert not {key: text for key, text in words(lang).items() if not text.strip() or re.search(r"[<>\0]|&\w+;", text)}


def test_every_key_that_the_page_names_is_said_in_english() -> None:
    assert len(KEYS) > 100
    assert sorted(KEYS - set(ENGLISH)) == []


def test_every_key_that_the_page_composes_begins_or_fits_one_in_english() -> None:
    assert len(COMPOSED) > 20
    assert [one.pattern for one in COMPOSED if not any(map(one.fullmatch, ENGLISH))] == []


def test_nothing_is_said_in_english_that_the_page_never_asks_for() -> None:
    assert [key for key in ENGLISH if not is_asked(key)] == []
