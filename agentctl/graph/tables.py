"""The datasets of one incarnation, written so that only what a commit names can ever be read.

Lance rebases concurrent writers instead of refusing them, and a crashed writer leaves versions that
no commit names. Left alone, the next append would build on such an orphan and carry its rows into
the graph. So every write here starts from the version that the commit names (restored on top, where
orphans lie above it) and every step must produce exactly the next version number: Lance makes each
number once, hence nothing came between. A step that finds otherwise raises `InterferenceError` and
leaves one more orphan.

All calls are synchronous and run in a worker thread. Source: graph-engine 1, 7, 8.
"""

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Final

import pyarrow as pa
from msgspec.structs import replace

from agentctl.graph.columns import (
    arrow_type,
    filling,
    indexed_columns,
    physical_schema,
    property_field,
)
from agentctl.graph.commit import TypeState
from agentctl.graph.index_homes import WITHOUT_INDEXES, inherited_indexes, strayed_indexes
from agentctl.graph.layout import MAIN, branch_of_ref
from agentctl.graph.location import BeforeWrite, DataFolder
from agentctl.graph.lookups import rows_named
from agentctl.graph.search_indexes import (
    BTREE,
    build_search_index,
    is_vector_index,
    missing_search_indexes,
    rebuild_index,
    update_search_index,
)
from agentctl.languages.schema.ir import IrProperty, IrType

os.environ.setdefault("LANCE_LOG", "error")

import lance  # behind its log level, which it reads at import
from lance.optimize import Compaction

if TYPE_CHECKING:
    from lance.lance import _Session as LanceSession

INDEX_ROWS_MIN: Final = 2_000
"""Fewer rows are scanned as fast as they are looked up; also the bound of rows without index."""

COMPACTION_VERSION_COUNT: Final = 2
"""A compaction is two versions of Lance's: one reserves the numbers of the fragments."""
CUT_COUNT_MAX: Final = 3
"""How many names a Lance branch is tried by, where broken attempts left some taken."""

Batches = Callable[[pa.Schema], Iterator[pa.RecordBatch]]
"""Gives the rows to write, in the columns of the dataset."""


Session: Final = lance.Session  # type: ignore[attr-defined]  # exported, which its types do not say
"""What readers share of opened indexes and of manifests."""


class InterferenceError(Exception):
    """Another writer wrote to the dataset meanwhile."""


class MissingVersionError(Exception):
    """A dataset version that was asked for is not there."""


