"""`python -m agentctl.testing.fuzz MINUTES [PARSER…]`: fuzzes the parsers, one after the other.

Prints seeds, executions, edges and what was kept; new inputs and failures are written under
``tests/corpus/fuzz/<parser>/`` and replayed by a test. Ends with 1 where a failure was found.
"""

import argparse
import sys
import time
from pathlib import Path
from typing import Final

from agentctl.testing.fuzz.edges import install

COUNTER: Final = install()  # before anything of the rooms under test is imported

from agentctl.testing.fuzz.seeds import page_seeds  # noqa: E402  # see above
from agentctl.testing.fuzz.session import Outcome, Session, input_name, new_mutator  # noqa: E402
from agentctl.testing.fuzz.targets import TARGETS, Target  # noqa: E402

PAGES: Final = Path("tests/corpus")
KEPT: Final = PAGES / "fuzz"
FOUND: Final = "found-"
"""Begins the name of an input that broke an invariant once; it is kept for good."""


def main() -> int:
    """Runs every parser for its share of the time."""
    parser = argparse.ArgumentParser(prog="python -m agentctl.testing.fuzz", description=__doc__)
    parser.add_argument("minutes", type=float)
    parser.add_argument("parsers", nargs="*", help=", ".join(t.name for t in TARGETS))
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000_007)
    parser.add_argument("--kept", type=Path, default=KEPT, help="where inputs are kept")
    asked = parser.parse_args()
    targets = [t for t in TARGETS if not asked.parsers or t.name in asked.parsers]
    share_s = asked.minutes * 60 / len(targets)
    failed = 0
    for target in targets:
        outcome = _run(target, asked.seed, share_s, asked.kept / target.name)
        failed += len(outcome.failures)
    return 1 if failed else 0


def _run(target: Target, seed: int, share_s: float, folder: Path) -> Outcome:
    until = time.monotonic() + share_s
    before = {p.name: p.read_bytes() for p in sorted(folder.glob("*"))}
    session = Session(target.run, COUNTER, new_mutator(seed, target.generate))
    session.start(page_seeds(PAGES, target.name), [*before.values()])
    at_start = len(session.seen)
    outcome = session.fuzz(until=until)
    found = {FOUND + input_name(f.data): f.data for f in outcome.failures.values()}
    _write(folder, outcome.kept | found)
    new = len(outcome.kept.keys() - before.keys())
    _say(
        f"{target.name}: seed {seed}, {outcome.seeds} seeds, {outcome.executions} executions,"
        f" {at_start} edges at the start, {outcome.edges} at the end, {len(outcome.kept)} inputs"
        f" kept ({new} new), at most {outcome.steps_per_byte_max:.0f} steps a byte,"
        f" {len(outcome.failures)} failures"
    )
    for failure in outcome.failures.values():
        _say(f"--- {failure.data!r}\n{failure.what}")
    return outcome


def _write(folder: Path, contents: dict[str, bytes]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*"):
        if old.name not in contents and not old.name.startswith(FOUND):
            old.unlink()
    for name, data in contents.items():
        (folder / name).write_bytes(data)


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
