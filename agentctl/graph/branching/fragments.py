"""The rows in which two versions of a dataset can differ, found without reading the others.

Lance never changes a file: an update marks rows of a fragment as deleted and writes new ones, an
addition of a column adds a file to each fragment. So two versions that have a fragment's files in
common can differ only in the rows that one of them deleted and in the columns whose files are not
the same; that holds for any two versions, on one Lance branch or on two. Of files that a compaction
wrote the rows that it only copied are left out (`rewritten`). What remains is read and compared by
value. Cost: the fragments' metadata, the deletion files that differ,
and the rows that changed; where files were rewritten, two numbers of each row in them. Source: Lance's table
format (fragments, deletion files), graph-engine 4, 5, ADR 26.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import lance
import lance.file
import numpy as np
import pyarrow as pa
import pyarrow.ipc as ipc
from lance.bitmap import Bitmap

from agentctl.adapters.scratch.work_folder import work_folder
from agentctl.graph.branching.differences import any_of, differing, read_as
from agentctl.graph.branching.rewritten import Rewritten, kept_apart
from agentctl.graph.columns import filling, identity_columns
from agentctl.languages.schema.ir import IrProperty, IrType

if TYPE_CHECKING:
    from lance.lance.schema import LanceField

TAKE_COUNT_MAX: Final = 1 << 15
"""More rows of one fragment are read by reading it, in batches, and leaving out the others."""

_Place = tuple[tuple[str, int], ...]
"""Where the values of a column lie: file and column in it, of each of its fields. Empty: all null."""


class Part(NamedTuple):
    """Rows of one fragment."""

    fragment: "lance.LanceFragment"
    offsets: np.ndarray | None
    """Positions in the fragment's files, ascending, of rows that are there; None for all."""
    deleted: np.ndarray | None = None
    """`deleted_offsets` of it, where they were read."""


class Version(NamedTuple):
    """One version of a dataset."""

    dataset: "lance.LanceDataset"
    line: tuple[str, int]
    """Its Lance branch and number."""


def parts_that_differ(
    before: Version, after: Version, *, read: IrType
) -> tuple[list[Part], list[Part]]:
    """Returns the rows of each version that the other has not, or has with other values.

    *read* has the columns that are compared.
    """
    old = {_identity(f): f for f in _laid_out(before.dataset, read)}
    fresh: list[_Fragment] = []
    mine: list[Part] = []
    other: list[Part] = []
    for new in _laid_out(after.dataset, read):
        there = old.pop(_identity(new), None)
        if there is None:
            fresh.append(new)
            continue
        gone, come = _between(there, new, read)
        mine += gone
        other += come
    left, right = _rewritten(before, list(old.values()), after, fresh)
    return mine + left, other + right


def _rewritten(
    before: Version, old: "Sequence[_Fragment]", after: Version, fresh: "Sequence[_Fragment]"
) -> tuple[list[Part], list[Part]]:
    """Returns the rows of fragments that the other version has not, without those only copied."""
    one = Rewritten(before.dataset, before.line, [laid.fragment for laid in old])
    other = Rewritten(after.dataset, after.line, [laid.fragment for laid in fresh])
    found = kept_apart(one, other)
    if found is None:
        return [Part(f, None) for f in one.fragments], [Part(f, None) for f in other.fragments]
    left, right = (
        [Part(f, some[f.fragment_id]) for f in side.fragments if len(some[f.fragment_id])]
        for side, some in zip((one, other), found, strict=True)
    )
    return left, right


def rows_of(dataset: "lance.LanceDataset", parts: Sequence[Part], read: IrType) -> pa.Table:
    """Returns some rows in the columns of *read*, as `read_as` reads them."""
    names = {*dataset.schema.names}
    wanted = [n for n in identity_columns(read) if n in names]
    wanted += [p.column for p in read.properties if p.column in names]
    tables = [pa.schema([dataset.schema.field(n) for n in wanted]).empty_table()]
    whole = [part.fragment for part in parts if part.offsets is None]
    if whole:
        tables.append(dataset.scanner(columns=wanted, fragments=whole).to_table())
    for part in parts:
        if part.offsets is not None:
            tables.extend(_taken(dataset, part, wanted))
    return read_as(read, pa.concat_tables(tables))