class Tables:
    """Datasets by type id.

    What is written bears a *tag* by `layout.ref_name`: it names the commit that is being made, and
    with it the branch of the graph that writes. A type whose state lies on a Lance branch of
    another branch gets a Lance branch of its own first, with the tag as its name; that copies
    nothing. Every writing method returns the state that the commit shall name.
    """

    def __init__(
        self,
        folder: DataFolder,
        *,
        before_write: BeforeWrite,
        index_rows_min: int = INDEX_ROWS_MIN,
        options: Mapping[str, str] | None = None,
        session: "LanceSession | None" = None,
    ) -> None:
        self._folder = folder
        self._session = session
        self._options = None if options is None else dict(options)
        self._before_write = before_write
        self._index_rows_min = index_rows_min

    def create(self, ir_type: IrType) -> TypeState:
        """Makes an empty dataset, over what an unfinished create left."""
        schema = physical_schema(ir_type)
        self._before_write(f"create {ir_type.name}")
        unfinished = self._folder.make_room(ir_type.id) and self._is_begun(ir_type.id, MAIN)
        made = lance.write_dataset(
            schema.empty_table(),
            self._folder.dataset(ir_type.id),
            schema=schema,
            mode="overwrite" if unfinished else "create",
            enable_stable_row_ids=True,
            storage_options=self._options,
        )
        return _state(ir_type, MAIN, made)

    def begun(self, ir_type: IrType, *, tag: str) -> TypeState | None:
        """Returns the empty first state of a dataset that another branch made; None of `main`'s own.

        A branch that is given main's schema has main's types, and their datasets are there. What
        the first version lacks of the type's columns `reshape` adds.
        """
        if branch_of_ref(tag) == MAIN or not self._is_begun(ir_type.id, MAIN):
            return None
        return TypeState(name=ir_type.name, lance_branch=MAIN, lance_version=1, rows=0)

    def open(self, type_id: str, state: TypeState) -> "lance.LanceDataset":
        """Returns the dataset as a commit names it; one with an index that strayed is scanned without.

        Raises:
            MissingVersionError: there is no such version.
        """
        place = state.lance_branch, state.lance_version
        try:
            found = self._dataset(type_id, *place)
        except ValueError as failure:
            named = f"{state.name}: version {state.lance_version} of {state.lance_branch}"
            raise MissingVersionError(named) from failure
        if state.lance_branch != MAIN and strayed_indexes(found):
            return self._dataset(type_id, *place, scan_options=WITHOUT_INDEXES)
        return found

    def newest(self, type_id: str, lance_branch: str = MAIN) -> "lance.LanceDataset":
        """Returns a Lance branch of the dataset as it is now, whatever commits name."""
        return self._dataset(type_id, lance_branch)

    @property
    def before_write(self) -> BeforeWrite:
        """Told of each write before it happens."""
        return self._before_write

    def has(self, type_id: str, state: TypeState) -> bool:
        """Returns whether that version can be opened."""
        try:
            self.open(type_id, state)
        except (MissingVersionError, OSError):
            return False
        return True

    def append(self, ir_type: IrType, state: TypeState, batches: Batches, *, tag: str) -> TypeState:
        """Adds rows."""
        branch, base = self._on_top(ir_type, state, tag)
        self._before_write(f"append {ir_type.name}")
        made = lance.write_dataset(_reader(base.schema, batches), base, mode="append")
        _must_follow(base.version, made.version)
        return self._indexed(ir_type, branch, made)

    def merge(self, ir_type: IrType, state: TypeState, batches: Batches, *, tag: str) -> TypeState:
        """Replaces the rows whose ids are there and adds the others; ids must not repeat."""
        branch, base = self._on_top(ir_type, state, tag)
        before = base.version
        self._before_write(f"merge {ir_type.name}")
        builder = base.merge_insert("id").when_matched_update_all().when_not_matched_insert_all()
        builder.conflict_retries(0).execute(_reader(base.schema, batches))
        _must_follow(before, base.version)
        return self._indexed(ir_type, branch, base)

    def delete(
        self,
        ir_type: IrType,
        state: TypeState,
        ids: pa.Array,
        *,
        tag: str,
        sources: pa.Array | None = None,
    ) -> TypeState:
        """Removes the rows with these ids (utf8), as far as they are there; ids must not repeat.

        *sources* are the ``src`` of all of them, where they are edges and it is known: few rows are
        then found through an index, as few nodes are.
        """
        branch, base = self._on_top(ir_type, state, tag)
        before = base.version
        self._before_write(f"delete {ir_type.name}")
        where = rows_named(ir_type, ids, sources)
        if where is not None:
            base.delete(where, conflict_retries=0)
        else:
            builder = base.merge_insert("id").when_matched_delete()
            builder.conflict_retries(0).execute(pa.table({"id": ids}))
        _must_follow(before, base.version)
        return self._indexed(ir_type, branch, base)

    def overwrite(
        self, ir_type: IrType, state: TypeState, batches: Batches, *, tag: str
    ) -> TypeState:
        """Replaces all rows."""
        branch, base = self._on_top(ir_type, state, tag)
        self._before_write(f"overwrite {ir_type.name}")
        made = lance.write_dataset(_reader(base.schema, batches), base, mode="overwrite")
        _must_follow(base.version, made.version)
        return self._indexed(ir_type, branch, made)

    def reshape(self, ir_type: IrType, state: TypeState, *, tag: str) -> TypeState:
        """Adds the columns and indexes that the type has and the dataset lacks, and widens columns.

        Existing rows have the default in a new column that is required, and null in any other; in a
        wider column they have the value that they had. Where nothing is lacking nothing is written.
        """
        there = self.open(ir_type.id, state)
        present = {*there.schema.names}
        missing = [p for p in ir_type.properties if p.column not in present]
        wider = [
            property_field(p)
            for p in ir_type.properties
            if p.column in present and there.schema.field(p.column).type != arrow_type(p)
        ]
        unindexed = [
            *self._missing_indexes(ir_type, there),
            *self._missing_search_indexes(ir_type, there),
        ]
        if not missing and not wider and not unindexed:
            return _state(ir_type, state.lance_branch, there)
        branch, base = self._on_top(ir_type, state, tag)
        if wider:
            self._widen(ir_type, base, wider)
        if missing:
            before = base.version
            self._before_write(f"add columns {ir_type.name}")
            _add_columns(base, missing)
            _must_follow(before, base.version)
        return self._indexed(ir_type, branch, base)

    def _widen(self, ir_type: IrType, base: "lance.LanceDataset", fields: list[pa.Field]) -> None:
        """Gives columns a wider type; Lance wants their indexes gone before, `_indexed` makes new ones."""
        columns = {field.name for field in fields}
        for index in base.describe_indices():
            if columns & {*index.field_names}:
                before = base.version
                self._before_write(f"drop index {ir_type.name}.{index.name}")
                base.drop_index(index.name)
                _must_follow(before, base.version)
        before = base.version
        self._before_write(f"widen {ir_type.name}")
        wider = ({"path": field.name, "data_type": field.type} for field in fields)
        base.alter_columns(*wider)  # type: ignore[arg-type]  # lance takes each as an argument of its own
        _must_follow(before, base.version)

    def rewrite(self, ir_type: IrType, state: TypeState, *, tag: str) -> TypeState:
        """Copies the rows in force into files that hold nothing else, in Lance's main branch.

        Where the files of *state* hold nothing else already, nothing is copied. On another Lance
        branch there are always some that do: those that it was cut from. For `main` alone.
        """
        assert branch_of_ref(tag) == MAIN, tag
        if state.lance_branch == MAIN:
            _, base = self._on_top(ir_type, state, tag)
            source = base
        else:
            base, source = self._dataset(ir_type.id, MAIN), self.open(ir_type.id, state)
        wanted = {*physical_schema(ir_type).names}
        fields = [field for field in source.schema if field.name in wanted]
        replaced = any(fragment.num_deletions for fragment in source.get_fragments())
        if source is base and len(fields) == len(base.schema) and not replaced:
            return _state(ir_type, MAIN, base)
        schema = pa.schema(fields)
        self._before_write(f"rewrite {ir_type.name}")
        made = lance.write_dataset(
            source.scanner(columns=schema.names).to_reader(),
            base,
            schema=schema,
            mode="overwrite",
        )
        _must_follow(base.version, made.version)
        return self._indexed(ir_type, MAIN, made)

    def compact(
        self, ir_type: IrType, state: TypeState, *, tag: str
    ) -> tuple[TypeState, tuple[str, ...]]:
        """Makes few large files of many small ones, and brings every index up to date.

        Returns the state, and what was done in words; with nothing to do that is empty and the
        state is the one given.
        """
        there = self.open(ir_type.id, state)
        scattered = Compaction.plan(there, {}).num_tasks() > 0
        strayed = () if state.lance_branch == MAIN else strayed_indexes(there)
        unindexed = {n: c for n, c in _unindexed(there, rows_min=1).items() if n not in strayed}
        if not (scattered or unindexed or strayed):
            return state, ()
        branch, base = self._on_top(ir_type, state, tag)
        done = [f"rebuilt {name}" for name in strayed]
        done += [f"indexed {rows:,} rows in {name}" for name, rows in unindexed.items()]
        if unindexed:
            self._before_write(f"update indexes {ir_type.name}")
            _update_indexes(base, unindexed)
        # Behind the indexes: what an index covers is not put into one file with what it does not.
        if Compaction.plan(base, {}).num_tasks() > 0:
            self._rebuild(ir_type, base, inherited_indexes(base))
        if Compaction.plan(base, {}).num_tasks() > 0:
            before, files = base.version, len(base.get_fragments())
            self._before_write(f"compact {ir_type.name}")
            base.optimize.compact_files()
            _must_follow(before + COMPACTION_VERSION_COUNT - 1, base.version)
            done.append(f"compacted {files} fragments into {len(base.get_fragments())}")
        return _state(ir_type, branch, base), tuple(done)

    def pinned(self, type_id: str) -> set[tuple[str, int]]:
        """Returns Lance branch and number of every version of a dataset that is pinned."""
        tags = self._dataset(type_id, MAIN).tags.list().values()
        return {(tag["branch"] or MAIN, tag["version"]) for tag in tags}

    def pin(self, ir_type: IrType, state: TypeState, tag: str) -> None:
        """Keeps a version from every collector; repeating it with another version moves the pin."""
        base = self.open(ir_type.id, state)
        self._before_write(f"pin {ir_type.name}")
        there = (_lance_ref(state.lance_branch), state.lance_version)
        try:
            base.tags.get_version(tag)
        except ValueError:
            base.tags.create(tag, there)
        else:
            base.tags.update(tag, there)

    def _dataset(
        self,
        type_id: str,
        lance_branch: str,
        version: int | None = None,
        *,
        scan_options: Mapping[str, bool] | None = None,
    ) -> "lance.LanceDataset":
        place = self._folder.dataset(type_id)
        if lance_branch != MAIN:
            place = f"{place}/tree/{lance_branch}"
        session = self._session if version is not None else None
        return lance.dataset(
            place,
            version=version,
            storage_options=self._options,
            session=session,
            default_scan_options=scan_options,  # type: ignore[arg-type]  # their types say that each is a text
        )

    def _is_begun(self, type_id: str, lance_branch: str) -> bool:
        try:
            self._dataset(type_id, lance_branch)
        except ValueError:
            return False
        return True

    def _on_top(
        self, ir_type: IrType, state: TypeState, tag: str
    ) -> tuple[str, "lance.LanceDataset"]:
        """Returns the writer's Lance branch, and its dataset with *state*'s content as the newest."""
        lance_branch, version = state.lance_branch, state.lance_version
        if branch_of_ref(lance_branch) != branch_of_ref(tag):
            lance_branch = self._cut(ir_type, state, tag)
        base = newest = self._dataset(ir_type.id, lance_branch)
        if newest.version != version:
            base = self.open(ir_type.id, replace(state, lance_branch=lance_branch))
            self._before_write(f"restore {ir_type.name}")
            base.restore()  # type: ignore[no-untyped-call]  # lance leaves it bare
            _must_follow(newest.version, base.version)
        if lance_branch != MAIN:
            self._rebuild(ir_type, base, strayed_indexes(base))
        return lance_branch, base

    def _cut(self, ir_type: IrType, state: TypeState, tag: str) -> str:
        """Returns a Lance branch of the writer's own that holds *state*, under the same number.

        One of that name is there where an attempt for the same commit broke off. It is used where it
        begins at the same version; one that is only half there is left alone for the next name.
        """
        base = self.open(ir_type.id, state)
        for attempt in range(CUT_COUNT_MAX):
            name = f"{tag}-{attempt}" if attempt else tag
            if self._is_begun(ir_type.id, name):
                if self.has(ir_type.id, replace(state, lance_branch=name)):
                    return name
                continue
            self._before_write(f"cut {ir_type.name}")
            base.create_branch(name, (_lance_ref(state.lance_branch), state.lance_version))
            return name
        msg = f"no branch {tag} could be cut"
        raise InterferenceError(msg)

    def _rebuild(self, ir_type: IrType, base: "lance.LanceDataset", names: Iterable[str]) -> None:
        """Makes indexes anew whose files lie on another Lance branch, or strayed."""
        for name in names:
            before = base.version
            self._before_write(f"rebuild index {ir_type.name}.{name}")
            rebuild_index(ir_type, base, name)
            _must_follow(before, base.version)

    def _missing_indexes(self, ir_type: IrType, base: "lance.LanceDataset") -> list[str]:
        if base.count_rows() < self._index_rows_min:
            return []
        present = {index.name for index in base.describe_indices()}
        return [name for name in indexed_columns(ir_type) if f"{name}{BTREE}" not in present]

    def _missing_search_indexes(
        self, ir_type: IrType, base: "lance.LanceDataset"
    ) -> tuple[str, ...]:
        return missing_search_indexes(ir_type, base, rows_min=self._index_rows_min)

    def _indexed(self, ir_type: IrType, branch: str, base: "lance.LanceDataset") -> TypeState:
        """Builds what indexes are missing and brings stale ones up to date."""
        for name in self._missing_indexes(ir_type, base):
            before = base.version
            self._before_write(f"index {ir_type.name}.{name}")
            base.create_scalar_index(name, "BTREE", name=f"{name}{BTREE}")
            _must_follow(before, base.version)
        for name in self._missing_search_indexes(ir_type, base):
            before = base.version
            self._before_write(f"index {ir_type.name}.{name} for searches")
            if build_search_index(ir_type, base, name):
                _must_follow(before, base.version)
        stale = _unindexed(base, rows_min=self._index_rows_min)
        if stale:
            self._before_write(f"update indexes {ir_type.name}")
            _update_indexes(base, stale)
        return _state(ir_type, branch, base)


