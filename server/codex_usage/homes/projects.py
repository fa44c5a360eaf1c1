"""Which project a working folder belongs to: a folder and the hash of its remote in, a stable key and a label out."""

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
def hashed_remote(remote: str | None) -> str | None:
    """A git remote as it is kept, `git:<hash of its host and path>/<last part of the path>`; None when it is none."""
    if not remote or not (address := _address(remote)):
        return None
    digest = hashlib.blake2b(address.encode("utf-8", "replace"), digest_size=8).hexdigest()
    return f"git:{digest}/{address.rsplit('/', 1)[-1]}"


def project_of(folder: str | None, remote: str | None) -> Project:
    """The hashed remote decides, as clones and worktrees of one repository are one project; without it the folder."""
    if remote:
        return Project(*remote.split("/", 1))
    if not folder:
        return NO_PROJECT
    path = PurePath(plain_folder(folder))
    return Project(f"dir:{path}", path.name or str(path))


def plain_folder(folder: str) -> str:
    """A logged folder as a path."""
    return folder.removeprefix("file://")


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
