"""The user's files about money: what they mean, and what a wrong one costs."""

from __future__ import annotations

import json
import os
import time
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codex_usage.homes.config import config_mark, config_path, write_json
from codex_usage.model import BadInput
from codex_usage.money.config import (
    BUNDLED_CARD,
    PRICE_FILES,
    Budget,
    PriceRow,
    RateCard,
    load_budgets,
    load_pricing,
    load_rate_card,
    make_budget,
    save_budgets,
    template_pricing,
)  # fmt: skip

FILES = ("pricing.json", "rate-card.json", "budgets.json")
PRICE = {"input": 1, "output": 2}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The usage home, empty."""
    monkeypatch.setenv("CODEX_USAGE_HOME", str(tmp_path))
    monkeypatch.delenv("CODEX_USAGE_PRICING", raising=False)
    return tmp_path


def put(folder: Path, name: str, value: Any) -> Path:
    """Write a file: text and bytes as they are, anything else as JSON."""
    data = value if isinstance(value, bytes) else (value if isinstance(value, str) else json.dumps(value)).encode()
    (folder / name).write_bytes(data)
    return folder / name


def problems() -> list[str]:
    """What is wrong with all files."""
    return load_pricing().problems + load_rate_card().problems + load_budgets()[1]


# -- prices ------------------------------------------------------------------------------------------------


def test_without_files_there_are_no_prices_no_budgets_and_no_problems() -> None:
    assert (load_pricing().models, load_pricing().aliases, load_budgets()[0]) == ({}, {}, [])
    assert problems() == []


def test_a_price_is_the_very_decimal_of_the_file(folder: Path) -> None:
    put(folder, "pricing.json", '{"models": {"m": {"input": 0.1, "cached_input": 0.000001, "output": 10}}}')
    [row] = load_pricing().models["m"]
    assert (row.input, row.cached_input, row.output) == (Decimal("0.1"), Decimal("0.000001"), Decimal(10))
    assert (row.cache_write, row.tier, row.above, row.from_ms) == (None, "standard", 0, 0)


def test_rows_come_in_the_order_of_tier_day_and_size(folder: Path) -> None:
    rows = [
        PRICE | {"tier": "priority"},
        PRICE | {"from": "2026-11-15", "above": 272000, "estimated": "a guess", "source": "a mail"},
        PRICE | {"from": "2026-11-15"},
        PRICE,
    ]
    put(folder, "pricing.json", {"models": {"m": rows}})
    found = load_pricing().models["m"]
    assert [(row.tier, str(row.starts), row.above) for row in found] == [
        ("priority", "None", 0), ("standard", "None", 0),
        ("standard", "2026-11-15", 0), ("standard", "2026-11-15", 272000),
    ]  # fmt: skip
    assert found[3].from_ms == 1_794_700_800_000
    assert (found[3].estimated, found[3].source) == ("a guess", "a mail")
    assert problems() == []


def test_the_last_of_two_rows_for_the_same_counts(folder: Path) -> None:
    put(folder, "pricing.json", {"models": {"m": [PRICE, PRICE | {"input": 7}]}})
    assert [row.input for row in load_pricing().models["m"]] == [7]
    assert "models.m has rows with the same" in problems()[0]


def test_a_row_for_large_calls_alone_is_left_out(folder: Path) -> None:
    put(folder, "pricing.json", {"models": {"m": [PRICE, PRICE | {"above": 5, "from": "2026-01-01"}]}})
    assert [row.above for row in load_pricing().models["m"]] == [0]
    assert 'needs a row of the same "tier" and "from"' in problems()[0]


def test_a_key_that_stands_twice_counts_as_it_stands_last(folder: Path) -> None:
    put(folder, "pricing.json", '{"models": {\n"m": {"input": 1, "output": 2},\n"m": {"input": 3, "output": 4}}}')
    assert load_pricing().models["m"][0].input == 3


@pytest.mark.parametrize("loop", [{"a": "a"}, {"a": "b", "b": "a"}])
def test_aliases_in_a_loop_are_left_out(folder: Path, loop: dict[str, str]) -> None:
    put(folder, "pricing.json", {"aliases": loop | {"mine": "gpt-5.5"}})
    assert load_pricing().aliases == {"mine": "gpt-5.5"}
    assert len(problems()) == len(loop)


def test_an_alias_of_an_alias_is_left_out(folder: Path) -> None:
    put(folder, "pricing.json", {"aliases": {"a": "b", "b": "gpt-5.5"}})
    assert load_pricing().aliases == {"b": "gpt-5.5"}
    assert "aliases.a names the alias 'b'" in problems()[0]


def test_what_prices_were_pinned_to_may_stand_there(folder: Path) -> None:
    put(folder, "pricing.json", {"pinned": {"at": "2026-11-21T10:00:00Z", "source": "genai-prices 0.2.3"}})
    assert problems() == []


def test_prices_can_be_in_another_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = put(folder, "mine.json", {"models": {"m": PRICE}})
    monkeypatch.setenv("CODEX_USAGE_PRICING", str(path))
    assert (load_pricing().path, list(load_pricing().models)) == (path, ["m"])
    path.unlink()
    assert load_pricing().problems == ["mine.json does not exist; CODEX_USAGE_PRICING must name a file."]


def test_the_environment_can_be_given(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    put(other, "pricing.json", {"models": {"m": PRICE}})
    assert list(load_pricing({"CODEX_USAGE_HOME": str(other)}).models) == ["m"]


def test_the_template_changes_no_price_and_has_no_problem(folder: Path) -> None:
    put(folder, "pricing.json", template_pricing())
    assert (load_pricing().models, load_pricing().aliases, problems()) == ({}, {}, [])


# -- what is wrong -----------------------------------------------------------------------------------------

WRONG = [
    ("input", -1, "a number from 0 to 1,000,000 with at most 6 decimals"),
    ("input", 1_000_001, "a number from 0"),
    ("input", 0.0000001, "a number from 0"),
    ("input", None, "a number from 0"),
    ("input", True, "a number from 0"),
    ("input", "NaN", "a number from 0"),
    ("input", 10**300, "a number from 0"),
    ("cached_input", "cheap", "a number from 0"),
    ("from", "2026-02-30", 'a day such as "2026-11-15"'),
    ("from", 5, "a day"),
    ("above", -1, "a whole number of input tokens"),
    ("above", 1.5, "a whole number"),
    ("above", 10**30, "a whole number"),
    ("tier", "", '"standard"'),
    ("estimated", 1, "text"),
]


@pytest.mark.parametrize(("key", "value", "expected"), WRONG)
def test_a_wrong_value_costs_its_row_only_and_says_where_and_what_is_expected(
    folder: Path, key: str, value: object, expected: str
) -> None:
    text = json.dumps({"models": {"gpt-5.5": [PRICE, PRICE | {"tier": "flex", key: value}], "m": PRICE}}, indent=1)
    put(folder, "pricing.json", text)
    assert {name: len(rows) for name, rows in load_pricing().models.items()} == {"gpt-5.5": 1, "m": 1}
    [problem] = problems()
    assert problem.startswith(f'pricing.json: models["gpt-5.5"][1].{key} must be {expected}')


def test_a_number_that_no_decimal_holds_costs_its_row_only(folder: Path) -> None:
    put(
        folder,
        "pricing.json",
        '{"models": {"a": {"input": 1e99999999999999999999, "output": 1},"m":{"input":1,"output":1}}}',
    )
    assert list(load_pricing().models) == ["m"]


def test_a_missing_price_is_named(folder: Path) -> None:
    put(folder, "pricing.json", '{"models":\n {"m":\n  {"input": 1}}}')
    assert problems() == ["pricing.json: models.m.output is missing; this entry is left out."]


@pytest.mark.parametrize(
    ("name", "value", "hint"),
    [
        ("pricing.json", {"model": {}}, "model is unknown and ignored; did you mean 'models'?"),
        ("pricing.json", {"models": {"m": PRICE | {"cache_input": 1}}}, "did you mean 'cached_input'?"),
        ("pricing.json", {"models": {"m": PRICE | {"zzz": 1}}}, "known are input, output"),
        ("rate-card.json", {"plans": "tokens"}, "did you mean 'plan'?"),
        ("budgets.json", {"budgets": [{"amount": 1, "unit": "usd", "per": "day", "projects": "x"}]}, "'project'?"),
    ],
)
def test_an_unknown_key_is_told_with_the_nearest_known_one_and_the_rest_holds(
    folder: Path, name: str, value: object, hint: str
) -> None:
    put(folder, name, value)
    [problem] = problems()
    assert hint in problem
    assert "m" in load_pricing().models or "PRICE" not in str(value)
    assert len(load_budgets()[0]) == (name == "budgets.json")


def test_a_key_named_comment_is_allowed_everywhere(folder: Path) -> None:
    comment = {"comment": "why"}
    put(folder, "pricing.json", {"models": {"m": PRICE | comment} | comment, "aliases": comment} | comment)
    put(folder, "budgets.json", {"budgets": [{"amount": 1, "unit": "usd", "per": "day"} | comment]} | comment)
    assert problems() == []


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b'{\n"models": {},\n}', "line 3: not JSON (trailing comma in object)"),
        (b'{"models":\n NaN}', "line 2: not JSON (invalid character)"),
        (b"", "line 1: not JSON (Input data was truncated)"),
        (b'{\n"x": "\xff"}', "line 2: not UTF-8; save it as UTF-8"),
        (b"[" * 1_000_000, "nested too deeply"),
        (b"[1]", ": must be an object {...}"),
        (b"null", ": must be an object {...}"),
        (b" " * 5_000_001, "is larger than 5 MB"),
        (b'{"a": ' + b"9" * 10_000 + b"}", ""),
    ],
    ids=["comma", "nan", "empty", "latin", "deep", "list", "null", "large", "digits"],
)
@pytest.mark.parametrize("name", FILES)
def test_a_file_that_can_not_be_read_as_meant_counts_as_missing(
    folder: Path, name: str, data: bytes, said: str
) -> None:
    put(folder, name, data)
    [problem] = problems()
    assert problem.startswith(name)
    assert said in problem
    assert (load_pricing().models, load_budgets()[0], len(load_rate_card().rows)) == ({}, [], 10)


def test_a_byte_order_mark_is_no_problem(folder: Path) -> None:
    put(folder, "pricing.json", b"\xef\xbb\xbf" + json.dumps({"models": {"m": PRICE}}).encode())
    assert (list(load_pricing().models), problems()) == (["m"], [])


@pytest.mark.parametrize("name", FILES)
def test_a_folder_or_a_pipe_in_place_of_a_file_is_told_and_waits_for_nobody(folder: Path, name: str) -> None:
    (folder / name).mkdir()
    assert problems() == [f"{name} is not a file; remove it, or put a file in its place."]
    (folder / name).rmdir()
    os.mkfifo(folder / name)
    assert problems() == [f"{name} is not a file; remove it, or put a file in its place."]


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_may_not_be_read_is_told(folder: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    put(folder, name, "{}")
    plain = Path.open

    def refuse(path: Path, *how: str, **more: str) -> Any:
        if path == folder / name:
            raise PermissionError(13, "Permission denied")
        return plain(path, *how, **more)

    monkeypatch.setattr(Path, "open", refuse)
    assert problems() == [f"{name} can't be read (Permission denied); mend its rights or delete the file."]


def test_a_file_with_a_hundred_thousand_mistakes_is_read_soon_and_told_shortly(folder: Path) -> None:
    put(folder, "pricing.json", {"models": {f"m{n}": {"inptu": 1, "x": 2} for n in range(100_000)}, "aliases": []})
    began = time.perf_counter()
    found = load_pricing().problems
    assert time.perf_counter() - began < 20
    assert len(found) == 21
    assert found[-1].endswith("mend those above first.")


@pytest.mark.parametrize("name", ["a\nb", "a\u2028b", "\x1b[31mred", "x" * 10_000, 'a"b', "ключ"])
def test_a_name_from_the_file_neither_breaks_the_line_nor_speaks_to_the_terminal(folder: Path, name: str) -> None:
    put(folder, "pricing.json", {"models": {name: 5}, "aliases": {name: 5}})
    for problem in problems():
        assert problem.isprintable()
        assert len(problem) <= 300


WORDS = st.sampled_from(
    ["aliases", "models", "pinned", "comment", "fast", "plan", "since", "budgets", "input", "output", "cached_input",
     "from", "above", "tier", "amount", "unit", "per", "project", "model", "default", "multiplier", "at", "source",
     "usd", "day", "tokens", "2026-11-15", "gpt-5.5", "standard"]
)  # fmt: skip
LEAVES = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | WORDS | st.text()
)
JSON = st.recursive(
    LEAVES,
    lambda below: st.lists(below, max_size=4) | st.dictionaries(WORDS | st.text(), below, max_size=6),
    max_leaves=30,
)
TOP = st.dictionaries(st.sampled_from(["aliases", "models", "pinned", "fast", "plan", "since", "budgets"]), JSON) | JSON


def loaded_from(folder: Path, data: bytes) -> list[str]:
    """Load all three from the same bytes; every problem is one line that names its file."""
    for name in FILES:
        (folder / name).write_bytes(data)
    found = problems()
    for problem in found:
        assert problem.isprintable()
        assert problem.startswith(FILES)
        assert problem.endswith(".")
    return found


@given(value=TOP)
@settings(max_examples=300)
def test_any_json_at_all_never_raises_and_every_problem_is_one_line(
    tmp_path_factory: pytest.TempPathFactory, value: object
) -> None:
    folder = Path(os.environ["CODEX_USAGE_HOME"])
    loaded_from(folder, json.dumps(value).encode())
    for rows in load_pricing().models.values():
        assert rows
        assert all(0 <= row.input <= 1_000_000 for row in rows)
    card = load_rate_card()
    assert set(card.rows) >= {"gpt-5.5"}
    assert card.fast["default"].multiplier > 0


@given(data=st.binary() | st.text().map(str.encode))
def test_any_bytes_at_all_never_raise(data: bytes) -> None:
    loaded_from(Path(os.environ["CODEX_USAGE_HOME"]), data)


# -- the rate card -----------------------------------------------------------------------------------------


def test_the_bundled_card_is_in_order_and_names_its_sources() -> None:
    card = load_rate_card()
    assert (card.problems, card.plan, card.since) == ([], "tokens", date(2026, 4, 2))
    assert {row.state for row in card.rows.values()} == {"exact"}
    assert all(row.source.startswith("https://") and row.date for row in card.rows.values())
    row = card.rows["gpt-5.4-mini"]
    assert (row.input, row.cached_input, row.output) == (Decimal("18.75"), Decimal("1.875"), Decimal(113))
    assert card.rows["gpt-5.3-codex-spark"].note == "research preview, rates not final"
    factors = {name: row.multiplier for name, row in card.fast.items()}
    assert factors == {"default": 2, "gpt-5.5": Decimal("2.5"), "gpt-5.4": 2}


def test_the_users_rows_are_overrides_where_they_differ_and_the_others_stay(folder: Path) -> None:
    rows = [
        {"model": "gpt-5.5", "input": 125.0, "cached_input": 12.5, "output": 750},
        {"model": "gpt-5.4", "input": 60, "cached_input": 6, "output": 300, "source": "contract", "state": "exact"},
        {"model": "new", "input": 1, "cached_input": 1, "output": 1},
    ]
    put(folder, "rate-card.json", {"plan": "per_message", "models": rows, "fast": {"new": {"multiplier": 3}}})
    card = load_rate_card()
    assert [card.rows[name].state for name in ("gpt-5.5", "gpt-5.4", "new", "gpt-5.2")] == [
        "exact", "override", "override", "exact",
    ]  # fmt: skip
    assert card.rows["gpt-5.5"].source.startswith("https://")
    assert (card.plan, card.since, card.fast["new"].multiplier) == ("per_message", date(2026, 4, 2), 3)
    assert (card.rows["gpt-5.4"].source, card.problems) == ("contract", [])


def test_a_wrong_plan_does_not_cost_the_day(folder: Path) -> None:
    put(folder, "rate-card.json", {"plan": "free", "since": "2026-05-01", "fast": {"default": {"multiplier": 0}}})
    card = load_rate_card()
    assert (card.plan, card.since, card.fast["default"].multiplier) == ("tokens", date(2026, 5, 1), 2)
    assert len(card.problems) == 2


def test_a_row_older_than_the_bundled_one_counts_and_is_told(folder: Path) -> None:
    row = {"model": "gpt-5.5", "input": 100, "cached_input": 10, "output": 600, "date": "2026-04-02"}
    put(folder, "rate-card.json", {"models": [row]})
    card = load_rate_card()
    assert card.rows["gpt-5.5"].input == 100
    assert "gpt-5.5 is older than the bundled rate of 2026-05-27" in card.problems[0]


def test_a_copy_of_the_bundled_card_changes_nothing(folder: Path) -> None:
    before = load_rate_card()
    put(folder, "rate-card.json", BUNDLED_CARD.read_bytes())
    assert load_rate_card() == before
    assert isinstance(before, RateCard)


# -- budgets -----------------------------------------------------------------------------------------------


def test_budgets_come_back_as_they_were_saved(folder: Path) -> None:
    budgets = [make_budget("50", "usd", "week", None), make_budget("0.5", "credits", "day", "my-app")]
    path = save_budgets(budgets)
    assert load_budgets() == (budgets, [])
    assert json.loads(path.read_text())["budgets"][0] == {"amount": 50, "unit": "usd", "per": "week"}
    assert path.stat().st_mode & 0o777 == 0o600


def test_the_last_of_two_budgets_for_the_same_counts(folder: Path) -> None:
    row = {"unit": "usd", "per": "day"}
    put(folder, "budgets.json", {"budgets": [row | {"amount": 1}, row | {"amount": 2}, row | {"amount": 0}]})
    found, told = load_budgets()
    assert [budget.amount for budget in found] == [2]
    assert "budgets[2].amount must be a number above 0" in told[0]
    assert "the last of them counts" in told[1]


@pytest.mark.parametrize("amount", ["0", "-1", "NaN", "many", "1e9", "0.0000001", ""])
def test_an_amount_that_is_none_is_refused(amount: str) -> None:
    with pytest.raises(BadInput, match="a budget's amount must be a number above 0"):
        make_budget(amount, "usd", "week", None)


def test_a_project_without_a_name_is_refused() -> None:
    with pytest.raises(BadInput, match="a budget's project must be text"):
        make_budget("5", "usd", "week", "")


# -- writing and noticing ----------------------------------------------------------------------------------


def test_a_written_file_is_the_users_only_and_its_decimals_are_numbers(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.json"
    write_json(path, {"a": Decimal("0.1"), "rows": [PriceRow(input=Decimal("1.25"), output=Decimal(10))]})
    assert (
        path.read_text()
        == '{\n  "a": 0.1,\n  "rows": [\n    {\n      "input": 1.25,\n      "output": 10\n    }\n  ]\n}\n'
    )
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert [each.name for each in path.parent.iterdir()] == ["a.json"]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real.json").write_text("{}")
    (tmp_path / "link.json").symlink_to("real.json")
    write_json(tmp_path / "link.json", [1])
    assert (tmp_path / "link.json").is_symlink()
    assert json.loads((tmp_path / "real.json").read_text()) == [1]


def test_what_can_not_be_written_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.json").mkdir()
    with pytest.raises(BadInput, match=r"Cannot write .*a\.json"):
        write_json(tmp_path / "a.json", 1)
    assert [each.name for each in tmp_path.iterdir()] == ["a.json"]


def test_the_mark_differs_when_a_file_comes_changes_or_goes(folder: Path) -> None:
    marks = [config_mark(PRICE_FILES)]
    for name in ("pricing.json", "rate-card.json", "prices.json"):
        put(folder, name, "{}")
        marks.append(config_mark(PRICE_FILES))
        os.utime(folder / name, ns=(1, 2))
        marks.append(config_mark(PRICE_FILES))
    (folder / "pricing.json").unlink()
    marks.append(config_mark(PRICE_FILES))
    assert marks[0] == ";;"
    assert len(set(marks)) == len(marks)
    assert config_path("budgets.json") == folder / "budgets.json"


@given(
    rows=st.lists(
        st.builds(
            PriceRow,
            input=st.decimals(0, 1_000_000, places=6),
            output=st.decimals(0, 1_000_000, places=6),
            cached_input=st.none() | st.decimals(0, 1_000_000, places=6),
            starts=st.none() | st.dates(),
            tier=st.sampled_from(["standard", "priority"]),
        ),
        min_size=1,
        unique_by=lambda row: (row.tier, row.starts or date.min),
    )
)
def test_rows_come_back_as_they_were_written(rows: list[PriceRow]) -> None:
    write_json(config_path("pricing.json"), {"models": {"m": rows}})
    found = load_pricing()
    assert found.problems == []
    assert found.models["m"] == sorted(rows, key=lambda row: (row.tier, row.starts or date.min))


def test_a_budget_is_one_for_its_unit_time_and_project() -> None:
    assert Budget(amount=Decimal(1), unit="usd", per="day").key == ("usd", "day", None)
