"""Reads, checks and writes the user's own files below the usage home. All may be missing.

A file is never a reason to fail. One that can't be read counts as missing, a wrong entry is left out and the
rest holds; each costs one line in `problems` that says where, what is expected, and so how to mend it.
Numbers stay exact: they are decimals, never floats.
"""

from __future__ import annotations

import os
import re
import secrets
import stat
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from decimal import Context, Decimal
from pathlib import Path
from typing import IO, Annotated, Any, TypeVar, get_args, get_origin

import msgspec

from codex_usage.homes.places import usage_home
from codex_usage.model import BadInput

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
Text = Annotated[str, msgspec.Meta(min_length=1)]
T = TypeVar("T", bound=msgspec.Struct)


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


def write_json(path: Path, value: object) -> Path:
    """Replace a file at once by a value as JSON, decimals as numbers. Raises BadInput."""
    write_bytes(path, as_json(value))
    return path


def as_json(value: object) -> bytes:
    """Readable JSON; decimals are numbers, structs objects, paths text."""
    return msgspec.json.format(_ENCODER.encode(value), indent=2) + b"\n"


def write_bytes(path: Path, data: bytes) -> None:
    """Replace a file at once, for the user's eyes only; a link stays a link. Raises BadInput."""
    with replacing(path) as file:
        file.write(data)


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """A file to write into, which takes the place of another at once when all went well. Raises BadInput."""
    target = Path(os.path.realpath(path))
    try:
        for missing in reversed([one for one in (target.parent, *target.parent.parents) if not one.exists()]):
            missing.mkdir(mode=0o700, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".codex-usage-", dir=target.parent) as folder:
            descriptor, name = tempfile.mkstemp(dir=folder)
            with os.fdopen(descriptor, "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(target)
    except OSError as error:
        raise BadInput(f"Cannot write {path} ({error.strerror}).") from error


def installation_secret(folder: Path) -> bytes:
    """The key of this installation's hashes, 32 bytes that the first process to ask makes for all. Raises BadInput."""
    path = folder / "secret"
    if not read_file(path):
        own = folder / f".secret-{secrets.token_hex(8)}"
        write_bytes(own, secrets.token_bytes(32))
        try:
            os.link(own, path)  # unlike a rename it never takes the place of another process's
        except OSError:  # it is there meanwhile, or empty, or the file system has no links
            if not read_file(path):
                own.replace(path)
        own.unlink(missing_ok=True)
    return read_file(path) or b""


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
            table = {name: self._read(at + key_path(name), each, get_args(kind)[1]) for name, each in named.items()}
            return {name: each for name, each in table.items() if each is not None}
        try:
            if isinstance(raw, dict) and hasattr(kind, "__struct_fields__"):
                self._check_keys(at, raw, kind.__struct_encode_fields__)
            return convert(raw, kind, at)
        except BadInput as wrong:
            self.warn(f"{at}{wrong}; this entry is left out")
            return None

    def _check_keys(self, at: str, value: dict[str, Any], known: tuple[str, ...]) -> None:
        for key in value:
            if key not in (*known, "comment") and len(self.problems) <= _MOST_PROBLEMS:
                from difflib import get_close_matches

                near = get_close_matches(key[:80], known, 1)
                hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}"
                self.warn(f"{at}{key_path(key)} is unknown and ignored; {hint}")

    def warn(self, said: str) -> None:
        """A line about one place: its keys, what is expected."""
        if len(self.problems) < _MOST_PROBLEMS:
            self.problems.append(one_line(f"{self.name}: {said.lstrip('.')}."))
        elif len(self.problems) == _MOST_PROBLEMS:
            self.problems.append(f"{self.name}: and more; mend those above first.")


def convert(raw: Any, kind: type[T], name: str = "") -> T:
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


def key_path(name: str) -> str:
    """A key as it stands in a path."""
    return f".{name[:80]}" if name.isidentifier() else f'["{name[:80]}"]'
