"""Which project a call belongs to: what its log says, what its folder showed, what projects.json says in; ids out."""

from __future__ import annotations

import json
import sqlite3

from codex_usage.homes.project_config import IGNORED, load_projects
from codex_usage.homes.projects import NO_PROJECT, Project, project_of
from codex_usage.homes.repositories import repository_of


class Attribution:
    """Decides and stores the projects of one transaction. A folder is looked at once and then remembered, so that
    its calls stay together when it goes."""

    def __init__(self, sql: sqlite3.Connection) -> None:
        self.sql = sql
        self.own = load_projects()
        self._known: dict[tuple[str | None, str | None, str | None, int], int] = {}

    def of(self, cwd: str | None, home: str | None, remote: str | None, bundle: int = 0) -> int:
        """The id of the project of a call in `cwd`, of a thread that began in `home` and logged a remote (hashed). For
        a call of a bundle (its file's id) the machine that it came from has decided."""
        key = (cwd, home, remote, bundle)
        if key not in self._known:
            project = self._decide(*key)
            tags = self._tags(project.label)
            self.sql.execute("INSERT OR IGNORE INTO projects (key, label, tags) VALUES (?, ?, ?)", (*project, tags))
            row = self.sql.execute("SELECT id FROM projects WHERE key = ?", (project.key,)).fetchone()
            self._known[key] = row[0]
        return self._known[key]

    def _decide(self, cwd: str | None, home: str | None, remote: str | None, bundle: int) -> Project:
        folder = cwd or home
        if self.own.ignores(folder):
            return IGNORED
        if bundle:
            query = "SELECT key, label FROM decided WHERE file_id = ? AND cwd IS ?"
            best = " ORDER BY (home, remote) IS (?, ?) DESC"
            row = self.sql.execute(query + best, (bundle, cwd, home, remote)).fetchone()
            return self.own.renamed(Project(*row), folder) if row else NO_PROJECT
        if not (home or remote) or not _inside(cwd, home):
            home, remote = cwd, None  # it works elsewhere than its thread
        if home and not remote:
            home, remote = self._look(home)
        return self.own.renamed(project_of(home, remote), folder)

    def _look(self, folder: str) -> tuple[str, str | None]:
        """The main folder and hashed remote of the repository that a folder is in, or the folder itself and None."""
        row = self.sql.execute("SELECT root, remote FROM folders WHERE path = ?", (folder,)).fetchone()
        if row is None:
            row = repository_of(folder) or (folder, None)
            self.sql.execute("INSERT INTO folders VALUES (?, ?, ?)", (folder, *row))
        return row[0], row[1]

    def _tags(self, label: str) -> str | None:
        tags = self.own.tags_of(label)
        return json.dumps(tags, ensure_ascii=False) if tags else None

    def again(self, thread: int | None = None) -> set[tuple[int, int]]:
        """Decide anew about every call, or those of one thread, from what is stored: no log is read.

        Returns the (thread, day) pairs of the calls that moved to another project."""
        where, bound = ("", ()) if thread is None else (" AND t.id = ?", (thread,))
        bundles = "(SELECT id, name FROM files WHERE provider = 'bundle') f ON f."
        heads = self.sql.execute(
            "SELECT cwd, remote, coalesce(f.id, 0), t.id FROM threads t"
            f" LEFT JOIN {bundles}name = t.file WHERE t.file IS NOT NULL{where}",
            bound,
        )
        self.sql.executemany(
            "UPDATE threads SET project_id = ? WHERE id = ?",
            [(self.of(cwd, cwd, remote, bundle), key) for cwd, remote, bundle, key in heads.fetchall()],
        )
        rows = self.sql.execute(
            "SELECT w.text, t.cwd, t.remote, coalesce(f.id, 0), c.project_id, c.id, c.thread_id, c.day FROM calls c"
            f" JOIN threads t ON t.id = c.thread_id{where} LEFT JOIN names w ON w.id = c.cwd_id"
            f" LEFT JOIN {bundles}id = c.file_id",
            bound,
        )
        moved = [(new, *row[5:]) for row in rows if (new := self.of(*row[:4])) != row[4]]
        self.sql.executemany("UPDATE calls SET project_id = ? WHERE id = ?", [row[:2] for row in moved])
        if thread is None:
            self._tidy()
        return {(row[2], row[3]) for row in moved}

    def _tidy(self) -> None:
        """Renew the tags, and drop projects that nothing belongs to any more."""
        labels = self.sql.execute("SELECT id, label FROM projects").fetchall()
        tags = [(self._tags(label), key) for key, label in labels]
        self.sql.executemany("UPDATE projects SET tags = ? WHERE id = ?", tags)
        self.sql.execute(
            "DELETE FROM projects WHERE id NOT IN (SELECT project_id FROM calls)"
            " AND id NOT IN (SELECT project_id FROM threads WHERE project_id IS NOT NULL)"
        )
        self._known.clear()


def _inside(folder: str | None, home: str | None) -> bool:
    """True when a call's folder is its thread's, or below it, so that it belongs to the same project."""
    return folder is None or home is None or folder == home or folder.startswith(home.rstrip("/\\") + "/")
