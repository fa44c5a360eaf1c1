"""The user's own files about money: prices and aliases, a rate card, budgets. All may be missing.

A file is never a reason to fail. One that can't be read counts as missing, a wrong entry is left out and the
rest holds; each costs one line in `problems` that says where, what is expected, and so how to mend it.
Numbers stay exact from the file's text to the price: they are decimals, never floats.
"""

from __future__ import annotations

import os
import re
import stat
import tempfile
from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Context, Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin

import msgspec

from codex_usage.homes import usage_home
from codex_usage.model import BadInput

#: The user's own files. Prices and credits depend on the first ones only.
PRICE_FILES = ("pricing.json", "rate-card.json", "prices.json")
CONFIG_FILES = (*PRICE_FILES, "budgets.json", "allowance.json")
BUNDLED_CARD = Path(__file__).with_name("rate_card.json")
MOST_BYTES = 5_000_000
_MOST_PROBLEMS = 20  # a file with more is broken in one way that the first lines show
_POSITIVE = ("amount", "multiplier")
_PRICES = ("input", "output", "cached_input", "cache_write", "cache_write_1h")
#: What a field must be, for the line about a wrong one; the others are text.
_EXPECTED = {
    **dict.fromkeys(_PRICES, "a number from 0 to 1,000,000 with at most 6 decimals"),
    **dict.fromkeys(_POSITIVE, "a number above 0 and up to 1,000,000 with at most 6 decimals"),
    **dict.fromkeys(("from", "since"), 'a day such as "2026-11-15"'),
    **dict.fromkeys(("observed_at", "resets_at"), 'a time such as "2026-11-15T12:00:00Z"'),
    "above": "a whole number of input tokens",
    "tier": '"standard", or in pricing.json another tier such as "priority"',
    "unit": '"usd" or "credits"',
    "per": '"day", "week" or "month"',
    "plan": '"tokens" or "per_message"',
    "window": '"5h", "weekly" or a length in minutes',
    "limit": 'a name such as "codex"',
    "remaining_percent": "a number from 0 to 100",
}
_ENCODER = msgspec.json.Encoder(decimal_format="number", enc_hook=str)
#: What no decimal holds is not a number, so that only its own entry is wrong.
_DECODER = msgspec.json.Decoder(float_hook=Context(prec=10_000, traps=[]).create_decimal)

Plan = Literal["tokens", "per_message"]
Text = Annotated[str, msgspec.Meta(min_length=1)]
T = TypeVar("T", bound=msgspec.Struct)


