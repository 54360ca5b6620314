"""What is told of the plan of a read; without Arrow, so that every face may know its shape."""

import msgspec


class Step(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One operator of a plan."""

    depth: int
    """How many operators use its rows, one over the other; 0 is the result."""
    operator: str
    detail: str
    """What it works on; names and values of the query in printable ASCII."""
    estimate: int
    """About how many rows it gives, by what the commit says."""
    executor: str | None = None
    """How edges are followed: as the cost has it, or, after a run, as it was."""
    rows: int | None = None
    """What it gave; None where it was not run."""
    ms: float | None = None
    """How long it took, with all below it."""


class Explained(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The plan of a read, the result first, an operator's input below it."""

    query_name: str
    steps: tuple[Step, ...]
    analyzed: bool
    """Whether it was run."""
    rows: int | None = None
    """Of the result."""
    ms: float | None = None
    """Of the whole run."""
    peak_bytes: int | None = None
    """The most that an operator's rows took, as Arrow counts them."""
