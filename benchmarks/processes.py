"""Runs whole processes by turns and keeps the best of each, so that a busy machine disturbs all alike."""

import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence

import msgspec


class Contender(msgspec.Struct, frozen=True, kw_only=True):
    """A process that is measured."""

    name: str
    argv: tuple[str, ...]
    before: Callable[[], None] | None = None
    """What is set up before each turn, and not measured."""


class Best(msgspec.Struct, frozen=True, kw_only=True):
    """The least that a process took, of all its turns."""

    wall_s: float
    """From start to end."""
    cpu_s: float
    """User and system time of the process and its children."""
    first_line_s: float | None = None
    """From start to the first line on stderr; None where there is none."""


def race(contenders: Sequence[Contender], *, turns: int, env: Mapping[str, str]) -> dict[str, Best]:
    """Returns the best of each contender, each having run *turns* times, by turns."""
    found: dict[str, Best] = {}
    for _ in range(turns):
        for contender in contenders:
            if contender.before is not None:
                contender.before()
            run = measured(contender.argv, env=env)
            best = found.get(contender.name, run)
            lines = [b.first_line_s for b in (best, run) if b.first_line_s is not None]
            found[contender.name] = Best(
                wall_s=min(best.wall_s, run.wall_s),
                cpu_s=min(best.cpu_s, run.cpu_s),
                first_line_s=min(lines, default=None),
            )
    return found


def measured(argv: Sequence[str], *, env: Mapping[str, str]) -> Best:
    """Runs one process, which must end well, and returns what it took."""
    began = time.perf_counter()
    process = subprocess.Popen(  # noqa: S603  # our own programs
        argv,
        env=dict(env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    assert process.stderr is not None
    told = process.stderr.readline()
    first_line_s = time.perf_counter() - began if told else None
    told += process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    wall_s = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, (argv, told.decode(errors="replace"))
    return Best(wall_s=wall_s, cpu_s=usage.ru_utime + usage.ru_stime, first_line_s=first_line_s)
