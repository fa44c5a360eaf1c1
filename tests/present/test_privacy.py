"""The pass that hides: which texts are of which kind, what becomes of each, and that it can't be undone or repeated."""

from __future__ import annotations

import importlib
import pathlib as files
import pkgutil
import re
import types
from random import Random
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

import codex_usage
from codex_usage.answers import GROUP_WORDS
from codex_usage.answers.advice_results import AdviceScope
from codex_usage.answers.diagnostics_results import Table
from codex_usage.answers.results import Allowance, Answer, BudgetState, Coverage, Part, PricingCoverage, Threads
from codex_usage.model.privacy import WORDS, Kind, Label, Name, Path, Project, Text
from codex_usage.present.privacy import MODES, apply, kinds_of, shield

SECRET = b"k" * 32
UUID = "01a20050-476b-79a2-bca9-6cb7aa7a5aeb"


def results() -> list[type[BaseModel]]:
    """Every result class of the package."""
    for module in pkgutil.walk_packages(codex_usage.__path__, "codex_usage."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    found, waiting = [], [BaseModel]
    while waiting:
        for kind in waiting.pop().__subclasses__():
            waiting.append(kind)
            if kind.__module__.startswith("codex_usage."):
                found.append(kind)
    return sorted(set(found), key=lambda kind: (kind.__module__, kind.__name__))


RESULTS = [kind for kind in results() if kind.model_fields]


@pytest.mark.parametrize("kind", RESULTS, ids=lambda kind: kind.__name__)
def test_every_text_of_every_result_has_its_kind(kind: type[BaseModel]) -> None:
    assert [name for name, of in kinds_of(kind).items() if of is None] == []


def test_a_text_that_nobody_classified_is_hidden() -> None:
    class New(BaseModel):
        said: str
        more: list[str]
        word: Label

    shown = apply(New(said="Zebra", more=["Zebra", "lion"], word="gpt-6"), "redacted", SECRET)
    assert kinds_of(New)["said"] is None
    assert shown.word == "gpt-6"
    assert "Zebra" not in shown.model_dump_json() and "lion" not in shown.model_dump_json()


def test_every_word_that_usage_is_grouped_by_has_its_kind() -> None:
    assert [word for word in GROUP_WORDS if word not in WORDS] == []
    assert WORDS["thread"] is Kind.IDENTITY and WORDS["project"] is Kind.PROJECT and WORDS["directory"] is Kind.PATH


# -- any answer ------------------------------------------------------------------------------------------------

TOKENS: dict[Any, list[str]] = {
    Kind.PATH: ["/home/zebra/Acme Corp/web", "C:\\Users\\zebra\\web", "~/zebra"],
    Kind.PROJECT: ["zebra-web", "Zebra & Söhne", "(none)"],
    Kind.NAME: ["fix zebra", "feature/zebra", "日本 zebra"],
    Kind.IDENTITY: [UUID, UUID[-8:], "0123456789abcdef"],
    Kind.HINT: [f"usage_calls with thread={UUID[-8:]} order=cost", "usage_threads with period=all"],
    Kind.LABEL: ["gpt-6", "standard", "thread", "project", "model"],
    Kind.TEXT: [f"Thread {UUID[-8:]} of /home/zebra/x cost $1.", f"{UUID}: 3 calls.", "5 calls / 2 turns"],
}
HIDDEN = re.compile(rf"(?i)zebra|söhne|日本|{UUID[-8:]}|01a20050|0123456789abcdef")


def drawn(rng: Random, hint: Any, kind: Any = None) -> Any:
    """Something that a field can hold."""
    origin, args = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return drawn(rng, args[0], hint.__metadata__[0])
    if origin in (Union, types.UnionType):
        return drawn(rng, rng.choice(args), kind)
    if origin is list:
        return [drawn(rng, args[0], kind) for _ in range(rng.randrange(3))]
    if origin is dict:
        return {drawn(rng, args[0]): drawn(rng, args[1], kind) for _ in range(rng.randrange(3))}
    if isinstance(hint, type) and issubclass(hint, BaseModel):
        return built(rng, hint)
    plain = {int: rng.randrange(9), float: rng.random(), bool: True, type(None): None}
    return (
        plain[hint] if hint in plain else rng.choice(TOKENS.get(kind, TOKENS[Kind.LABEL]))
    )  # what words tell of is shown below


def built(rng: Random, model: type[BaseModel]) -> Any:
    hints = get_type_hints(model, include_extras=True)
    names = [name for name in model.model_fields if name != "privacy_mode"]
    return model.model_construct(None, **{name: drawn(rng, hints[name]) for name in names})


@pytest.mark.parametrize("kind", [kind for kind in RESULTS if issubclass(kind, Answer)], ids=lambda kind: kind.__name__)
@given(seed=st.integers(0, 10**9))
def test_any_answer_hides_all_once_and_for_good(kind: type[BaseModel], seed: int) -> None:
    answer = built(Random(seed), kind)
    before = repr(answer)
    strict = apply(answer, "strict", SECRET)
    assert apply(strict, "strict", SECRET) is strict
    assert apply(strict, "redacted", SECRET) is strict, "a weaker mode brings nothing back"
    assert apply(strict, "normal", SECRET) is strict
    assert apply(answer, "normal", SECRET) is answer
    redacted = apply(answer, "redacted", SECRET)
    assert apply(redacted, "redacted", SECRET) is redacted
    assert "/home" not in repr(redacted)
    for twice in (strict, apply(redacted, "strict", SECRET)):
        assert HIDDEN.findall(repr(twice)) == []
    assert repr(answer) == before, "the answer itself is left as it was"


# -- what becomes of each ----------------------------------------------------------------------------------


class Sample(Answer):
    """One text of each kind."""

    cwd: Path | None = None
    project: Project | None = None
    name: Name | None = None
    text: Text = ""


def test_redacted_hides_paths_and_projects_but_those_with_an_alias() -> None:
    plain = Sample(
        cwd="/home/dev/acme", project="acme", name="fix acme", text="acme is in /home/dev/acme, not acme_old."
    )
    shown = apply(plain, "redacted", SECRET)
    assert re.fullmatch(r"path-[a-z2-7]{10}", shown.cwd or "")
    assert re.fullmatch(r"project-[a-z2-7]{10}", shown.project or "")
    assert shown.name == "fix acme", "names are hidden by strict only"
    assert shown.text == f"{shown.project} is in {shown.cwd}, not acme_old."
    assert apply(plain, "redacted", SECRET, {"acme"}).project == "acme"
    assert apply(plain, "strict", SECRET, {"acme"}).project == shown.project


def test_words_of_ours_in_place_of_a_name_stay() -> None:
    assert [apply(Sample(project=word), "strict", SECRET).project for word in ("(none)", "(ignored)")] == [
        "(none)",
        "(ignored)",
    ]


def test_the_kind_of_a_part_tells_what_its_texts_are() -> None:
    parts = [
        Part(kind="thread", id=UUID, label=UUID[-8:], delta=None),
        Part(kind="model", id="gpt-6", label="gpt-6", delta=None),
        Part(kind="call", id="0123456789abcdef", label="2026-11-15T12:00", delta=None),
        Part(kind="something new", id="gpt-6", label="gpt-6", delta=None),
    ]
    thread, model, call, new = (apply(part, "strict", SECRET) for part in parts)
    assert thread.label == thread.id[-8:] != UUID[-8:]
    assert (model.id, model.label, call.label) == ("gpt-6", "gpt-6", "2026-11-15T12:00")
    assert "gpt-6" not in (new.id, new.label)
    assert apply(AdviceScope(kind="habit", id="late_compaction", label="x"), "strict", SECRET).id == "late_compaction"


def test_the_columns_of_a_table_tell_what_its_texts_are() -> None:
    table = Table(title="t", columns=["thread", "family", "uses"], rows=[[UUID, "git", 3], ["all", "rg", 4]], rest=0)
    shown = apply(table, "strict", SECRET).rows
    assert shown[0][0] != UUID
    assert [row[1:] for row in shown] == [["git", 3], ["rg", 4]]
    assert shown[1][0] == "all"


COVERAGE = Coverage(complete=True, busy=False, since=None, pending_files=0, pending_bytes=0, newest_call=None)


def test_a_hint_keeps_its_call_without_what_cannot_be_asked_for() -> None:
    hint = f"usage_calls with thread={UUID[-8:]}"
    plain = Threads.model_construct(rows=[], next=hint, data_quality="", coverage=COVERAGE, order="cost", cursor=None)
    plain = plain.model_copy(update={"period": COVERAGE, "total": COVERAGE})
    assert apply(plain, "strict", SECRET).next == "usage_calls"
    assert apply(plain, "redacted", SECRET).next == hint


def test_an_id_that_only_a_sentence_names_is_hidden_too() -> None:
    for about in (f"thread {UUID}", "call 0123456789abcdef"):
        plain = Allowance.model_construct(about=about, windows=[], credits_balance=None, total=COVERAGE, impact=[])
        plain = plain.model_copy(update={"weeks": [], "zone": "UTC", "coverage": COVERAGE, "data_quality": ""})
        assert re.fullmatch(r"(thread|call) [a-z2-7]{10}", apply(plain, "strict", SECRET).about)


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ('projects.json: aliases["~/src/acme"] must be a name', "projects.json: # must be a name"),
        ("projects.json: tags.acme must be a list", "projects.json: # must be a list"),
        ("cannot read /home/dev/Acme Corp/a b/log.jsonl: no such file", "cannot read #: no such file"),
        ("cannot read C:\\Users\\dev\\x.json; mend it", "cannot read #; mend it"),
        ("input/output of 5 calls / 2 turns at https://models.test/x", None),
        ("12 calls, 3 estimated ($1.20); 50% of input", None),
    ],
)
def test_sentences_lose_paths_and_keys_of_own_files_only(said: str, shown: str | None) -> None:
    text = apply(Sample(text=said), "redacted", SECRET).text
    assert re.sub(r"\b[a-z2-7]{10}\b", "#", text) == shown if shown else text == said


