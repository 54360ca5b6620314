"""Joins of rows with rows, and the seeds of inner patterns. In a worker thread."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from agentctl.graph.reads.budget import Budget
from agentctl.graph.reads.frame import Frame, Positions, positions, repeated
from agentctl.graph.reads.places import Held, Places


def row_codes(frame: Frame, columns: Sequence[str]) -> tuple[Positions, Positions]:
    """Returns a number for each row, equal where all *columns* are, and the first row of each number.

    Null equals null here. Numbers count from 0.
    """
    if not columns or not frame.rows:
        return np.zeros(frame.rows, np.int64), np.zeros(min(frame.rows, 1), np.int64)
    whole: Positions | None = None
    count = 0
    for name in columns:
        codes, size = _codes_with_null(frame.columns[name])
        if whole is None:
            whole, count = codes, size
            continue
        pairs = pa.array(whole * size + codes).dictionary_encode()
        whole, count = positions(pairs.indices), len(pairs.dictionary)
    assert whole is not None
    first = np.empty(count, np.int64)
    first[whole[::-1]] = np.arange(frame.rows - 1, -1, -1)
    return whole, first


def _codes_with_null(values: Held) -> tuple[Positions, int]:
    """Returns a number for each row, null's own among them, and how many numbers there are."""
    if isinstance(values, Places):
        nodes, codes = values.numbered()
        if not values.null_count:
            return codes, len(nodes)
        return np.where(codes < 0, len(nodes), codes), len(nodes) + 1
    encoded = comparable(values).dictionary_encode(null_encoding="encode")
    return positions(encoded.indices), len(encoded.dictionary)


def comparable(values: pa.Array) -> pa.Array:
    """Returns a column that can be told apart: a list or a vector by a text that spells it."""
    type_ = values.type
    nested = pa.types.is_list(type_) or pa.types.is_fixed_size_list(type_)
    if not nested:
        return values
    spelled = [None if v is None else repr(v) for v in values.to_pylist()]
    return pa.array(spelled, pa.utf8())


def joined(left: Frame, right: Frame, on: Sequence[tuple[str, str]], budget: Budget) -> Frame:
    """Returns the rows of both sides that agree in *on*; a null agrees with nothing."""
    if not on:
        return product(left, right, budget)
    kept_left = _without_nulls(left, [a for a, _ in on])
    kept_right = _without_nulls(right, [b for _, b in on])
    both = Frame(
        kept_left.rows + kept_right.rows,
        {
            str(place): pa.concat_arrays([kept_left[a], kept_right[b]])
            for place, (a, b) in enumerate(on)
        },
    )
    codes, _ = row_codes(both, list(both.columns))
    ours, theirs = codes[: kept_left.rows], codes[kept_left.rows :]
    return matched(kept_left, ours, kept_right, theirs, budget)


def matched(
    left: Frame, left_codes: Positions, right: Frame, right_codes: Positions, budget: Budget
) -> Frame:
    """Returns each row of *left* with each row of *right* of the same number."""
    row, at = match_positions(left_codes, right_codes, budget, width=_width(left) + _width(right))
    return left.take(row).having(right.take(at).columns)


def match_positions(
    left_codes: Positions, right_codes: Positions, budget: Budget, *, width: float
) -> tuple[Positions, Positions]:
    """Returns the positions of both sides of each pair of rows of the same number."""
    size = int(max(left_codes.max(initial=-1), right_codes.max(initial=-1))) + 1
    order = np.argsort(right_codes, kind="stable")
    counts = np.bincount(right_codes, minlength=size)
    begin = np.concatenate(([0], np.cumsum(counts)))
    many = counts[left_codes]
    budget.room(rows=int(many.sum()), row_bytes=width)
    row, within = repeated(many)
    return row, order[begin[left_codes[row]] + within]


def product(left: Frame, right: Frame, budget: Budget) -> Frame:
    """Returns each row of *left* with each row of *right*."""
    budget.room(rows=left.rows * right.rows, row_bytes=_width(left) + _width(right))
    grown = left.take(np.repeat(np.arange(left.rows), right.rows))
    other = right.take(np.tile(np.arange(right.rows), left.rows))
    found = grown.having(other.columns)
    found.rows = left.rows * right.rows
    return found


class Seeds:
    """The different rows of what an inner pattern sees, numbered, and which row has which."""

    def __init__(self, frame: Frame, columns: Sequence[str], mark: str) -> None:
        self.codes, first = row_codes(frame, [c for c in columns if "." not in c])
        seeds = frame.select(columns).take(first)
        self.frame = seeds.having({mark: pa.array(np.arange(len(first)))})
        self.count = len(first)

    def counts(self, inner: Frame, mark: str) -> Positions:
        """Returns for each row of the outer frame how many matches it has."""
        per_seed = np.bincount(positions(inner[mark]), minlength=max(self.count, 1))
        return per_seed[self.codes]


def left_joined(
    frame: Frame, seeds: Seeds, inner: Frame, adds: Sequence[str], mark: str, budget: Budget
) -> Frame:
    """Returns each row with each match of its seed, or once with nulls where it has none."""
    marks = positions(inner[mark])
    missing = np.setdiff1d(np.arange(seeds.count), marks)
    codes = np.concatenate((marks, missing))
    width = _width(frame) + _width(inner)
    row, at = match_positions(seeds.codes, codes, budget, width=width)
    nowhere = at >= len(marks)
    places = pa.array(at, mask=nowhere)
    added = {name: inner.columns[name].take(places) for name in adds}
    found = frame.take(row).having(added)
    found.rows = len(row)
    return found


def _without_nulls(frame: Frame, names: Sequence[str]) -> Frame:
    for name in names:
        if frame[name].null_count:
            frame = frame.filter(frame[name].is_valid())
    return frame


def _width(frame: Frame) -> float:
    return frame.nbytes / max(frame.rows, 1)