class PriceRow(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A user's price: USD per million tokens, from a day (UTC) on, of calls with more than `above` input tokens."""

    input: Decimal
    output: Decimal
    cached_input: Decimal | None = None
    cache_write: Decimal | None = None
    cache_write_1h: Decimal | None = None
    starts: date | None = msgspec.field(name="from", default=None)
    above: Annotated[int, msgspec.Meta(ge=0, le=10**9)] = 0
    tier: Text = "standard"
    estimated: Text | None = None
    source: Text | None = None

    @property
    def from_ms(self) -> int:
        """Milliseconds since 1970 of its first midnight in UTC; 0 when it holds for all time."""
        return (self.starts - date(1970, 1, 1)).days * 86_400_000 if self.starts else 0


class Pricing(msgspec.Struct):
    """pricing.json, its rows in the order of tier, day and size."""

    path: Path
    aliases: dict[str, str]
    models: dict[str, list[PriceRow]]
    problems: list[str]


class CardRow(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Credits per million tokens of a model. `override`: the user's own, other than the bundled card's."""

    model: Text
    input: Decimal
    cached_input: Decimal
    output: Decimal
    tier: Literal["standard"] = "standard"
    source: str = ""
    date: str = ""
    note: str = ""
    state: Literal["exact", "override"] = "exact"


class FastRow(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How many times the credits a call in fast mode uses."""

    multiplier: Decimal
    source: str = ""
    date: str = ""


class RateCard(msgspec.Struct):
    """The rate card in force: rows by model; `fast` by model and "default"; credits count from `since` on."""

    rows: dict[str, CardRow] = {}
    fast: dict[str, FastRow] = {}
    plan: Plan = "tokens"
    since: date = date.min
    problems: list[str] = []


class Budget(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An amount that a day, week or month may cost, of everything or of one project."""

    amount: Decimal
    unit: Literal["usd", "credits"]
    per: Literal["day", "week", "month"]
    project: Text | None = None

    @property
    def key(self) -> tuple[str, str, str | None]:
        """What there is only one budget for."""
        return self.unit, self.per, self.project


def config_path(name: str, env: Mapping[str, str] | None = None) -> Path:
    """Where one of our files is: below the usage home, or for pricing.json where CODEX_USAGE_PRICING says."""
    own = (os.environ if env is None else env).get("CODEX_USAGE_PRICING") if name == "pricing.json" else None
    return Path(os.path.expanduser(own)) if own else usage_home(env) / name  # noqa: PTH111 - it never raises


def config_mark(names: Iterable[str], env: Mapping[str, str] | None = None) -> str:
    """A short text that differs when one of some files was moved or changed. Reads none of them."""
    marks = []
    for path in (config_path(name, env) for name in names):
        try:
            found = path.stat()
            marks.append(f"{path}:{found.st_size}:{found.st_mtime_ns}")
        except OSError:
            marks.append("")
    return ";".join(marks)


def load_pricing(env: Mapping[str, str] | None = None) -> Pricing:
    """The user's prices and aliases. Never raises."""
    path = config_path("pricing.json", env)
    file = ConfigFile(path, aliases=dict[str, Text], models=dict[str, list[PriceRow]], pinned=Any)
    if file.missing and path != usage_home(env) / "pricing.json":
        file.problems.append(f"{file.name} does not exist; CODEX_USAGE_PRICING must name a file.")
    named: dict[str, str] = file.value.get("aliases", {})
    for name, other in named.items():
        if other in named:  # itself, a chain or a loop: one step keeps it plain which price is meant
            file.warn(f"aliases{_key(name)} names the alias {other[:80]!r}, not a model; this entry is left out")
    aliases = {name: other for name, other in named.items() if other not in named}
    models = {name: _in_order(file, name, rows) for name, rows in file.value.get("models", {}).items()}
    return Pricing(path, aliases, {name: rows for name, rows in models.items() if rows}, file.problems)


def _in_order(file: ConfigFile, model: str, rows: list[PriceRow]) -> list[PriceRow]:
    """A model's rows by tier, day and size, without those that can't count."""
    at = f"models{_key(model)}"
    found = {(row.tier, row.starts or date.min, row.above): row for row in rows}
    if len(found) < len(rows):
        file.warn(f'{at} has rows with the same "tier", "from" and "above"; the last of them counts')
    for tier, day, above in list(found):
        if (tier, day, 0) not in found:  # there would be no price for the calls that are smaller
            file.warn(f'{at}: {above=} needs a row of the same "tier" and "from" without "above"; it is left out')
            del found[tier, day, above]
    return [found[key] for key in sorted(found)]


def load_rate_card(env: Mapping[str, str] | None = None, path: Path | None = None) -> RateCard:
    """The bundled rate card, and over it the user's rate-card.json or another file. Never raises."""
    card = _lay_over(RateCard(), BUNDLED_CARD)
    return _lay_over(card, path or config_path("rate-card.json", env)) if path != BUNDLED_CARD else card


def _lay_over(card: RateCard, path: Path) -> RateCard:
    file = ConfigFile(path, plan=Plan, since=date, models=list[CardRow], fast=dict[str, FastRow])
    new, rows = file.value, dict(card.rows)
    for row in new.get("models", []):
        known = card.rows.get(row.model)
        if known and (known.input, known.cached_input, known.output) == (row.input, row.cached_input, row.output):
            rows[row.model] = known
            continue
        if known and "" < row.date < known.date:
            mend = "date it anew, or run codex-usage update-rate-card"
            file.warn(f"models: {row.model[:80]} is older than the bundled rate of {known.date}; {mend}")
        rows[row.model] = msgspec.structs.replace(row, state="override" if card.rows else "exact")
    fast = card.fast | new.get("fast", {})
    return RateCard(rows, fast, new.get("plan", card.plan), new.get("since", card.since), file.problems)


def load_budgets(env: Mapping[str, str] | None = None) -> tuple[list[Budget], list[str]]:
    """The budgets in their order, and what is wrong with the file. Never raises."""
    file = ConfigFile(config_path("budgets.json", env), budgets=list[Budget])
    budgets: list[Budget] = file.value.get("budgets", [])
    found = {budget.key: budget for budget in budgets}
    if len(found) < len(budgets):
        file.warn("budgets has entries with the same unit, time and project; the last of them counts")
    return list(found.values()), file.problems


def make_budget(amount: str, unit: str, per: str, project: str | None) -> Budget:
    """A budget from words. Raises BadInput."""
    try:
        return _convert({"amount": amount, "unit": unit, "per": per, "project": project}, Budget)
    except BadInput as wrong:
        raise BadInput(f"a budget's {str(wrong).lstrip('.')}.") from None


def save_budgets(budgets: Iterable[Budget], env: Mapping[str, str] | None = None) -> Path:
    """Replace budgets.json. Raises BadInput when it can't be written."""
    return write_json(config_path("budgets.json", env), {"budgets": list(budgets)})


def write_json(path: Path, value: object) -> Path:
    """Replace a file at once by a value as JSON, decimals as numbers. Raises BadInput."""
    write_bytes(path, as_json(value))
    return path


def as_json(value: object) -> bytes:
    """Readable JSON; decimals are numbers, structs objects, paths text."""
    return msgspec.json.format(_ENCODER.encode(value), indent=2) + b"\n"


def write_bytes(path: Path, data: bytes) -> None:
    """Replace a file at once, for the user's eyes only; a link stays a link. Raises BadInput."""
    target = Path(os.path.realpath(path))
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".codex-usage-", dir=target.parent) as folder:
            descriptor, name = tempfile.mkstemp(dir=folder)
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(target)
    except OSError as error:
        raise BadInput(f"Cannot write {path} ({error.strerror}).") from error


def template_pricing() -> str:
    """The text of a pricing.json to begin with. It changes no price: JSON has no comments, so they are a key."""
    comment = [
        "Your own prices, in USD per million tokens; they win over all others. Keys named comment are ignored.",
        'aliases: a name in the logs, and the model that it is: {"my-router-name": "gpt-5.5"}',
        'models: one price: {"my-model": {"input": 1.25, "cached_input": 0.125, "output": 10}}',
        "or a list of such rows, each with any of: from (a day, UTC), above (input tokens), tier (priority, flex),",
        "cache_write, cache_write_1h, estimated (why it is an estimate), source (where it is from).",
    ]
    return as_json({"comment": comment, "aliases": {}, "models": {}}).decode()


def read_file(path: Path, most: int = MOST_BYTES) -> bytes | None:
    """The bytes of a file, None when there is none. Raises BadInput for what can't be read or is too large."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # a pipe would make us wait
            raise BadInput(f"{path.name} is not a file; remove it, or put a file in its place.")
        with path.open("rb") as file:
            data = file.read(most + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise BadInput(f"{path.name} can't be read ({error.strerror}); mend its rights or delete the file.") from error
    if len(data) > most:
        raise BadInput(f"{path.name} is larger than {most // 1_000_000} MB; shorten or delete the file.")
    return data


def one_line(said: object) -> str:
    """A text from outside as one line of at most 300 characters that can't speak to the terminal."""
    return "".join(char if char.isprintable() else "?" for char in " ".join(str(said).split()))[:300]


class ConfigFile:
    """One of the user's files: the values of its keys as some types, and a line for each thing that is wrong with it.
    What is wrong is left out and costs nothing else: an entry of a list or a table, or the value of a key."""

    def __init__(self, path: Path, **kinds: Any) -> None:
        self.name, self.missing = path.name, False
        self.problems: list[str] = []
        self.value: dict[str, Any] = {}
        try:
            data = read_file(path)
            self.missing = data is None
            raw = {} if data is None else self._decode(data.removeprefix(b"\xef\xbb\xbf"))
        except BadInput as problem:
            self.problems.append(str(problem))
            return
        if not isinstance(raw, dict):
            self.warn("must be an object {...}; mend it or delete the file")
            return
        self._check_keys("", raw, tuple(kinds))
        found = {key: self._read(key, raw[key], kind) for key, kind in kinds.items() if key in raw}
        self.value = {key: value for key, value in found.items() if value is not None}

    def _decode(self, data: bytes) -> Any:
        end = len(data)
        try:
            return _DECODER.decode(data.decode())
        except RecursionError:
            why = "nested too deeply; mend it"
        except UnicodeDecodeError as error:
            end, why = error.start, "not UTF-8; save it as UTF-8"
        except msgspec.DecodeError as error:
            said, _, byte = str(error).removeprefix("JSON is malformed: ").partition(" (byte ")
            end, why = int(byte.rstrip(")") or end), f"not JSON ({said}); mend it"
        line = data.count(b"\n", 0, end) + 1
        raise BadInput(f"{self.name} line {line}: {why} or delete the file.")

    def _read(self, at: str, raw: Any, kind: Any) -> Any:
        """The value at a place, None for a wrong one. One entry may stand where a list is meant."""
        if get_origin(kind) is list:
            rows = {f"{at}[{number}]": each for number, each in enumerate(raw)} if isinstance(raw, list) else {at: raw}
            found = [self._read(place, each, get_args(kind)[0]) for place, each in rows.items()]
            return [each for each in found if each is not None]
        if get_origin(kind) is dict and isinstance(raw, dict):
            named = {name: each for name, each in raw.items() if name != "comment"}
            table = {name: self._read(at + _key(name), each, get_args(kind)[1]) for name, each in named.items()}
            return {name: each for name, each in table.items() if each is not None}
        try:
            if isinstance(raw, dict) and hasattr(kind, "__struct_fields__"):
                self._check_keys(at, raw, kind.__struct_encode_fields__)
            return _convert(raw, kind, at)
        except BadInput as wrong:
            self.warn(f"{at}{wrong}; this entry is left out")
            return None

    def _check_keys(self, at: str, value: dict[str, Any], known: tuple[str, ...]) -> None:
        for key in value:
            if key not in (*known, "comment") and len(self.problems) <= _MOST_PROBLEMS:
                from difflib import get_close_matches

                near = get_close_matches(key[:80], known, 1)
                hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}"
                self.warn(f"{at}{_key(key)} is unknown and ignored; {hint}")

    def warn(self, said: str) -> None:
        """A line about one place: its keys, what is expected."""
        if len(self.problems) < _MOST_PROBLEMS:
            self.problems.append(one_line(f"{self.name}: {said.lstrip('.')}."))
        elif len(self.problems) == _MOST_PROBLEMS:
            self.problems.append(f"{self.name}: and more; mend those above first.")


def _convert(raw: Any, kind: type[T], name: str = "") -> T:
    """A value as a type. Raises BadInput: the field of it that is wrong, if it has any, and what it must be."""
    expected, at = "text", ""
    try:
        made = msgspec.convert(raw, kind)
        fields = {field: getattr(made, field) for field in getattr(kind, "__struct_fields__", ())}
        wrong = [field for field, value in fields.items() if not _is_amount(field, value)]
        if not wrong:
            return made
    except msgspec.ValidationError as error:
        wrong = re.findall(r"(?:field `|\$\.)(\w+)`", str(error))
        expected = "an object {...}" if "Expected `object`" in str(error) else "text"
    if wrong:
        name, at = wrong[-1], f".{wrong[-1]}"
        if name not in raw:
            raise BadInput(f"{at} is missing")
    raise BadInput(f"{at} must be {_EXPECTED.get(name, expected)}")


def _is_amount(field: str, value: object) -> bool:
    """Whether a decimal is an amount: a price per million tokens is a whole number of our unit, picos per token."""
    if not isinstance(value, Decimal):
        return True
    least = Decimal("0.000001") if field in _POSITIVE else 0
    return value.is_finite() and least <= value <= 1_000_000 and value == round(value, 6)


def _key(name: str) -> str:
    """A key as it stands in a path."""
    return f".{name[:80]}" if name.isidentifier() else f'["{name[:80]}"]'
