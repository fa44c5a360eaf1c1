"""What a command line runs, in words of our own lists: text in, names of known programs out.

A lexer of the shell's words (quotes, escapes, operators, redirections, here-documents) and no more: nothing is
expanded. Whatever is not in a list here is "other", so no word of a command can get any further.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

LONGEST = 8192
_MOST = 32
_DEEPEST = 3


def table(text: str) -> dict[str, str]:
    """Word -> class, of lines `class: words`."""
    rows = (line.partition(":") for line in text.strip().splitlines())
    return {word: name.strip() for name, _, words in rows for word in words.split()}


#: Program -> what it is mostly run for.
_WORK = table("""
  read: cat head tail nl less more bat wc diff cmp stat file strings xxd od hexdump
  search: rg grep egrep fgrep ag ack find fd ls tree locate which du
  write: apply_patch tee touch rm mv cp mkdir rmdir ln chmod chown patch truncate dd
  test: pytest tox nox jest vitest mocha phpunit rspec ctest playwright cypress unittest
  build: make cmake ninja bazel gcc clang rustc tsc javac webpack vite esbuild mypy ruff eslint prettier black flake8
  build: pylint pyright shellcheck gradle mvn cargo go dotnet
  other: git gh sed awk jq yq sort uniq cut tr xargs cd pwd echo printf export set source true false sleep test date
  other: python node deno bun ruby perl php java npm yarn pnpm npx pip pipx uv poetry pdm hatch conda brew apt apt-get
  other: dnf docker docker-compose podman kubectl helm terraform ansible aws gcloud az curl wget ssh scp rsync tar zip
  other: unzip gzip gunzip zstd ps kill pkill top df env man id whoami uname hostname bash sh zsh fish pwsh powershell
  other: psql mysql sqlite3 redis-cli mongosh openssl base64 sha256sum md5sum codex claude systemctl service journalctl
  other: lsof netstat ss nc ping dig pre-commit rustup rustfmt gofmt swift xcodebuild flutter dart composer bundle rake
  other: rails mix sbt zig other
""")
FAMILIES = frozenset(_WORK)
#: Operations of git by what they do, and of gh.
_GIT = table("""
  read: blame cat-file describe diff log ls-files ls-tree reflog rev-list rev-parse show status
  search: grep
  write: add am apply bisect branch checkout cherry-pick clean clone commit config fetch format-patch gc init ls-remote
  write: merge merge-base mv pull push rebase remote reset restore revert rm shortlog show-ref sparse-checkout stash
  write: switch tag worktree
""")
_GH = table("""
  other: alias api auth browse cache codespace extension gist issue label pr project release repo run search workflow
""")
_OPERATIONS = {"git": (_GIT, "write"), "gh": (_GH, "other")}
OPERATIONS = frozenset({"", "other", *_GIT, *_GH})
#: Words that a command begins with -> how it is read: what only runs another command is looked through, the tasks of a
#: project are told by the next words, and of these readers and writers all arguments are files. A command line's
#: outcome and output are rarely due to trivial ones; another one of it is then the main command.
_ROLES = table("""
  shell: bash sh zsh dash fish
  prefix: if then else elif do while until ! { time exec command nohup builtin npx pipx bunx
  syntax: for case select in function fi done esac }
  wrapper: sudo env timeout xargs nice stdbuf doas
  runner: uv poetry pdm hatch pipenv conda
  tasks: npm yarn pnpm bun cargo go make dotnet gradle mvn mix swift deno rake zig flutter
  files: cat head tail nl less more bat tee touch rm mv cp truncate
  trivial: cd pwd echo printf export set source true sleep mkdir
""")
_TASKS = table("""
  test: test tests nextest
  build: build check clippy
