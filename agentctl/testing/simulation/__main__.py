"""Replays seeds: ``python -m agentctl.testing.simulation SEED`` or ``FIRST..LAST``."""

import logging
import sys
import time
from collections import Counter

from agentctl.testing.simulation.run import simulate


def main() -> int:
    """Runs the seeds of the command line; prints the trace of a single one."""
    logging.getLogger("agentctl").addHandler(logging.NullHandler())
    first, _, last = sys.argv[1].partition("..")
    seeds = range(int(first), int(last or first) + 1)
    faults: Counter[str] = Counter()
    transitions: Counter[str] = Counter()
    bad: list[str] = []
    begun = time.monotonic()
    commands = 0
    for seed in seeds:
        outcome = simulate(seed)
        commands += outcome.commands
        faults += outcome.faults
        transitions += outcome.transitions
        if not last:
            sys.stdout.buffer.write(outcome.trace)
        if outcome.bug is not None:
            bad.append(f"seed {seed}: {outcome.bug}")
            sys.stdout.write(bad[-1][:600] + "\n")
    took = time.monotonic() - begun
    sys.stdout.write(f"{len(seeds)} seeds, {commands} commands, {took:.1f} s, {len(bad)} bad\n")
    for name, counted in (("faults", faults), ("transitions", transitions)):
        sys.stdout.write(f"{name}:\n")
        for what, count in sorted(counted.items()):
            sys.stdout.write(f"  {count:8} {what}\n")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
