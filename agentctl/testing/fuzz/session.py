"""One fuzzing session of one parser: mutate, run, keep what reaches new edges, shrink it."""

import hashlib
import signal
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from random import Random
from types import FrameType
from typing import Final

import msgspec

from agentctl.testing.fuzz.edges import Counter
from agentctl.testing.fuzz.mutate import Mutator

STEPS: Final = 50_000
STEPS_PER_BYTE: Final = 1_000
"""An input may take this many blocks of code; more is a hang in the making."""
HANG_S: Final = 20
SHRINK_RUNS_MAX: Final = 60
FAILURES_MAX: Final = 20
KEPT_BYTES_MAX: Final = 250_000
"""What is kept of one parser altogether."""


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """An input that broke an invariant, shrunk."""

    data: bytes
    what: str
    """The last lines of the traceback."""


class Outcome(msgspec.Struct, kw_only=True):
    """What a session did."""

    seeds: int = 0
    executions: int = 0
    edges: int = 0
    steps_per_byte_max: float = 0.0
    kept: dict[str, bytes] = {}
    """Inputs worth keeping, by name."""
    failures: dict[str, Failure] = {}
    """By the place that failed."""


class HangError(Exception):
    """An input took too long."""


class Session:
    """Runs inputs of one parser and remembers what they reach."""

    def __init__(self, run: Callable[[bytes], None], counter: Counter, mutator: Mutator) -> None:
        self.run = run
        self.counter = counter
        self.mutator = mutator
        self.seen: set[int] = set()
        self.given: set[int] = set()
        """What the pages reach, which are replayed by themselves."""
        self.kept_before: frozenset[bytes] = frozenset()
        self.pool: list[bytes] = []
        self.outcome = Outcome()

    def start(self, pages: Sequence[bytes], kept: Sequence[bytes]) -> None:
        """Runs the seeds, those of the pages first; all of them join the pool."""
        self.kept_before = frozenset(kept)
        for seeds in (pages, kept):
            for data in sorted(seeds, key=len):
                self.mutator.learn(data)
                self.seen |= self._execute(data)
                self.outcome.seeds += 1
                self.pool.append(data)
            if seeds is pages:
                self.given = set(self.seen)

    def fuzz(self, *, until: float, executions: int | None = None) -> Outcome:
        """Runs new inputs, then picks what to keep.

        Args:
            until: when to stop, by the monotonic clock.
            executions: how many runs are enough; None for no bound.
        """
        while time.monotonic() < until and len(self.outcome.failures) < FAILURES_MAX:
            if executions is not None and self.outcome.executions >= executions:
                break
            data = self.mutator.make(self.pool)
            new = self._execute(data) - self.seen
            if new:
                small = self._shrink(data, new)
                self.pool.append(small)
                self.seen |= self._execute(small) | new
        self.outcome.edges = len(self.seen)
        self.outcome.kept = self._kept()
        return self.outcome

    def _execute(self, data: bytes) -> set[int]:
        """Returns the edges that *data* takes; a failure is noted, shrunk."""
        what = self._failure(data)
        edges = self.counter.edges
        if what is not None and what not in self.outcome.failures:
            small = self._smallest(data, lambda d: self._failure(d) == what)
            detail = self._failure(small, whole=True) or what
            self.outcome.failures[what] = Failure(data=small, what=detail)
        return edges

    def _failure(self, data: bytes, *, whole: bool = False) -> str | None:
        self.outcome.executions += 1
        self.counter.reset()
        try:
            with _alarm():
                self.run(data)
        except Exception as failed:  # noqa: BLE001  # whatever it is, it is a finding
            if whole:
                return "".join(traceback.format_exception(failed))[-3_000:]
            last = traceback.extract_tb(failed.__traceback__)[-1]
            return f"{type(failed).__name__} at {last.filename.rpartition('/')[2]}:{last.lineno}"
        steps = self.counter.steps
        if data:
            self.outcome.steps_per_byte_max = max(
                self.outcome.steps_per_byte_max, steps / (len(data) + 50)
            )
        if steps > STEPS + STEPS_PER_BYTE * len(data):
            return f"too many steps: {steps} for {len(data)} bytes" if whole else "too many steps"
        return None

    def _shrink(self, data: bytes, new: set[int]) -> bytes:
        def reaches(smaller: bytes) -> bool:
            return self._failure(smaller) is None and new <= self.counter.edges

        return self._smallest(data, reaches) if reaches(data) else data

    def _smallest(self, data: bytes, good: Callable[[bytes], bool]) -> bytes:
        """Returns *data* without parts that do not matter, within a bounded number of runs."""
        runs, size = 0, len(data) // 2
        while size and runs < SHRINK_RUNS_MAX:
            start, smaller = 0, False
            while start < len(data) and runs < SHRINK_RUNS_MAX:
                shorter = data[:start] + data[start + size :]
                runs += 1
                if good(shorter):
                    data, smaller = shorter, True
                else:
                    start += size
            if not smaller:
                size //= 2
        return data

    def _kept(self) -> dict[str, bytes]:
        """Returns few inputs that with the pages reach every edge that any reached.

        Those that were kept before come first, so that a session adds more than it replaces.
        """
        reaching: dict[bytes, set[int]] = {}
        for data in set(self.pool):
            if self._failure(data) is None:
                reaching[data] = self.counter.edges - self.given
        kept: dict[str, bytes] = {}
        for group in (self.kept_before, frozenset(reaching)):
            _choose(reaching, group, kept)
        return kept


def _choose(
    reaching: dict[bytes, set[int]], group: frozenset[bytes], kept: dict[str, bytes]
) -> None:
    """Moves inputs of *group* into *kept*, the most gainful first, until none gains anything.

    The edges that a chosen input reaches are taken away from all the others.
    """
    total = sum(map(len, kept.values()))
    while candidates := [d for d in group if reaching.get(d)]:
        best = max(candidates, key=lambda d: (len(reaching[d]), -len(d), d))
        gained = reaching.pop(best)
        total += len(best)
        if total > KEPT_BYTES_MAX:
            return
        kept[input_name(best)] = best
        for edges in reaching.values():
            edges.difference_update(gained)


def input_name(data: bytes) -> str:
    """Returns the name that an input is kept under."""
    return hashlib.sha256(data).hexdigest()[:12]


@contextmanager
def _alarm() -> Iterator[None]:
    def stop(_: int, __: FrameType | None) -> None:
        raise HangError

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(HANG_S)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def new_mutator(seed: int, generate: Callable[[Random], bytes]) -> Mutator:
    """Returns a mutator whose whole course follows from *seed*."""
    random = Random(seed)  # noqa: S311  # picks test inputs
    return Mutator(random, lambda: generate(random))