""")
#: Options that take the next word, by program.
_VALUED = {
    "git": {"-C", "-c"}, "gh": {"-R", "--repo"}, "head": {"-n", "-c"}, "tail": {"-n", "-c"}, "sed": {"-e", "-f"},
    "sudo": {"-u", "-g"}, "env": {"-u", "-C"}, "timeout": {"-k", "-s"}, "nice": {"-n"}, "make": {"-C", "-f"},
    "xargs": {"-n", "-I", "-P", "-L", "-d", "-s"}, "uv": {"--with", "--python", "-p"}, "conda": {"-n"},
}  # fmt: skip

# possessive throughout: no text makes it try again
_TOKEN = re.compile(
    r"""\\\n | (?P<plain>(?:[^\s;&|<>()'"\\#]++[ \t]++)++) | (?P<redirect>\d*+[<>][<>&|]*+|&>>?+)
    | (?P<cut>[\n;&|()]++)
    | (?P<word>(?:[^\s;&|<>()'"\\]++|\\.|'[^']*+'?+|"(?:[^"\\]++|\\.)*+"?+)++)""",
    re.X | re.S,
)
_QUOTED = re.compile(r"""'([^']*+)'?+|"((?:[^"\\]++|\\.)*+)"?+|\\(.)""", re.S)
_HEREDOC = re.compile(r"""<<-?[ \t]*+(['"]?)(\w++)\1([^\n]*+)\n.*?(?:^[ \t]*+\2$|\Z)""", re.S | re.M)
_ASSIGNED = re.compile(r"[A-Za-z_]\w*\+?=")
_VERSIONED = re.compile(r"(python|pip|node|ruby|php|gcc|clang)[\d.]++")


class Command(NamedTuple):
    """One command: family, operation (git and gh only) and work (read, search, write, test, build, other) are words
    of our own lists. `files`: the paths it names, as written, to be hashed at once and never kept."""

    family: str
    operation: str
    work: str
    files: tuple[str, ...] = ()

    @property
    def trivial(self) -> bool:
        """True for commands that stand beside the one that matters (`cd x && make`)."""
        return _ROLES.get(self.family) == "trivial"


def commands_of(command: object, depth: int = 0) -> list[Command]:
    """The commands of a shell's script (text) or of an argument list, at most 32 of them. Never raises.

    `bash -lc`, sudo, env, timeout, xargs and the like are looked through; only the first 8192 characters count.
    """
    if isinstance(command, list):
        groups = iter([([word[:LONGEST] if isinstance(word, str) else "" for word in command[:256]], list[str]())])
    elif isinstance(command, str):
        groups = _split(command[:LONGEST])
    else:
        return []
    found: list[Command] = []
    for words, written in groups:
        words = _bare(words)
        script = _script(words)
        if script is not None and depth < _DEEPEST:
            found += commands_of(script, depth + 1)
        elif words and _ROLES.get(words[0]) != "syntax":
            found.append(_command(words, written))
        if len(found) >= _MOST:
            break
    return found[:_MOST]


def _split(script: str) -> Iterator[tuple[list[str], list[str]]]:
    """Simple commands: their words, and the files that they are redirected into."""
    if "<<" in script:
        script = _HEREDOC.sub(r" \3\n", script, 16)
    words: list[str] = []
    written: list[str] = []
    into, comment = "", False
    for match in _TOKEN.finditer(script):
        text = match[0]
        if match.lastgroup == "cut":
            comment = comment and "\n" not in text
            if not comment:
                yield words, written
                words, written, into = [], [], ""
        elif comment or match.lastgroup is None:
            continue
        elif match.lastgroup == "redirect":
            into = text
        elif text[0] == "#":
            comment = True
        else:
            plain = match.lastgroup == "plain"  # words in a row that nothing is to be taken from
            found = text.split() if plain else [_QUOTED.sub(lambda part: part[1] or part[2] or part[3] or "", text)]
            if ">" in into and into[-1] != "&" and found[0] != "/dev/null":
                written.append(found[0])
            words += found[1:] if into else found
            into = ""
    yield words, written


def _bare(words: list[str]) -> list[str]:
    """A command without assignments, reserved words and programs that only run another one."""
    at = 0
    while at < len(words):
        name, following = _name(words[at]), words[at + 1 : at + 3]
        role = _ROLES.get(name)
        if _ASSIGNED.match(words[at]) or role == "prefix":
            at += 1
        elif role == "wrapper" or (role == "runner" and following[:1] == ["run"]):
            at += 1 if role == "wrapper" else 2
            while at < len(words) and words[at].startswith("-"):
                at += 2 if words[at] in _VALUED.get(name, ()) else 1
            at += name == "timeout"
        elif name == "python" and following[:1] == ["-m"] and _name(following[-1]) in FAMILIES:
            at += 2
        else:
            break
    return words[at:]


def _name(word: str) -> str:
    """A program's name without its folder, ending and version."""
    if word in FAMILIES and word[-1:].isalpha():
        return word
    name = word.replace("\\", "/").rpartition("/")[2].removesuffix(".exe")
    match = _VERSIONED.fullmatch(name) if name[-1:].isdigit() else None
    return match[1] if match else "test" if name in ("[", "[[") else name


def _script(words: list[str]) -> str | None:
    """The script that a shell is started with."""
    if words and _ROLES.get(_name(words[0])) == "shell":
        for at, word in enumerate(words[1:-1], 1):
            if word[:1] == "-" and word[:2] != "--" and "c" in word:
                return words[at + 1]
    return None


def _command(words: list[str], written: list[str]) -> Command:
    name = _name(words[0])
    if name not in FAMILIES:
        return Command("other", "", "write" if written else "other", tuple(written))
    valued = _VALUED.get(name, set())  # their values are no arguments
    pairs = pairwise(words)
    plain = [word for before, word in pairs if not word.startswith("-") and before not in valued]
    operation, work, files, role = "", _WORK[name], plain[:0], _ROLES.get(name)
    if name in _OPERATIONS and plain:
        known, usual = _OPERATIONS[name]
        operation, work = (plain[0], known[plain[0]]) if plain[0] in known else ("other", usual)
    elif role == "tasks":
        tasks = (_TASKS.get(word.partition(":")[0]) for word in plain[:2])
        work = next(filter(None, tasks), work)
    elif name == "sed":
        files = plain if any(word[:2] in ("-e", "-f") for word in words) else plain[1:]
        work = "write" if any(word[:2] == "-i" for word in words) else "read" if files else "other"
    elif role == "files":
        files = plain
    if written and work in ("read", "search", "other"):
        work, files = "write", written
    return Command(name, operation, work, tuple(files[:_MOST]))
