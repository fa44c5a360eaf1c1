"""One more call at the end of a generated home, as a running Codex would append it.

In: the ``newest`` part of a home's ledger. Out: the bytes to append, and their usage.
"""

from __future__ import annotations

import io
import random
from pathlib import Path
from typing import Any

from .bodies import Bodies
from .rollouts import Identity, Rollout, Tokens
from .shapes import SHAPES


def tail(path: Path, log: Rollout) -> dict[str, Any]:
    """What is needed to append one more call to a finished file of the newest shape."""
    return {
        "path": path.as_posix(),
        "thread": log.who.thread,
        "session": log.who.session,
        "root_turn": log.who.root_turn,
        "turn": log.turn,
        "ordinal": log.ordinal,
        "model": log.model,
        "total": list(log.total),
    }


def appended(newest: dict[str, Any], now: int) -> tuple[bytes, Tokens]:
    """One more call at ``now`` (ms): its usage record and token count. Moves ``newest`` on."""
    out = io.BytesIO()
    rng = random.Random(now)
    who = Identity(newest["thread"], newest["session"], "/home/dev/src/atlas", root_turn=newest["root_turn"])
    log = Rollout(SHAPES[-1], out, rng, Bodies(rng, pool=1_000), who, now, newest["model"], None)
    log.turn, log.ordinal = newest["turn"], newest["ordinal"]
    log.last = Tokens(50_000 + rng.randrange(1_000), 45_056, 0, 321, 123)
    log.total = Tokens(*newest["total"]).plus(log.last)
    log.usage_record(f"resp_{rng.getrandbits(128):032x}", log.last)
    log.token_count()
    newest["ordinal"], newest["total"] = log.ordinal, list(log.total)
    return out.getvalue(), log.last
