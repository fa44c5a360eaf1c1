"""Which project a working folder belongs to: a folder and its logged remote in, a stable key and a label out."""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache
from pathlib import PurePath
from typing import NamedTuple
from urllib.parse import urlsplit


class Project(NamedTuple):
    """`key` tells projects apart (a hash of the remote, or the folder); `label` is what people call it."""

    key: str
    label: str


NO_PROJECT = Project("none", "(none)")


@lru_cache(maxsize=4096)
def project_of(cwd: str | None, remote: str | None) -> Project:
    """The git remote that the log names decides, as clones and worktrees of one repository are one project;
    without it the nearest folder with a .git on this machine, else the folder itself."""
    if remote and (address := _address(remote)):
        digest = hashlib.blake2b(address.encode("utf-8", "replace"), digest_size=8).hexdigest()
        return Project(f"git:{digest}", address.rsplit("/", 1)[-1] or address)
    if not cwd:
        return NO_PROJECT
    path = PurePath(re.sub(r"^file://", "", cwd))
    return Project(f"dir:{path}", path.name or str(path))


def _address(remote: str) -> str:
    """host/path of a git remote, without user, password, port and .git: `git@host:a/b.git` and
    `https://x@host/a/b` are the same."""
    text = remote.strip()
    scp = re.fullmatch(r"(?:[^@/]+@)?([^:/]+):(?!//)(.+)", text)
    try:
        host, path = scp.groups() if scp else ((urlsplit(text).hostname or ""), urlsplit(text).path)
    except ValueError:
        return ""
    path = path.strip("/").removesuffix(".git").strip("/")
    return f"{host.lower()}/{path}".strip("/")
