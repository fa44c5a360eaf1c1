"""What is recorded: one function per scenario, driving a `CodexLab` through it.

In: a fresh lab. Out: nothing; the lab's home holds the logs and its mock the ledger. The docstring of each
function is what the recorded case says about itself. `SINCE` names the first version a scenario works on.
"""

from tests.lab.scenarios import agents, basics, histories
from tests.lab.scenarios.common import SCENARIOS, SINCE, TINY, models

__all__ = ["SCENARIOS", "SINCE", "TINY", "agents", "basics", "histories", "models"]
