"""The commands that look after prices, the rate card and budgets, as their user meets them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from codex_usage.money.config import BUNDLED_CARD, load_budgets, load_pricing, load_rate_card
from tests.support.live import refused, run

CARD = {"models": [{"model": "gpt-5.5", "input": 100, "cached_input": 10, "output": 600}]}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The usage home, not there yet."""
    monkeypatch.setenv("CODEX_USAGE_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("CODEX_USAGE_PRICING", raising=False)
    return tmp_path / "home"


def asked(*words: str) -> Any:
    """A command's JSON."""
    return json.loads(run(*words, "--json"))


# -- init-pricing ------------------------------------------------------------------------------------------


def test_init_pricing_writes_a_file_that_changes_nothing(folder: Path) -> None:
    assert run("init-pricing") == f"{folder / 'pricing.json'} is ready for your prices; its comment says how.\n"
    assert (load_pricing().models, load_pricing().problems) == ({}, [])
    assert folder.stat().st_mode & 0o777 == 0o700


def test_init_pricing_leaves_a_file_that_is_there(folder: Path) -> None:
    folder.mkdir()
    (folder / "pricing.json").write_text("mine")
    assert "exists and is as it was" in run("init-pricing")
    assert asked("init-pricing") == {"path": str(folder / "pricing.json"), "written": False, "backup": None}
    assert (folder / "pricing.json").read_text() == "mine"


def test_init_pricing_by_force_keeps_the_old_file_and_does_so_once(folder: Path) -> None:
    folder.mkdir()
    (folder / "pricing.json").write_text("mine")
    assert asked("init-pricing", "--force")["backup"] == str(folder / "pricing.json.bak")
    assert asked("init-pricing", "--force")["backup"] is None
    assert (folder / "pricing.json.bak").read_text() == "mine"


def test_init_pricing_writes_where_the_environment_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CODEX_USAGE_PRICING", str(tmp_path / "mine.json"))
    run("init-pricing")
    assert (tmp_path / "mine.json").exists()


# -- update-pricing ----------------------------------------------------------------------------------------


def prices(folder: Path, **models: float) -> str:
    """A file of prices."""
    rows = [
        {"id": name, "match": {"equals": name}, "prices": {"input_mtok": price, "output_mtok": 1}}
        for name, price in models.items()
    ]
    path = folder.parent / "data.json"
    path.write_text(json.dumps([{"id": "openai", "name": "OpenAI", "api_pattern": "x", "models": rows}]))
    return str(path)


def test_update_pricing_tells_which_prices_are_new_changed_and_gone(folder: Path) -> None:
    run("update-pricing", "--source-file", prices(folder, a=1, b=1))
    said = run("update-pricing", "--source-file", prices(folder, b=2, c=1)).splitlines()
    assert said[0].startswith("Prices are now genai-prices of ")
    assert said[1:] == ["  new: c", "  changed: b", "  gone: a"]
    assert "no model's price changed" in run("update-pricing", "--source-file", prices(folder, b=2, c=1))
    answer = asked("update-pricing", "--source-file", prices(folder, b=2))
    assert (answer["models_removed"], answer["path"]) == (["c"], str(folder / "prices.json"))


def test_update_pricing_takes_a_file_or_an_address(folder: Path) -> None:
    assert "give one of them" in refused("update-pricing", "--source-file", "x", "--url", "http://127.0.0.1:1")
    assert "there is no file x" in refused("update-pricing", "--source-file", "x")
    assert not folder.exists()


# -- update-rate-card --------------------------------------------------------------------------------------


def test_update_rate_card_writes_the_bundled_card_to_edit(folder: Path) -> None:
    assert "rates of 10 models, 0 of them your own" in run("update-rate-card")
    assert (folder / "rate-card.json").read_bytes() == BUNDLED_CARD.read_bytes()
    assert asked("update-rate-card")["backup"] is None


def test_update_rate_card_installs_a_file_and_keeps_the_old_one(folder: Path) -> None:
    run("update-rate-card")
    source = folder.parent / "card.json"
    source.write_text(json.dumps(CARD))
    assert asked("update-rate-card", "--source-file", str(source)) == {
        "path": str(folder / "rate-card.json"),
        "models": 10,
        "overrides": 1,
        "backup": str(folder / "rate-card.json.bak"),
    }
    assert load_rate_card().rows["gpt-5.5"].state == "override"
    assert (folder / "rate-card.json.bak").read_bytes() == BUNDLED_CARD.read_bytes()


@pytest.mark.parametrize("text", ["{", "[]", '{"models": [{"model": "x"}]}', '{"modells": []}'])
def test_update_rate_card_refuses_a_file_with_any_mistake(folder: Path, text: str) -> None:
    source = folder.parent / "card.json"
    source.write_text(text)
    said = refused("update-rate-card", "--source-file", str(source))
    assert said.startswith("card.json")
    assert said.endswith("The rate card in force stays.")
    assert not folder.exists()


def test_update_rate_card_needs_the_file_that_it_names() -> None:
    assert "there is no file nowhere.json" in refused("update-rate-card", "--source-file", "nowhere.json")


# -- budget ------------------------------------------------------------------------------------------------


def test_budgets_are_set_replaced_listed_and_removed(folder: Path) -> None:
    assert "No budget yet" in run("budget")
    run("budget", "40", "--per", "week")
    run("budget", "1000.5", "--per", "month", "--unit", "credits", "--project", "my-app")
    assert run("budget", "50", "--per", "week").splitlines() == ["1,000.5 credits per month for my-app", "$50 per week"]
    assert asked("budget") == {
        "path": str(folder / "budgets.json"),
        "budgets": [
            {"amount": 1000.5, "unit": "credits", "per": "month", "project": "my-app"},
            {"amount": 50, "unit": "usd", "per": "week"},
        ],
        "problems": [],
    }
    assert run("budget", "--remove", "--per", "week") == "1,000.5 credits per month for my-app\n"
    assert len(load_budgets()[0]) == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["budget", "50"], "--per day, week or month"),
        (["budget", "--remove"], "--per day, week or month"),
        (["budget", "50", "--per", "day", "--remove"], "an amount or --remove"),
        (["budget", "--per", "day"], "an amount is missing"),
        (["budget", "--project", "x"], "an amount is missing"),
        (["budget", "much", "--per", "day"], "must be a number above 0"),
        (["budget", "0", "--per", "day"], "must be a number above 0"),
        (["budget", "5\n\x1b[31m", "--per", "day"], "must be a number above 0"),
        (["budget", "--remove", "--per", "day"], "there is no such budget"),
    ],
)
def test_a_budget_that_is_not_plain_is_refused(folder: Path, words: list[str], said: str) -> None:
    assert said in refused(*words)
    assert not folder.exists()


def test_budgets_with_a_mistake_are_listed_with_it_and_not_written_over(folder: Path) -> None:
    folder.mkdir()
    text = '{"budgets": [{"amount": 5, "unit": "usd", "per": "day"},\n {"amount": 5, "unit": "eur", "per": "day"}]}'
    (folder / "budgets.json").write_text(text)
    said = 'budgets.json: budgets[1].unit must be "usd" or "credits"; this entry is left out.'
    assert run("budget") == f"$5 per day\n{said}\n"
    assert asked("budget")["problems"] == [said]
    assert refused("budget", "6", "--per", "day") == f"{said} Mend this first, so that nothing is lost."
    assert (folder / "budgets.json").read_text() == text


@pytest.mark.parametrize("words", [["init-pricing", "--force"], ["update-rate-card"]])
def test_a_folder_in_place_of_the_file_is_told(folder: Path, words: list[str]) -> None:
    for name in ("pricing.json", "rate-card.json"):
        (folder / name).mkdir(parents=True)
    assert "is not a file; remove it" in refused(*words)
