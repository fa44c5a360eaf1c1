"""What a text in an answer may reveal: each text of each result has one of these types. What has none is hidden like
a path. Numbers and flags are measures by their type."""

from enum import StrEnum
from typing import Annotated, NamedTuple


class Kind(StrEnum):
    """Kinds of texts. The mode `redacted` hides paths and projects, `strict` names and ids too. A text or a hint is
    our own sentence or proposed call, which may mention what is hidden elsewhere in the answer."""

    MEASURE, LABEL, TEXT, HINT = "measure", "label", "text", "hint"
    PATH, PROJECT, NAME, IDENTITY = "path", "project", "name", "identity"


class By(NamedTuple):
    """The kind is that of the word, or of each text of the words, in another field of this result or of one around it;
    without `field`, in a dict, that of its key."""

    field: str = ""


Label = Annotated[str, Kind.LABEL]  # names no person, project or what was said: a model, a client, a plan, a time
Path = Annotated[str, Kind.PATH]
Project = Annotated[str, Kind.PROJECT]
Name = Annotated[str, Kind.NAME]  # someone's choice: a thread's name, a nickname, a branch, a tag, an MCP server
Identity = Annotated[str, Kind.IDENTITY]  # of a thread, turn or call, whole or short
Text = Annotated[str, Kind.TEXT]
Hint = Annotated[str, Kind.HINT]

_LABELS = "day week month model effort tier provider origin confidence role kind habit family operation work "
_LABELS += "decision source terminal"
#: The kinds of the texts that words of grouping, filters, parts and columns speak of.
WORDS = dict.fromkeys(_LABELS.split(), Kind.LABEL) | dict.fromkeys(("name", "server", "agent", "home"), Kind.NAME)
WORDS |= dict.fromkeys(("thread", "call", "call_id", "file", "user"), Kind.IDENTITY)
WORDS |= {"project": Kind.PROJECT, "directory": Kind.PATH}
