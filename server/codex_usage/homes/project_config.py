"""projects.json: other names for projects, folders that are out of sight, tags. A wrong entry costs only itself."""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from codex_usage.homes.config import ConfigFile, Text, as_json, config_path, key_path
from codex_usage.homes.projects import Project, hashed_remote, plain_folder

IGNORED = Project("ignored", "(ignored)")
_EXPECTED = {
    None: "a name, a folder or a git remote",
    "folder": "a folder that begins with / or ~",
    "name": "the name of a project, * allowed",
}


class _Rule(NamedTuple):
    """What an entry is about (`remote`, `folder` or `name`), and what that must be; `*` and `?` are wild."""

    about: str
    glob: str

    def fits(self, text: str) -> bool:
        """Is it this one?"""
        if self.about == "folder":
            return _is_below(text, self.glob)
        return fnmatchcase(text.lower(), self.glob.lower())


class ProjectConfig(NamedTuple):
    """aliases in the order of the file, with their labels; folders to ignore; tags by patterns of labels."""

    aliases: list[tuple[_Rule, str]]
    ignored: list[tuple[_Rule, None]]
    tags: list[tuple[_Rule, list[str]]]
    problems: list[str]

    def ignores(self, folder: str | None) -> bool:
        """Is a folder to be kept out of sight?"""
        return folder is not None and any(rule.fits(_slashes(folder)) for rule, _ in self.ignored)

    def renamed(self, project: Project, folder: str | None) -> Project:
        """A project under the label of the first alias that fits it, or the folder that was worked in."""
        about = {"remote": project.key, "name": project.label, "folder": _slashes(folder or "")}
        for rule, label in self.aliases:
            if rule.fits(about[rule.about]):
                return Project(f"as:{label}", label)
        return project

    def tags_of(self, label: str) -> list[str]:
        """The tags of all entries that fit a label, sorted."""
        return sorted({tag for rule, tags in self.tags if rule.fits(label) for tag in tags})


def load_projects(env: Mapping[str, str] | None = None) -> ProjectConfig:
    """What projects.json says. Never raises."""
    file = ConfigFile(
        config_path("projects.json", env),
        aliases=dict[str, Text], ignored_paths=list[Text], tags=dict[str, list[Text]],
    )  # fmt: skip

    def rules(name: str, only: str | None = None) -> list[tuple[_Rule, Any]]:
        found = file.value.get(name, ())
        table: dict[str, Any] = found if isinstance(found, dict) else dict.fromkeys(found)
        return [(rule, said) for key, said in table.items() if (rule := _rule(file, name, key, only))]

    return ProjectConfig(rules("aliases"), rules("ignored_paths", "folder"), rules("tags", "name"), file.problems)


def template_projects() -> str:
    """The text of a projects.json to begin with. It changes nothing yet: its comment is the help."""
    comment = [
        "Other names for projects, folders to keep out of sight, and tags. Keys named comment are ignored.",
        'aliases: what a project is now, and what to call it: its name, a folder, or its git remote, such as',
        '{"shop-old": "shop", "~/src/acme": "acme", "git@github.com:acme/shop.git": "shop"}; the first that fits',
        "counts. ignored_paths: folders whose use counts as (ignored), with no folder shown: [\"~/scratch\"].",
        'tags: words for projects of a name: {"acme-*": ["client-a"]}. A folder stands for all below it; * stands',
        "for any characters of a name, ** for any folders.",
    ]  # fmt: skip
    return as_json({"comment": comment, "aliases": {}, "ignored_paths": [], "tags": {}}).decode()


def _rule(file: ConfigFile, name: str, key: str, only: str | None) -> _Rule | None:
    """What a key of `name` means; None, with a problem, when it can't be meant there."""
    is_folder = re.match(r"[/\\~]|\*\*|[A-Za-z]:[/\\]", key)
    about = "folder" if is_folder else "remote" if re.search(r"[/:]", key) else "name"
    glob = key if about == "name" else (hashed_remote(key) or "").split("/")[0]
    if about == "folder":
        glob = _slashes(os.path.expanduser(key.replace("\0", "")))  # noqa: PTH111 - so it never raises
    if glob and only in (None, about):
        return _Rule(about, glob)
    file.warn(f"{name}{key_path(key)} must be {_EXPECTED[only]}; this entry is left out")
    return None


def _is_below(folder: str, glob: str) -> bool:
    """Does a folder, or one above it, fit? `*` stays within a name, `**` stands for any names, also none.

    Where names don't fit, only the last `**` takes one more: so a long folder costs no more than its length."""
    parts, wanted = folder.rstrip("/").split("/"), glob.rstrip("/").split("/")
    at = here = taken = 0
    star = -1
    while at < len(wanted):
        if wanted[at] == "**":
            star, taken = at, here
            at += 1
        elif here < len(parts) and fnmatchcase(parts[here], wanted[at]):
            at, here = at + 1, here + 1
        elif star < 0 or taken >= len(parts):
            return False
        else:
            taken += 1
            at, here = star + 1, taken
    return True


def _slashes(folder: str) -> str:
    """A folder with plain slashes; on Windows, where any case is the same, in lower case."""
    path = posixpath.normpath(plain_folder(folder).replace("\\", "/"))
    return path.lower() if path[1:2] == ":" else path