class _Fragment(NamedTuple):
    dataset: "lance.LanceDataset"
    fragment: "lance.LanceFragment"
    places: dict[str, _Place]


def _laid_out(dataset: "lance.LanceDataset", read: IrType) -> Iterator[_Fragment]:
    """Gives each fragment with the places of the columns of *read*."""
    fields = {f.name(): _leaves(f) for f in dataset.lance_schema.fields()}
    absent = {p.column: _absent(p) for p in read.properties if p.column not in fields}
    columns = [*identity_columns(read), *(p.column for p in read.properties)]
    for fragment in dataset.get_fragments():
        metadata = fragment.metadata
        files = {
            field: (file.path, index)
            for file in metadata.files
            for field, index in zip(file.fields, file.column_indices, strict=True)
        }
        # Whatever lies over the files belongs to what the columns hold.
        over = tuple((repr(overlay), 0) for overlay in metadata.overlays)
        places = absent | {
            name: tuple(files[field] for field in fields[name] if field in files) + over
            for name in columns
            if name in fields
        }
        yield _Fragment(dataset, fragment, places)


def _absent(prop: IrProperty) -> _Place:
    """Returns the place of a column that the dataset has not: what a migration would fill it with."""
    return () if filling(prop) is None else (("", 0),)


def _leaves(field: "LanceField") -> list[int]:
    """Returns the ids of a column's field and of those within it, of which some have values."""
    return [field.id(), *(i for child in field.children() for i in _leaves(child))]


def _identity(laid: _Fragment) -> tuple[_Place, int]:
    """Returns what two fragments share that hold the same entities in the same order."""
    return laid.places["id"], laid.fragment.physical_rows


def _between(old: _Fragment, new: _Fragment, read: IrType) -> tuple[list[Part], list[Part]]:
    """Returns the rows, of two fragments that share their entities, that only one has or that differ."""
    gone = come = np.zeros(0, dtype=np.int64)
    without = lacking = None
    if _deletions_of(old) != _deletions_of(new):
        without, lacking = deleted_offsets(old), deleted_offsets(new)
        gone = np.setdiff1d(lacking, without, assume_unique=True)
        come = np.setdiff1d(without, lacking, assume_unique=True)
    moved = [name for name, place in new.places.items() if old.places[name] != place]
    if moved:
        changed = _changed(old, new, moved, read)
        gone, come = np.union1d(gone, changed), np.union1d(come, changed)
    return (
        [Part(old.fragment, gone, without)] if len(gone) else [],
        [Part(new.fragment, come, lacking)] if len(come) else [],
    )


def _deletions_of(laid: _Fragment) -> tuple[int, int] | None:
    file = laid.fragment.metadata.deletion_file
    return None if file is None else (file.read_version, file.id)


def _changed(old: _Fragment, new: _Fragment, moved: Sequence[str], read: IrType) -> np.ndarray:
    """Returns the rows, there in both, that differ in columns whose values lie in other files."""
    first, second = (_addressed(laid, moved, read) for laid in (old, new))
    at, here = first["offset"].to_numpy(), second["offset"].to_numpy()
    shared = np.intersect1d(at, here, assume_unique=True)
    one = first.take(pa.array(np.searchsorted(at, shared)))
    other = second.take(pa.array(np.searchsorted(here, shared)))
    masks = (differing(one[n], other[n]) for n in one.column_names if n in moved)
    changed: np.ndarray = shared[any_of(masks, len(shared))]
    return changed


def _addressed(laid: _Fragment, moved: Sequence[str], read: IrType) -> pa.Table:
    """Returns ``offset`` and all columns of *read*; those that did not move are read nowhere."""
    identity = identity_columns(read)
    there = {*laid.dataset.schema.names}
    wanted = [n for n in laid.places if n in there and (n in moved or n in identity)]
    scanner = laid.dataset.scanner(
        columns=[*wanted, "_rowaddr"], fragments=[laid.fragment], scan_in_order=True
    )
    table = scanner.to_table()
    offsets = table["_rowaddr"].to_numpy() & np.uint64(0xFFFFFFFF)
    rows = read_as(read, table)
    return rows.append_column("offset", pa.array(offsets.astype(np.int64)))


