"""Hides what must not leave: one pass over any result before it is shown, led by the kinds of its texts."""

from __future__ import annotations

import hashlib
import hmac
import re
from base64 import b32encode
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import cache, partial
from itertools import repeat
from operator import is_not
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args, get_origin, get_type_hints

from pydantic import BaseModel

from codex_usage.homes.config import installation_secret
from codex_usage.homes.project_config import load_projects
from codex_usage.model import BadInput, UsageError
from codex_usage.model.privacy import WORDS, By, Kind

T = TypeVar("T", bound=BaseModel)
_REDACTED = frozenset({Kind.PATH, Kind.PROJECT})
#: Mode -> what it hides.
MODES = {"normal": frozenset[Kind](), "redacted": _REDACTED, "strict": _REDACTED | {Kind.NAME, Kind.IDENTITY}}
#: Words of ours, and times, that stand where a name could.
_OURS = re.compile(r"|all|other|\((?:all|none|ignored|unknown|default)\)|\d{4}-\d\d-\d\dT\d\d:\d\d")
#: What a sentence may name beside the answer's fields: a folder, an entry of the user's files by its key; then ids.
_ELSE = (
    r"(?<![\w.:/])(?:file:/+|~[\w.-]*|[A-Za-z]:)?[\\/]+[\w.~-](?:[^\s;,:\"'()\[\]]| (?=[^;,:\"'()\[\]]{0,99}[\\/]))*"
    r"|(?<=\.json: )(?:aliases|tags|ignored_paths)(?:\.\w+|\[.*\])"
)
_IDS = r"|(?i:\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b|\b[0-9a-f]{16}\b|(?<=thread[ =])[0-9a-f]{8}\b)"


class Trouble(BaseModel):
    """What is wrong, with the mend, and what it names."""

    error: Annotated[str, Kind.TEXT]
    names: Sequence[Annotated[str, Kind.PROJECT]] = ()


def trouble(error: UsageError | str, private: Callable[[Trouble], Trouble]) -> str:
    """The sentence of an error, or any other, as a mode shows it."""
    return private(Trouble(error=str(error), names=list(getattr(error, "names", ())))).error


def shield(mode: str, folder: Path) -> Callable[[T], T]:
    """`apply` with the secret of a data folder and the user's aliases. Raises BadInput."""
    if mode not in MODES:
        raise BadInput(f"Unknown privacy mode {mode!r}; use {', '.join(MODES)}.")
    if mode == "normal":
        return partial(apply, mode=mode, secret=b"")
    aliases = frozenset(label for _, label in load_projects().aliases)
    return partial(apply, mode=mode, secret=installation_secret(folder), aliases=aliases)


def apply(answer: T, mode: str, secret: bytes, aliases: Collection[str] = ()) -> T:
    """An answer as a mode of MODES shows it: what is hidden becomes a hash, always the same, that only who has the
    installation's `secret` can make. `aliases` are labels of projects.json, which only strict hides. What went through
    this mode or a stricter one stays as it is."""
    hides, kept = MODES[mode], aliases if mode == "redacted" else ()
    if hides <= MODES[getattr(answer, "privacy_mode", "normal")]:
        return answer
    names: dict[str, str] = {}

    @cache
    def hashed(text: str) -> str:
        digest = hmac.digest(secret, text.encode("utf-8", "surrogatepass"), hashlib.sha256)
        return b32encode(digest)[:10].decode().lower()

    def collect(text: str, kind: Kind) -> str:
        if kind in hides and not _OURS.fullmatch(text) and not (kind is Kind.PROJECT and text in kept):
            names.setdefault(text, hashed(text) if kind is Kind.IDENTITY else f"{kind}-{hashed(text)}")
            if kind is Kind.IDENTITY and len(text) >= 16:  # the end of the hash stands for the end of the id
                names[text[-8:]] = hashed(text)[-8:]
        return text

    @cache
    def said(text: str) -> str:
        inside = sorted((name for name in names if name in text), key=len, reverse=True)
        known = [rf"(?<!\w){re.escape(name)}(?!\w)(?:[\\/]\S*)?" for name in inside]
        pattern = "|".join([*known, _ELSE]) + _IDS * (Kind.IDENTITY in hides)
        return re.sub(pattern, lambda found: names.get(found[0]) or hashed(found[0]), text)

    def replace(text: str, kind: Kind) -> str:
        if kind is Kind.HINT and said(text) != text:
            return said(text).split(" ")[0]  # the call without its arguments, as a hash can't be asked for
        return said(text) if kind in (Kind.TEXT, Kind.HINT) else names.get(text, text) if kind in hides else text

    clear = MODES["strict"] - hides
    _walk(answer, None, clear, collect)
    shown: T = _walk(answer, None, clear, replace)
    return shown.model_copy(update={"privacy_mode": mode}) if hasattr(answer, "privacy_mode") else shown


