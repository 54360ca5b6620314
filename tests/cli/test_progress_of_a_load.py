"""What stderr says of a load while it runs: one line drawn again at a terminal, now and then elsewhere."""

import io

from agentctl.engine.write_events import LoadEvent, WriteBegun, load_event
from agentctl.faces.cli.progress import PLAIN_S, QUIET_S, LoadLine
from agentctl.graph.loads.sources import Phase, Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def event(phase: Phase, lines: int, rows: int, total: int | None = None) -> LoadEvent:
    progress = Progress(phase=phase, lines=lines, rejected=0, rows=rows, rows_total=total)
    return load_event("op-1", progress)


def begun(stream: io.StringIO) -> tuple[LoadLine, Clock]:
    clock = Clock()
    return LoadLine(stream, clock), clock


def test_a_terminal_has_one_line_that_is_gone_at_the_end() -> None:
    stream = Terminal()
    line, clock = begun(stream)

    clock.now = QUIET_S
    line.tell(event("reading", 1_000, 1_000))
    line.tell(event("writing", 2_000, 500, 2_000))
    line.clear()

    drawn = stream.getvalue().split("\r\x1b[K")
    assert drawn == ["", "reading: 1,000 lines", "writing: 500 of 2,000 rows", ""]


def test_elsewhere_each_phase_has_a_line_and_a_long_one_another_now_and_then() -> None:
    stream = io.StringIO()
    line, clock = begun(stream)

    clock.now = QUIET_S
    for lines in (1_000, 2_000, 3_000):
        line.tell(event("reading", lines, lines))
    clock.now += PLAIN_S
    line.tell(event("reading", 4_000, 4_000))
    line.tell(event("committing", 4_000, 4_000, 4_000))
    line.clear()

    assert stream.getvalue().splitlines() == [
        "reading: 1,000 lines",
        "reading: 4,000 lines",
        "committing: 4,000 rows",
    ]


def test_a_load_that_has_only_begun_says_nothing() -> None:
    for stream in (Terminal(), io.StringIO()):
        line, clock = begun(stream)
        clock.now = QUIET_S / 2
        line.tell(WriteBegun(op="op-1"))
        line.tell(event("committing", 3, 3, 3))
        line.clear()

        assert stream.getvalue() == ""


def test_what_a_client_counts_grows_from_the_first_line_to_the_commit() -> None:
    told = [
        event("reading", 10, 10),
        event("checking", 20, 18, 18),
        event("writing", 20, 9, 18),
        event("committing", 20, 18, 18),
    ]

    assert [(e.steps_done, e.steps_total) for e in told] == [(10, 0), (20, 38), (29, 38), (38, 38)]