def _unindexed(base: "lance.LanceDataset", *, rows_min: int) -> dict[str, int]:
    """Returns how many rows each index lacks, of those that lack at least *rows_min*."""
    rows = base.count_rows()
    lacking = {i.name: rows - i.num_rows_indexed for i in base.describe_indices()}
    return {name: count for name, count in lacking.items() if count >= rows_min}


def _update_indexes(base: "lance.LanceDataset", names: Collection[str]) -> None:
    of_values = [name for name in names if not is_vector_index(name)]
    if of_values:
        before = base.version
        base.optimize.optimize_indices(index_names=of_values)
        _must_follow(before, base.version)
    for name in filter(is_vector_index, names):
        before = base.version
        if update_search_index(base, name):
            _must_follow(before, base.version)


def _add_columns(base: "lance.LanceDataset", properties: list[IrProperty]) -> None:
    """Adds columns in one version."""
    fields = [property_field(p) for p in properties]
    values = [filling(p) for p in properties]
    if all(value is None for value in values):
        base.add_columns(fields)
        return
    schema = pa.schema(fields)

    def filled(batch: pa.RecordBatch) -> pa.RecordBatch:
        columns = [
            pa.repeat(pa.scalar(value, type=field.type), len(batch))
            for value, field in zip(values, fields, strict=True)
        ]
        return pa.RecordBatch.from_arrays(columns, schema=schema)

    base.add_columns(lance.batch_udf(output_schema=schema)(filled), read_columns=["id"])


def _state(ir_type: IrType, branch: str, base: "lance.LanceDataset") -> TypeState:
    return TypeState(
        name=ir_type.name,
        lance_branch=branch,
        lance_version=int(base.version),
        rows=base.count_rows(),
    )


def _lance_ref(lance_branch: str) -> str | None:
    """Returns how Lance's references name a branch: its main one by None."""
    return None if lance_branch == MAIN else lance_branch


def _must_follow(before: int, after: int) -> None:
    if after != before + 1:
        msg = f"version {after} was made on top of {before}"
        raise InterferenceError(msg)


def _reader(schema: pa.Schema, batches: Batches) -> pa.RecordBatchReader:
    return pa.RecordBatchReader.from_batches(schema, batches(schema))