def test_hashes_are_the_same_each_time_and_others_with_another_secret() -> None:
    plain = Sample(name="fix zebra", project="zebra")
    assert apply(plain, "strict", SECRET) == apply(plain, "strict", SECRET) != apply(plain, "strict", b"other")


def test_a_long_text_of_slashes_and_spaces_costs_no_more_than_its_length() -> None:
    for piece in ("/a ", " /", "a b/", "~", "\\ ", "/a" * 50 + " "):
        apply(Sample(text=piece * (100_000 // len(piece))), "strict", SECRET)


def test_budgets_and_problems_go_through_with_everything_else() -> None:
    budget = BudgetState.model_construct(unit="usd", per="week", project="zebra", since="", until="")
    assert apply(budget, "redacted", SECRET).project != "zebra"
    assert "problems" in kinds_of(PricingCoverage)
    assert list(MODES) == ["normal", "redacted", "strict"]


def test_a_shield_takes_the_secret_of_the_folder_and_the_aliases_of_the_user(
    tmp_path: files.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CODEX_USAGE_HOME", str(tmp_path))
    (tmp_path / "projects.json").write_text('{"aliases": {"zebra": "shop"}}', encoding="utf-8")
    shown = [shield("redacted", tmp_path)(Sample(project=word)).project for word in ("shop", "zebra", "zebra")]
    assert shown[0] == "shop"
    assert shown[1] == shown[2] != "zebra"
    assert shield("redacted", tmp_path / "other")(Sample(project="zebra")).project not in (shown[1], "zebra")


def test_in_normal_mode_nothing_is_made_or_changed(tmp_path: files.Path) -> None:
    plain = Sample(cwd="/home/zebra")
    assert shield("normal", tmp_path / "data")(plain) is plain
    assert not (tmp_path / "data").exists()