def _walk(value: Any, kind: Any, clear: frozenset[Kind], say: Any, around: tuple[BaseModel, ...] = ()) -> Any:
    """A value with each text as `say(text, kind)` has it; `kind` is a list where each text of a list has its own. What
    stays as it is isn't copied, and what is only of kinds that stay `clear` is passed by: there may be many of them."""
    if isinstance(value, BaseModel):
        inner, held = (value, *around), vars(value)
        kinds = kinds_of(type(value), clear)
        told = {name: _walk(held[name], _told(of, inner), clear, say, inner) for name, of in kinds.items()}
        new = {name: each for name, each in told.items() if each is not held[name]}
        return value.model_copy(update=new) if new else value
    if isinstance(value, dict):
        keys = {key: _kind(key) if kind == By() else kind for key in value}
        return {key: _walk(each, keys[key], clear, say, around) for key, each in value.items()}
    if isinstance(value, list):
        single = isinstance(kind, list) and not any(isinstance(each, list) for each in value)
        of = kind if single else repeat(kind)
        texts = [_walk(each, kind, clear, say, around) for each, kind in zip(value, of, strict=False)]
        return texts if any(map(is_not, texts, value)) else value
    return say(value, kind or Kind.PATH) if isinstance(value, str) else value


def _told(kind: Kind | By | None, around: tuple[BaseModel, ...]) -> Any:
    if not isinstance(kind, By) or not kind.field:
        return kind
    words = next((getattr(one, kind.field) for one in around if hasattr(one, kind.field)), "")
    return _kind(words) if isinstance(words, str) else [_kind(word) for word in words]


def _kind(word: str) -> Kind:
    return WORDS.get(word, Kind.PATH)


@cache
def kinds_of(model: type[BaseModel], clear: frozenset[Kind] = frozenset()) -> dict[str, Kind | By | None]:
    """The fields of a result that may hide something (more than kinds that stay `clear`), and the kind of their texts:
    None when they have none."""
    hints = get_type_hints(model, include_extras=True)
    found = {name: set(_leaves(hints[name])) for name in model.model_fields}
    known = {name: kinds for name, kinds in found.items() if kinds - {Kind.LABEL} and not kinds <= clear}
    return {name: kinds.pop() if len(kinds) == 1 else None for name, kinds in known.items()}


def _leaves(hint: Any, kind: Kind | By | None = None) -> Iterator[Kind | By | None]:
    """The kinds of all texts that a type can hold; keys of a dict are labels."""
    if get_origin(hint) is Annotated:
        kind = next((mark for mark in hint.__metadata__ if isinstance(mark, Kind | By)), kind)
        yield from _leaves(hint.__origin__, kind)
    elif args := get_args(hint):
        for arg in args[1:] if get_origin(hint) is dict else args:
            yield from _leaves(arg, kind)
    elif hint not in (int, float, bool, type(None)):
        yield kind if hint is str or not issubclass(hint, BaseModel) else Kind.MEASURE  # its own fields tell
