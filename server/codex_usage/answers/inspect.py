"""What one log shows, counted by itself: for questions about a single file, without the index."""

from collections import Counter
from functools import reduce
from pathlib import Path

from codex_usage.answers.results import Answer
from codex_usage.ledger import Family, count_rollout, count_transcript
from codex_usage.logs import BrokenLog
from codex_usage.model import BadInput, LogFile, Tokens, privacy


class LogReport(Answer):
    """A log's header, sums and what could not be read. Copies are told apart from the thread's own calls."""

    path: privacy.Path
    producer: privacy.Label
    thread_id: privacy.Identity | None
    version: privacy.Label | None
    role: privacy.Label | None
    forked_from: privacy.Identity | None
    calls: int
    recovered_calls: int
    turns: int
    models: dict[privacy.Label, int]
    input_tokens: int
    cached_input_tokens: int
    output_tokens: int
    reasoning_output_tokens: int
    compactions: int
    rate_limit_snapshots: int
    skipped: dict[privacy.Label, int]
    bytes: int
    unread_bytes: int


def inspect_log(path: Path) -> LogReport:
    """Read one rollout or transcript. Raises BadInput when it can't be read."""
    try:
        stat = path.stat()
        if not path.is_file():
            raise BadInput(f"{path} is not a file; name one rollout-….jsonl or a Claude Code transcript.")
        name = path.name.removesuffix(".zst")
        provider = "codex" if name.startswith("rollout-") else "claude"
        file = LogFile(name, str(path), provider, "", stat.st_size, stat.st_mtime_ns, stat.st_ino, None)
        counted = count_rollout(file, 0, b"", Family({})) if provider == "codex" else count_transcript(file, 0, b"")
    except (OSError, BrokenLog) as error:
        raise BadInput(f"Cannot read {path}: {getattr(error, 'strerror', None) or error}.") from error
    models = Counter(call.model or "(unknown)" for call in counted.calls)
    total = reduce(Tokens.plus, (call.tokens for call in counted.calls), Tokens())
    thread = counted.thread
    return LogReport(
        path=str(path), producer=provider, thread_id=thread.id if thread else None,
        version=thread.version if thread else None, role=thread.role if thread else None,
        forked_from=thread.forked_from if thread else None, calls=len(counted.calls),
        recovered_calls=sum(call.recovered for call in counted.calls),
        turns=len({call.turn_key for call in counted.calls if call.turn_key}), models=models, input_tokens=total.input,
        cached_input_tokens=total.cached, output_tokens=total.output, reasoning_output_tokens=total.reasoning,
        compactions=sum(call.compaction for call in counted.calls),
        rate_limit_snapshots=len({window.position for window in counted.windows}), skipped=counted.skipped,
        bytes=stat.st_size, unread_bytes=0 if file.compressed else max(0, stat.st_size - counted.offset),
    )  # fmt: skip
