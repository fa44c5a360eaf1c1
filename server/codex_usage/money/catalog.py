"""The public prices in force: those of the installed genai-prices, or newer ones that update-pricing fetched.

A fetched file counts only with the genai-prices version that it was checked with; after an upgrade of the
package the bundled data is the safer one. genai-prices is imported where it is needed: that takes 0.1-0.2 s.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from codex_usage.homes.config import config_mark, config_path, one_line, read_file, write_json
from codex_usage.model import BadInput, UsageError

if TYPE_CHECKING:
    from genai_prices.data_snapshot import DataSnapshot

_KEPT = ("openai", "anthropic")
_MOST_BYTES = 50_000_000


class Catalog(NamedTuple):
    """Prices to look models up in, the name of their source, and why fetched prices are not used."""

    snapshot: DataSnapshot
    source: str
    problem: str | None = None


class UpdateReport(msgspec.Struct):
    """What an update changed, as names of models in order."""

    source: str
    path: Path
    models_added: list[str]
    models_changed: list[str]
    models_removed: list[str]


class _Stored(msgspec.Struct):
    """prices.json: providers as genai-prices publishes them, and where they are from."""

    fetched_at: datetime
    url: str
    genai_prices: str
    providers: list[Any]

    @property
    def source(self) -> str:
        return f"genai-prices of {self.fetched_at:%Y-%m-%d} (update-pricing)"


def catalog(env: Mapping[str, str] | None = None) -> Catalog:
    """The prices in force. Never raises for what prices.json holds; it is read again only when it was changed."""
    return _catalog(config_path("prices.json", env), config_mark(("prices.json",), env))


@lru_cache(maxsize=4)
def _catalog(path: Path, mark: str) -> Catalog:
    from genai_prices import __version__
    from genai_prices.data_snapshot import get_snapshot

    problem, bundled = None, f"genai-prices {__version__}"
    again = f"the prices of {bundled} count; run codex-usage update-pricing again."
    try:
        data = read_file(path, _MOST_BYTES)
        if data is not None:
            stored = msgspec.json.decode(data, type=_Stored)
            if stored.genai_prices == __version__:
                return Catalog(_snapshot(stored.providers), stored.source)
            problem = f"{path.name} was fetched with genai-prices {one_line(stored.genai_prices)}; {again}"
    except BadInput as error:
        problem = str(error)
    except (ValueError, RecursionError) as error:
        problem = f"{path.name} is not as update-pricing writes it ({one_line(error)}); {again}"
    return Catalog(get_snapshot(), bundled, problem)


def update(
    source_file: Path | None = None, url: str | None = None, env: Mapping[str, str] | None = None
) -> UpdateReport:
    """Replace prices.json by newer prices: from a file, a URL, or where genai-prices itself updates from.

    The file is what genai-prices publishes (an array of providers) or a prices.json. All of it is checked before
    the last good file is replaced. Raises BadInput for a file and UsageError for a download that is no use.
    """
    from genai_prices import __version__
    from genai_prices.update_prices import UpdatePrices

    where = source_file.name if source_file else url or UpdatePrices().url
    data = read_file(source_file, _MOST_BYTES) if source_file else _download(where)
    if data is None:
        raise BadInput(f"there is no file {source_file}; --source-file takes the data.json of genai-prices.")
    try:
        stored = msgspec.json.decode(data, type=_Stored | list[Any])
        if isinstance(stored, list):
            stored = _Stored(datetime.now(UTC), where, __version__, stored)
        stored.genai_prices = __version__  # it is checked with this one
        stored.providers = [each for each in stored.providers if each["id"] in _KEPT]
        new = _snapshot(stored.providers)
    except (ValueError, TypeError, LookupError, RecursionError) as error:
        kind = BadInput if source_file else UsageError
        raise kind(f"{where} holds no prices we can use ({one_line(error)}); those in force stay.") from error
    before, after = _prices(catalog(env).snapshot), _prices(new)
    return UpdateReport(
        stored.source,
        write_json(config_path("prices.json", env), stored),
        sorted(after.keys() - before.keys()),
        sorted(name for name in after.keys() & before.keys() if after[name] != before[name]),
        sorted(before.keys() - after.keys()),
    )


def _download(url: str) -> bytes:
    """The body of a URL, fetched as genai-prices does, but not without end. Raises UsageError."""
    import httpx2
    from genai_prices.update_prices import UpdatePrices

    data = bytearray()
    try:
        with httpx2.stream("GET", url, timeout=UpdatePrices().request_timeout) as response:
            response.raise_for_status()
            for chunk in response.iter_bytes():
                data += chunk
                if len(data) > _MOST_BYTES:
                    raise UsageError(f"{url} sends more than {_MOST_BYTES // 10**6} MB; the prices in force stay.")
    except (httpx2.HTTPError, httpx2.InvalidURL, OSError, ValueError) as error:
        raise UsageError(f"Cannot fetch {url} ({one_line(error)}); the prices in force stay.") from error
    return bytes(data)


def _snapshot(providers: list[Any]) -> DataSnapshot:
    """Providers as genai-prices holds them, after a check of all that a look-up relies on. Raises ValueError."""
    from genai_prices.data_snapshot import DataSnapshot
    from genai_prices.types import _providers_from_raw

    try:
        _check(providers)
        found = _providers_from_raw(providers)
        now = {(each.id, model.id): model.get_prices(datetime.now(UTC)) for each in found for model in each.models}
    except Exception as error:  # whatever a foreign parser makes of hostile data
        raise ValueError(one_line(error)) from error
    if not any(id_ == "openai" and getattr(price, "input_mtok", None) is not None for (id_, _), price in now.items()):
        raise ValueError("no OpenAI model has a price")
    return DataSnapshot(found, from_auto_update=False)


def _check(value: Any) -> None:
    """Find what genai-prices would only stumble on in use: broken patterns, numbers that no price has."""
    if isinstance(value, dict):
        if "regex" in value:
            re.compile(value["regex"])
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            _check(each)
    elif isinstance(value, int | float) and not 0 <= value <= 10**9:
        raise ValueError(f"{value} is no price and no number of tokens")


def _prices(snapshot: DataSnapshot) -> dict[str, Any]:
    """What two snapshots are compared by."""
    models = [model for provider in snapshot.providers if provider.id in _KEPT for model in provider.models]
    return {model.id: (model.prices, model.price_variants) for model in models}
