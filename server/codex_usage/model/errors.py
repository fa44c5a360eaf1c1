"""The errors a user can meet. Each message is one sentence that says what is wrong and the mend.

UsageError
 ├── BadInput        an argument, period, id or config file that can't be read as meant
 ├── NoHome          no Codex or Claude home where we looked
 ├── IndexBusy       another process holds the index longer than we wait
 ├── IndexForeign    the file at --db is not ours
 └── IndexTooNew     the index was written by a newer version
"""


class UsageError(Exception):
    """Base of all errors that are told to the user as one sentence, without a traceback. `names` are those in it that
    the user gave to projects."""

    def __init__(self, sentence: object, *names: str) -> None:
        super().__init__(sentence)
        self.names = names


class BadInput(UsageError):  # noqa: N818 - the name is the noun, the base says that it is an error
    """An argument that can't be understood."""


class NoHome(UsageError):  # noqa: N818
    """No home folder with logs exists."""


class IndexBusy(UsageError):  # noqa: N818
    """The index is locked by another process."""


class IndexForeign(UsageError):  # noqa: N818
    """The database file belongs to something else."""


class IndexTooNew(UsageError):  # noqa: N818
    """The index has a schema this version does not know."""