def _taken(dataset: "lance.LanceDataset", part: Part, columns: list[str]) -> Iterator[pa.Table]:
    assert part.offsets is not None
    if len(part.offsets) > TAKE_COUNT_MAX:
        scanner = dataset.scanner(columns=[*columns, "_rowaddr"], fragments=[part.fragment])
        for batch in scanner.to_batches():
            at = batch.column("_rowaddr").to_numpy() & np.uint64(0xFFFFFFFF)
            kept = pa.array(np.isin(at.astype(np.int64), part.offsets))
            yield pa.Table.from_batches([batch.filter(kept).select(columns)])
        return
    # Lance counts the rows that are there; the offsets count those of the files.
    gone = part.deleted
    if gone is None:
        gone = deleted_offsets(_Fragment(dataset, part.fragment, {}))
    places = part.offsets - np.searchsorted(gone, part.offsets)
    yield part.fragment.take(places.tolist(), columns=columns)


def deleted_offsets(laid: _Fragment) -> np.ndarray:
    """Returns the positions of the rows that a fragment's files hold and the version has not."""
    file = laid.fragment.metadata.deletion_file
    if file is None:
        return np.zeros(0, dtype=np.int64)
    found = _read_deletions(laid)
    if found is None or len(found) != file.num_deleted_rows:
        found = _scanned_deletions(laid)
    assert len(found) == file.num_deleted_rows
    return found


def _read_deletions(laid: _Fragment) -> np.ndarray | None:
    """Returns them from the file that holds them; None where it cannot be made out.

    An ``array`` is an Arrow file with one column of offsets, a ``bitmap`` one of Roaring's.
    """
    file = laid.fragment.metadata.deletion_file
    path = laid.fragment.deletion_file()
    assert file is not None
    assert path is not None
    root = laid.dataset.uri
    if file.base_id is not None:
        root = laid.dataset.base_paths()[file.base_id].path
    data = _bytes_of(laid.dataset, root, path)
    if data is None:
        return None
    if file.file_type == "array":
        offsets = ipc.open_file(pa.BufferReader(data)).read_all().column(0).to_numpy()
    else:
        decode = Bitmap().__reduce__()[0]  # as pickle would: Lance gives no other way
        bitmap: Bitmap = decode(data)  # type: ignore[operator]  # a callable, as pickle needs one
        offsets = np.fromiter(bitmap, dtype=np.int64, count=len(bitmap))
    return np.sort(offsets.astype(np.int64))


def _bytes_of(dataset: "lance.LanceDataset", root: str, path: str) -> bytes | None:
    """Returns an object of a dataset; None where it is not where the format says."""
    if "://" not in root:
        place = Path(root) / path
        return place.read_bytes() if place.is_file() else None
    if root != dataset.uri:
        return None  # Lance names the bases of other stores by paths alone
    session = lance.file.LanceFileSession(root, storage_options=dataset.latest_storage_options())
    return _downloaded(session, path)


def _downloaded(session: "lance.file.LanceFileSession", path: str) -> bytes | None:
    with work_folder("diff") as folder:
        local = folder / "deletions"
        try:
            session.download_file(path, str(local))
        except OSError:
            return None
        return local.read_bytes()


def _scanned_deletions(laid: _Fragment) -> np.ndarray:
    """Returns them as what a scan leaves out: costs the fragment's rows, not their values."""
    scanner = laid.dataset.scanner(columns=["_rowaddr"], fragments=[laid.fragment])
    there = scanner.to_table()["_rowaddr"].to_numpy() & np.uint64(0xFFFFFFFF)
    every = np.arange(laid.fragment.physical_rows, dtype=np.int64)
    return np.setdiff1d(every, there.astype(np.int64), assume_unique=True)
