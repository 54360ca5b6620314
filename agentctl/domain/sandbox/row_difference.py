"""What became of rows between two states: whole counts, and a bounded sample of each kind.

Rows come in any order, each at most once, as `graph diff` tells them; masks were applied before.
What is kept of them is bounded by the sample, however many there are. A value that looks like a
secret is replaced before it is kept, and a long one is cut.
"""

from bisect import bisect_left, insort
from collections.abc import Iterable, Mapping
from typing import Final, Literal

import msgspec

from agentctl.canonical import sha256_hex
from agentctl.domain.ops.redaction import redact_params, redact_text
from agentctl.domain.sandbox.difference import SAMPLE_ROWS_MAX, RowChange, RowChanges

TEXT_CHARACTERS_MAX: Final = 1_000
"""Of a value of a sample."""
LIST_ITEMS_MAX: Final = 32
DEPTH_MAX: Final = 8
"""Of values within values; what is deeper is left out."""

Kind = Literal["added", "changed", "removed"]
KINDS: Final[tuple[Kind, ...]] = ("added", "changed", "removed")


class ChangedRow(msgspec.Struct, frozen=True, kw_only=True):
    """One row that is not the same in both states."""

    graph: str
    type_name: str
    key: str
    """What identifies the row within its type."""
    before: Mapping[str, object] | None
    """None where it was not there."""
    after: Mapping[str, object] | None


class RowFold:
    """Collects changed rows; `changes` may be asked at any time."""

    def __init__(self, *, sample_max: int = SAMPLE_ROWS_MAX) -> None:
        """Begins with no rows; of each kind of each type it shows *sample_max*."""
        assert sample_max >= 0
        self._sample_max = sample_max
        self._types: dict[tuple[str, str], dict[Kind, _Kept]] = {}

    def add(self, row: ChangedRow) -> None:
        """Adds one row; one that is equal in both states changes nothing."""
        kind = _kind(row)
        if kind is None:
            return
        kinds = self._types.setdefault((row.graph, row.type_name), {})
        if kind not in kinds:
            kinds[kind] = _Kept(self._sample_max)
        kinds[kind].add(row)

    def changes(self) -> tuple[RowChanges, ...]:
        """Returns what became of the rows so far, by graph and type."""
        return tuple(
            _changes(graph, type_name, self._types[graph, type_name])
            for graph, type_name in sorted(self._types)
        )


def fold_rows(
    rows: Iterable[ChangedRow], *, sample_max: int = SAMPLE_ROWS_MAX
) -> tuple[RowChanges, ...]:
    """Returns what became of *rows*, by graph and type."""
    fold = RowFold(sample_max=sample_max)
    for row in rows:
        fold.add(row)
    return fold.changes()


def counted_rows(
    graph: str,
    type_name: str,
    *,
    added: int,
    changed: int,
    removed: int,
    sample: Iterable[ChangedRow],
) -> RowChanges:
    """Returns what became of the rows of a type where somebody else counted them, as `graph diff` does.

    Args:
        graph: its id.
        type_name: the type's name afterwards.
        added: how many rows.
        changed: likewise.
        removed: likewise.
        sample: some of them, in any order; those with the least keys of each kind are shown.
    """
    shown = fold_rows(msgspec.structs.replace(r, graph=graph, type_name=type_name) for r in sample)
    return RowChanges(
        graph=graph,
        type_name=type_name,
        added=added,
        changed=changed,
        removed=removed,
        sample=shown[0].sample if shown else (),
    )


class _Kept:
    """How many rows there were, and those with the least keys."""

    def __init__(self, sample_max: int) -> None:
        self.count = 0
        self.sample: list[RowChange] = []
        self._order: list[tuple[str, str]] = []
        self._max = sample_max

    def add(self, row: ChangedRow) -> None:
        self.count += 1
        if len(self._order) == self._max and (not self._max or row.key > self._order[-1][0]):
            return
        place = (row.key, _digest(row))
        index = bisect_left(self._order, place)
        insort(self._order, place)
        self.sample.insert(index, _shown(row))
        del self._order[self._max :], self.sample[self._max :]


def _changes(graph: str, type_name: str, kinds: Mapping[Kind, _Kept]) -> RowChanges:
    added, changed, removed = (kinds.get(kind, _Kept(0)) for kind in KINDS)
    return RowChanges(
        graph=graph,
        type_name=type_name,
        added=added.count,
        changed=changed.count,
        removed=removed.count,
        sample=tuple(
            sorted((*added.sample, *changed.sample, *removed.sample), key=lambda r: r.key)
        ),
    )


def _kind(row: ChangedRow) -> Kind | None:
    if row.before == row.after:
        return None
    if row.before is None:
        return "added"
    return "removed" if row.after is None else "changed"


def _digest(row: ChangedRow) -> str:
    """Returns by what rows of one key are ordered, so that their order of arrival says nothing."""
    return sha256_hex(msgspec.json.encode((row.before, row.after), order="deterministic"))


def _shown(row: ChangedRow) -> RowChange:
    return RowChange(
        key=_cut(redact_text(row.key)), before=_side(row.before), after=_side(row.after)
    )


def _side(values: Mapping[str, object] | None) -> Mapping[str, object] | None:
    if values is None:
        return None
    return {name: _short(value) for name, value in redact_params(values).items()}


def _short(value: object, depth: int = 0) -> object:
    """Returns a value as a sample holds it; what was cut off is counted."""
    if isinstance(value, str):
        return _cut(value)
    if isinstance(value, Mapping | list | tuple) and depth == DEPTH_MAX:
        return "…"
    if isinstance(value, Mapping):
        return {str(name): _short(item, depth + 1) for name, item in value.items()}
    if isinstance(value, list | tuple):
        more = len(value) - LIST_ITEMS_MAX
        shown = [_short(item, depth + 1) for item in value[:LIST_ITEMS_MAX]]
        return [*shown, f"… {more} more"] if more > 0 else shown
    return value


def _cut(text: str) -> str:
    more = len(text) - TEXT_CHARACTERS_MAX
    return f"{text[:TEXT_CHARACTERS_MAX]}… {more} more" if more > 0 else text
