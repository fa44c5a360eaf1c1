"""Cheap, varied filler text for log lines.

In: a seeded random generator. Out: JSON-escaped string contents of a wanted size. A body is a slice at a
random place of a pool built once, so a gigabyte costs seconds and no two lines are alike.
"""

from __future__ import annotations

import base64
import bisect
import random
from array import array

POOL_BYTES = 8_000_000
_WORDS = (
    "return self parse config token index reader writer commit branch merge value result error assert import "
    "from class def async await yield lambda None True False path file line count total cached input output "
    "model thread turn call rollout usage price window limit reset session context summary cursor batch row "
    "table column query where group order select insert update delete begin rollback schema version migrate"
)
_VOCABULARY = _WORDS.split()
# Tool output often quotes other logs: counters that search for substrings must not take this for usage.
_QUOTED_LOG = (
    r"{\"timestamp\":\"2026-01-01T00:00:00.000Z\",\"type\":\"event_msg\",\"payload\":{\"type\":\"token_count\","
    r"\"info\":{\"total_token_usage\":{\"input_tokens\":999999,\"output_tokens\":999999}}}}\n"
)


def _pool_line(rng: random.Random) -> str:
    """One escaped line as command output has them: code, listings, diffs, paths, sometimes not ASCII."""
    words = rng.choices(_VOCABULARY, k=rng.randint(3, 14))
    match rng.randrange(12):
        case 0 | 1:
            return rf"    {words[0]} = {words[1]}(\"{words[2]}\", {rng.random():.6f})\n"
        case 2 | 3:
            return rf"{rng.choice('+- ')}        {' '.join(words)}\n"
        case 4:
            return rf"src/{words[0]}/{words[1]}_{words[2]}.py:{rng.randrange(900)}:{' '.join(words)}\n"
        case 5:
            size, minute = rng.randrange(10**6), rng.randrange(60)
            return rf"-rw-r--r-- 1 dev dev {size:>8} Nov 12 09:{minute:02} {words[0]}.rs\n"
        case 6:
            return rf"{rng.getrandbits(160):040x} {' '.join(words)}\n"
        case 7:
            return rf"\t{{\"{words[0]}\": {rng.randrange(10**9)}, \"{words[1]}\": \"{words[2]}\\n\"}},\n"
        case 8 if rng.random() < 0.05:
            return rf"# {words[0]} — größer ✓ 日本語 {words[1]} 🚀\n"
        case 9 if rng.random() < 0.01:
            return _QUOTED_LOG
        case _:
            return rf"{' '.join(words)}\n"


class Bodies:
    """Filler of any size; ``scale`` shrinks every body alike (for homes with many small calls)."""

    def __init__(self, rng: random.Random, scale: float = 1.0, pool: int = POOL_BYTES) -> None:
        self._rng = rng
        self._scale = scale
        self._most = pool // 2
        lines: list[str] = []
        self._starts = array("L", [0])
        size = 0
        while size < pool:
            line = _pool_line(rng)
            lines.append(line)
            size += len(line)
            self._starts.append(size)
        self._text = "".join(lines)
        self._blob = base64.b64encode(rng.randbytes(pool * 3 // 4)).decode("ascii")

    def text(self, size: float) -> str:
        """Escaped text of about ``size`` characters, never cut inside an escape."""
        return self.exact_text(size * self._scale)

    def exact_text(self, size: float) -> str:
        """Like ``text`` but not scaled: the caller already decided."""
        wanted = int(min(size, self._most))
        first = self._rng.randrange(len(self._starts) // 2)
        last = bisect.bisect_left(self._starts, self._starts[first] + wanted, lo=first + 1)
        return self._text[self._starts[first] : self._starts[min(last, len(self._starts) - 1)]]

    def blob(self, size: float) -> str:
        """Base64 of about ``size`` characters, as encrypted reasoning is stored."""
        wanted = int(min(size * self._scale, self._most))
        start = self._rng.randrange(len(self._blob) - wanted)
        return self._blob[start : start + wanted]

    def around(self, mean: float, sigma: float = 0.9) -> float:
        """A log-normal size whose average is ``mean``."""
        return mean * self._rng.lognormvariate(-sigma * sigma / 2, sigma)
