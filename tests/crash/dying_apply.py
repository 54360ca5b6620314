"""A process that applies the folder of a bench on disk and kills itself at one write.

Started by `test_a_killed_process.py` as ``python dying_apply.py PATH AT HOW``; prints how many
writes were made where it lives to the end.
"""

import sys
from pathlib import Path

import anyio

from agentctl.engine.apply import apply
from agentctl.testing.builders import Bench, wanting
from agentctl.testing.clock import START, StillWorld
from agentctl.testing.crash import How

PID = 5000


async def main(path: Path, at: int, how: How) -> None:
    world = StillWorld(at=START.replace(hour=9), seed="dying", tick_s=0.001, pid=PID)
    cluster, store = await Bench(path, where="lance", world=world).crashing(at, how, kill=True)
    result = await apply(cluster, Bench(path).agent, wanting())
    assert result.ok, result.diagnostics
    sys.stdout.write(f"{store.writes}\n")


if __name__ == "__main__":
    _, path_text, at_text, how_text = sys.argv
    HOW: How = "after" if how_text == "after" else "before"
    anyio.run(main, Path(path_text), int(at_text), HOW)
