"""What a merge from one of several bases would decide by the choice of the base alone.

Where merges crossed, two heads have several newest common commits, and a value may be another one in
each. What only one branch changed since one of them may be what only the other one changed since the
next: either answer would silently undo somebody's change. So it is a conflict. Where the bases agree,
or the branches do, any of them gives the same. Source: graph-engine 5, ADR 26.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from agentctl.graph.branching.conflicts import Found
from agentctl.graph.branching.differences import TypeDiff, any_of, differences
from agentctl.graph.branching.threeway import Clash, found_in


def undecided(crossed: TypeDiff, ours: TypeDiff, theirs: TypeDiff) -> Found:
    """Returns the conflicts of one type where two bases differ and the branches do too.

    All three are differences from one base: of the other base and of both branches; the branches
    have no conflict from that base.
    """
    between = differences(ours.type, _rows_of(crossed, ours), _rows_of(crossed, theirs))
    return found_in(
        ours,
        [
            _updates(crossed, between),
            _one_sided(between.deleted, None),
            _one_sided(None, between.inserted),
        ],
    )


def _rows_of(crossed: TypeDiff, side: TypeDiff) -> pa.Table:
    """Returns the entities in which the bases differ, as a branch has them."""
    parts = (crossed.inserted, crossed.deleted, crossed.after)
    asked = _ids_of(*parts)
    there = pa.concat_tables([crossed.deleted, crossed.before])
    touched = _ids_of(side.after, side.deleted)
    fresh = pa.concat_tables([side.inserted, side.after])
    return pa.concat_tables(
        [
            there.filter(pc.invert(pc.is_in(there["id"], value_set=touched))),
            fresh.filter(pc.is_in(fresh["id"], value_set=asked)),
        ]
    )


def _ids_of(*tables: pa.Table) -> pa.ChunkedArray:
    chunks = [chunk for table in tables for chunk in table["id"].chunks]
    return pa.chunked_array(chunks, type=pa.utf8())


def _updates(crossed: TypeDiff, between: TypeDiff) -> Clash:
    """Returns the rows of both branches that differ where the bases do."""
    found = pc.index_in(between.after["id"], value_set=crossed.after["id"])
    at = np.asarray(pc.fill_null(found, -1).to_numpy(), dtype=np.int64)
    nowhere = np.zeros(crossed.after.num_rows, dtype=bool)
    # An entity that one base has not at all differs in every column: the last place, which is -1.
    wrong = {
        name: mask & np.append(crossed.differs.get(name, nowhere), [True])[at]
        for name, mask in between.differs.items()
    }
    some = any_of(wrong.values(), between.after.num_rows)
    rows = pa.array(some)
    return Clash(
        kind="DivergentUpdate",
        ids=between.after["id"].filter(rows),
        base=None,
        ours=between.before.filter(rows),
        theirs=between.after.filter(rows),
        differs={name: mask[some] for name, mask in wrong.items()},
    )


def _one_sided(ours: pa.Table | None, theirs: pa.Table | None) -> Clash:
    rows = ours if ours is not None else theirs
    assert rows is not None
    return Clash(
        kind="DeleteVsUpdate", ids=rows["id"], base=None, ours=ours, theirs=theirs, differs={}
    )
